//! Events on their way into a store: gathered into commits, appended many at a time.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use es_core::{
    AppendError, Appended, Commit, Direction, ErrorCategory, EventStore, ExpectedVersion, NewEvent,
    Position, RecordedAppend, RecordedCommit, RecordedEvent, StreamId, StreamRange, Version,
};

use crate::error::TransferError;

type Answers<'a> = Pin<Box<dyn Future<Output = Vec<Result<Appended, AppendError>>> + Send + 'a>>;

/// How a target takes events: with the times at which they were recorded, or as new ones.
pub(crate) type AppendAll<T> = for<'a> fn(&'a T, &'a [RecordedCommit]) -> Answers<'a>;

pub(crate) fn with_times<'a, T: RecordedAppend>(
    target: &'a T,
    commits: &'a [RecordedCommit],
) -> Answers<'a> {
    Box::pin(target.append_recorded(commits))
}

pub(crate) fn stamped_anew<'a, T: EventStore>(
    target: &'a T,
    commits: &'a [RecordedCommit],
) -> Answers<'a> {
    Box::pin(async move {
        let commits: Vec<_> = commits.iter().map(|recorded| recorded.commit.clone()).collect();
        target.append_chain(&commits).await
    })
}

/// How often a store that can not append now is asked again.
const ATTEMPTS: u32 = 5;

/// Where events are appended to.
pub(crate) struct Target<'a, T> {
    store: &'a T,
    append: AppendAll<T>,
}

impl<T> Clone for Target<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Target<'_, T> {}

/// Makes commits of events, in their order.
pub(crate) struct Gathering<'a, T> {
    target: &'a T,
    /// The version of each stream in the target, when that is not the version of the event.
    versions: Option<HashMap<StreamId, Version>>,
}

/// Commits that are appended together.
#[derive(Default)]
pub(crate) struct Batch {
    /// Where the source has the first event.
    position: Position,
    commits: Vec<RecordedCommit>,
}

impl<'a, T: EventStore> Gathering<'a, T> {
    /// `renumbered` if the versions of events are not those that they will have.
    pub(crate) fn new(target: &'a T, renumbered: bool) -> Self {
        Self { target, versions: renumbered.then(HashMap::new) }
    }

    /// Neighbours of one stream that were recorded at one time become one commit.
    pub(crate) async fn gather(
        &mut self,
        events: Vec<RecordedEvent>,
    ) -> Result<Batch, TransferError> {
        let Some(first) = events.first() else { return Ok(Batch::default()) };
        let position = first.position;
        let mut commits = Vec::with_capacity(events.len());
        let mut events = events.into_iter().peekable();
        while let Some(first) = events.next() {
            let (stream, recorded_at) = (first.stream.clone(), first.recorded_at);
            let before = self.version_before(&first).await?;
            let mut run = vec![new_event(first)];
            while let Some(next) =
                events.next_if(|next| next.stream == stream && next.recorded_at == recorded_at)
            {
                run.push(new_event(next));
            }
            if let Some(versions) = &mut self.versions {
                versions.insert(stream.clone(), before.plus(run.len() as u64));
            }
            let commit = Commit::new(stream, ExpectedVersion::Exact(before), run)
                .map_err(|error| TransferError::Commit { position, error })?;
            commits.push(RecordedCommit { commit, recorded_at });
        }
        Ok(Batch { position, commits })
    }

    async fn version_before(&mut self, event: &RecordedEvent) -> Result<Version, TransferError> {
        let Some(versions) = &self.versions else {
            return Ok(Version::new(event.version.get().saturating_sub(1)));
        };
        if let Some(version) = versions.get(&event.stream) {
            return Ok(*version);
        }
        let last = StreamRange { direction: Direction::Backward, limit: 1, ..StreamRange::all() };
        Ok(self.target.read_stream(&event.stream, last).await?.version)
    }
}

impl<'a, T> Target<'a, T> {
    pub(crate) fn new(store: &'a T, append: AppendAll<T>) -> Self {
        Self { store, append }
    }

    /// Appends commits, and those that were not reached again after a failure that passes.
    pub(crate) async fn append(self, batch: Batch) -> Result<(), TransferError> {
        let Batch { position, commits } = &batch;
        let position = *position;
        let (mut rest, mut attempts) = (commits.as_slice(), 0);
        while !rest.is_empty() {
            let answers = (self.append)(self.store, rest).await;
            let stored = answers.iter().take_while(|answer| answer.is_ok()).count();
            attempts = if stored > 0 { 0 } else { attempts + 1 };
            if let Some(Err(error)) = answers.into_iter().nth(stored) {
                let passes = matches!(
                    error.category(),
                    ErrorCategory::Transient | ErrorCategory::OutcomeUnknown
                );
                if !passes || attempts >= ATTEMPTS {
                    return Err(TransferError::Append { position, error });
                }
                tokio::task::yield_now().await;
            }
            rest = &rest[stored..];
        }
        Ok(())
    }
}

fn new_event(event: RecordedEvent) -> NewEvent {
    NewEvent {
        id: event.event_id,
        name: event.name.into(),
        schema_version: event.schema_version,
        payload: event.payload,
        tags: event.tags,
        occurred_at: event.occurred_at,
        metadata: event.metadata,
    }
}
