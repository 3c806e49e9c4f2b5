//! Appending so that the outcome is known: passing failures and lost answers are tried again.

use tracing::Instrument;

use crate::clock::Moment;
use crate::commit::{Appended, CheckedEvents, Commit, StreamAppend};
use crate::error::ErrorCategory;
use crate::identity::CommandId;
use crate::metadata::RecordedCommand;
use crate::runtime::command_memory;
use crate::runtime::decide::{Sent, take_back};
use crate::runtime::error::{CommandDifference, CommandIdReused, ExecuteError};
use crate::runtime::receipt::Receipt;
use crate::runtime::replay::LoadError;
use crate::runtime::retry::RetryPolicy;
use crate::store::{
    AppendError, EventStore, ImmediateAppend, InPlaceAppend, ReadError, StreamRange,
    VersionConflict,
};
use crate::stream::StreamId;
use crate::telemetry::metrics::{self, Stopwatch};
use crate::telemetry::{self, Retried, TARGET, append_span};
use crate::version::{ExpectedVersion, Version};

/// Why a command was not carried out, as far as that does not depend on its type.
#[derive(Clone)]
pub(crate) enum Failure {
    Load(LoadError),
    Conflict { conflict: Box<VersionConflict>, attempts: u32 },
    Append(AppendError),
    IdReused(Box<CommandIdReused>),
}

impl<E> From<Failure> for ExecuteError<E> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Load(error) => Self::Load(error),
            Failure::Conflict { conflict, attempts } => Self::Conflict { conflict, attempts },
            Failure::Append(error) => Self::Append(error),
            Failure::IdReused(reused) => Self::CommandIdReused(reused),
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Load(error.into())
    }
}

/// Appends a commit, on this thread if the store can and there is `in_place`. A commit keeps its event
/// ids, so that appending it again is safe.
pub(crate) async fn append(
    store: &impl EventStore,
    in_place: Option<&dyn InPlaceAppend>,
    retry: &RetryPolicy,
    commit: &Commit,
) -> Result<Appended, AppendError> {
    let began = Stopwatch::start();
    let append = async {
        let answer = match in_place.and_then(|store| store.try_append(commit)) {
            Some(answer) => answer,
            None => store.append(commit).await,
        };
        append_again(store, retry, commit, answer).await
    };
    let answer = append.instrument(append_span(std::slice::from_ref(commit))).await;
    metrics::appended(std::slice::from_ref(commit), began);
    answer
}

/// A commit that does not stand where it was decided to go, and what the store says of it.
pub(crate) struct NotInPlace {
    pub(crate) commit: Commit,
    pub(crate) answer: Result<Appended, AppendError>,
}

/// Appends events in a store that need not be waited for. If they do not stand where they were decided to
/// go, the commit and the store's answer come back.
pub(crate) fn append_now(
    store: &dyn ImmediateAppend,
    stream: &StreamId,
    before: Version,
    events: CheckedEvents,
    moment: &Moment,
) -> Result<Receipt, Box<NotInPlace>> {
    let commit = Commit::of(stream.clone(), ExpectedVersion::Exact(before), events);
    let began = Stopwatch::start();
    let answer = {
        let listens = telemetry::listens();
        let _entered = listens.then(|| append_span(std::slice::from_ref(&commit)).entered());
        store.append_now(&commit, moment)
    };
    metrics::appended(std::slice::from_ref(&commit), began);
    match &answer {
        Ok(appended) if is_in_place(&commit, appended) => Ok(receipt(commit, appended, None, 1)),
        _ => Err(Box::new(NotInPlace { commit, answer })),
    }
}

/// Appends a commit again unless the first answer settles what became of it.
pub(crate) async fn append_again(
    store: &impl EventStore,
    retry: &RetryPolicy,
    commit: &Commit,
    mut answer: Result<Appended, AppendError>,
) -> Result<Appended, AppendError> {
    let mut attempts = Attempts::default();
    loop {
        match answer {
            Ok(appended) => return Ok(appended),
            Err(error) => attempts.again_or(retry, error).await?,
        }
        answer = store.append(commit).await;
    }
}

/// Appends commits that build on each other, up to the first that is refused.
pub(crate) async fn append_chain(
    store: &impl EventStore,
    retry: &RetryPolicy,
    commits: &[Commit],
) -> Vec<Result<Appended, AppendError>> {
    if commits.is_empty() {
        return Vec::new();
    }
    let began = Stopwatch::start();
    let answers = append_links(store, retry, commits).instrument(append_span(commits)).await;
    metrics::appended(commits, began);
    answers
}

async fn append_links(
    store: &impl EventStore,
    retry: &RetryPolicy,
    commits: &[Commit],
) -> Vec<Result<Appended, AppendError>> {
    let mut answers = Vec::with_capacity(commits.len());
    let mut attempts = Attempts::default();
    loop {
        let rest = &commits[answers.len()..];
        let appended = store.append_chain(rest).await;
        if matches!(appended.first(), Some(Ok(_))) {
            // Each commit has as many attempts as it would have alone.
            attempts.failed = 0;
        }
        answers.extend(appended);
        match answers.pop() {
            Some(Err(error)) => {
                if let Err(error) = attempts.again_or(retry, error).await {
                    answers.push(Err(error));
                    return answers;
                }
            }
            last => {
                answers.extend(last);
                return answers;
            }
        }
    }
}

#[derive(Default)]
struct Attempts {
    failed: u32,
    /// Whether the answer to one of them was lost. Then a later one that fails says nothing about
    /// what became of that one.
    unknown: bool,
}

impl Attempts {
    /// Waits before the next attempt, or gives the error back if there is to be none.
    async fn again_or(
        &mut self,
        retry: &RetryPolicy,
        error: AppendError,
    ) -> Result<(), AppendError> {
        self.failed += 1;
        self.unknown |= error.category() == ErrorCategory::OutcomeUnknown;
        let passes =
            matches!(error.category(), ErrorCategory::Transient | ErrorCategory::OutcomeUnknown);
        if passes && retry.allows_more_than(self.failed) {
            metrics::retry(Retried::Append);
            tracing::debug!(target: TARGET, attempts = self.failed, %error, "append is tried again");
            retry.pause(self.failed).await;
            return Ok(());
        }
        Err(match error {
            AppendError::Transient(failure) | AppendError::Permanent(failure) if self.unknown => {
                AppendError::OutcomeUnknown(failure)
            }
            // A refusal is an answer: the commit is not stored, whatever became of the others.
            error => error,
        })
    }
}

/// The receipt of a command that was carried out before, found by the ids of its events, or remembered if
/// there were none.
pub(crate) async fn first_receipt(
    store: &impl EventStore,
    retry: &RetryPolicy,
    stream: &StreamId,
    sent: &Sent,
) -> Result<Option<Receipt>, Failure> {
    let command_id = sent.id;
    let Some(first) = retry.read(|| store.find(command_id.event_id(0))).await? else {
        return command_memory::recall(store, stream, sent).await;
    };
    let difference = difference(&first.stream, stream, first.metadata.command(), sent);
    if let Some(difference) = difference {
        return Err(Failure::IdReused(Box::new(CommandIdReused {
            command_id,
            name: sent.name,
            stream: first.stream,
            version: first.version,
            position: first.position,
            difference,
        })));
    }
    let (mut events, mut version, mut position) = (1, first.version, first.position);
    let mut range = StreamRange { limit: 16, ..StreamRange::after(first.version) };
    'pages: loop {
        let page = retry.read(|| store.read_stream(stream, range)).await?;
        for recorded in page.events.iter() {
            if recorded.event_id != command_id.event_id(events) {
                break 'pages;
            }
            (events, version, position) = (events + 1, recorded.version, recorded.position);
        }
        match page.next {
            Some(next) => range = range.continued(next),
            None => break,
        }
    }
    Ok(Some(Receipt {
        stream: stream.clone(),
        version,
        events: events.into(),
        position: Some(position),
        attempts: 0,
        repeated: true,
    }))
}

/// What tells the command that was carried out on the stream `first` from one that is sent under its id.
pub(crate) fn difference(
    first: &StreamId,
    stream: &StreamId,
    recorded: Option<&RecordedCommand>,
    sent: &Sent,
) -> Option<CommandDifference> {
    if first != stream {
        return Some(CommandDifference::Stream { sent: stream.clone() });
    }
    recorded.and_then(|recorded| differs(recorded, sent))
}

fn differs(recorded: &RecordedCommand, sent: &Sent) -> Option<CommandDifference> {
    if recorded.name != sent.name {
        return Some(CommandDifference::Name { recorded: recorded.name.clone() });
    }
    let fingerprint = recorded.fingerprint.as_ref()?;
    sent.fingerprint.contradicts(fingerprint).then_some(CommandDifference::Fields)
}

/// Whether the commit stands where it was decided to go. One that was stored before may stand
/// elsewhere, or here: then an attempt whose answer was lost has stored it, or another process that
/// decided the same command just so.
pub(crate) fn is_in_place(commit: &Commit, appended: &Appended) -> bool {
    let first = commit.first();
    match first.expected {
        ExpectedVersion::Exact(before) => {
            appended.version == before.plus(first.events.len() as u64)
        }
        _ => !appended.repeated,
    }
}

/// The receipt of a commit that was appended.
pub(crate) fn receipt(
    commit: Commit,
    appended: &Appended,
    command_id: Option<CommandId>,
    attempts: u32,
) -> Receipt {
    let StreamAppend { stream, events, .. } = commit.into_first();
    let receipt = Receipt {
        stream,
        version: appended.version,
        events: events.len() as u64,
        position: Some(appended.last_position),
        attempts,
        // Without an id of its own nobody else can have sent it: an answer was lost and found.
        repeated: appended.repeated && command_id.is_some(),
    };
    take_back(events);
    receipt
}

/// The receipt of a command that was accepted and changed nothing.
pub(crate) fn receipt_of_nothing(stream: &StreamId, version: Version, attempts: u32) -> Receipt {
    let stream = stream.clone();
    Receipt { stream, version, events: 0, position: None, attempts, repeated: false }
}
