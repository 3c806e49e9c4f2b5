//! Folding a stream into state.

use std::ops::ControlFlow;

use crate::aggregate::Aggregate;
use crate::error::ErrorCategory;
use crate::event_set::{self, DecodeError, Decoded, EventSet};
use crate::recorded::Recorded;
use crate::runtime::retry::RetryPolicy;
use crate::store::{Archived, EventStore, ImmediateRead, ReadError, StreamRange};
use crate::stream::{InvalidStreamId, StreamId};
use crate::version::Version;

/// The state of an aggregate at a version of its stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded<A> {
    /// The state.
    pub state: A,
    /// The version of the last event that is in it; zero if there is none.
    pub version: Version,
}

impl<A: Aggregate> Default for Loaded<A> {
    /// The state before the first event.
    fn default() -> Self {
        Self { state: A::initial(), version: Version::ZERO }
    }
}

/// What a replay does with the next event.
pub(crate) enum Step {
    Apply,
    /// Goes on as if the event were not there.
    Skip,
    Stop,
}

/// Where events are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// In the live store alone.
    Live,
    /// Also in an archive, if the store reads through to one.
    All,
}

/// Applies the events that follow, up to the version that the stream has when the replay begins.
pub(crate) async fn catch_up<A: Aggregate>(
    store: &impl EventStore,
    retry: &RetryPolicy,
    stream: &StreamId,
    loaded: &mut Loaded<A>,
) -> Result<(), LoadError> {
    catch_up_seeing(store, retry, stream, loaded, |_| {}).await
}

/// The same, and shows each event. Events that are archived are read only when the state can not be
/// had without them.
pub(crate) async fn catch_up_seeing<A: Aggregate>(
    store: &impl EventStore,
    retry: &RetryPolicy,
    stream: &StreamId,
    loaded: &mut Loaded<A>,
    mut see: impl FnMut(&Recorded<'_>),
) -> Result<(), LoadError> {
    let mut reach = Reach::Live;
    loop {
        let take = |_: &mut A, recorded: &Recorded<'_>| {
            see(recorded);
            Step::Apply
        };
        let caught_up = match store.immediate_read().filter(|_| reach == Reach::Live) {
            Some(immediate) => visit(immediate, retry, stream, loaded, take).await,
            None => replay(store, retry, stream, loaded, reach, take, |_, _, _| {}).await,
        };
        match caught_up {
            // What follows is a summary of all that was removed.
            Err(LoadError::Archived(archived))
                if archived.begins_anew && loaded.version < archived.up_to =>
            {
                *loaded = Loaded { state: A::initial(), version: archived.up_to };
            }
            Err(LoadError::Archived(_)) if reach == Reach::Live => reach = Reach::All,
            ended => return ended,
        }
    }
}

/// Applies the events that follow where they lie.
async fn visit<A: Aggregate>(
    immediate: &dyn ImmediateRead,
    retry: &RetryPolicy,
    stream: &StreamId,
    loaded: &mut Loaded<A>,
    mut take: impl FnMut(&mut A, &Recorded<'_>) -> Step,
) -> Result<(), LoadError> {
    let mut progress = Progress::after(loaded.version);
    loop {
        let mut applied = Ok(());
        let read = retry.read(|| {
            // A read that failed in passing may have shown events before.
            let from = progress.range.from.max(progress.seen.next());
            let range = StreamRange { from, ..progress.range };
            let mut visit = |recorded: &Recorded<'_>| match progress.apply(
                stream,
                loaded,
                recorded,
                &mut take,
                |_, _, _| {},
            ) {
                Ok(go_on) => go_on,
                Err(error) => {
                    applied = Err(error);
                    ControlFlow::Break(())
                }
            };
            std::future::ready(immediate.visit_stream(stream, range, &mut visit))
        });
        let visit = read.await?;
        applied?;
        if !progress.turn(stream, visit.version, visit.next)? {
            return Ok(());
        }
        // Nothing else could run on this thread meanwhile.
        tokio::task::yield_now().await;
    }
}

/// Applies the events that follow as `take` says, which sees the state before each, and shows each
/// that was applied with the state after it.
pub(crate) async fn replay<A: Aggregate>(
    store: &impl EventStore,
    retry: &RetryPolicy,
    stream: &StreamId,
    loaded: &mut Loaded<A>,
    reach: Reach,
    mut take: impl FnMut(&mut A, &Recorded<'_>) -> Step,
    mut show: impl FnMut(&A, &A::Event, &Recorded<'_>),
) -> Result<(), LoadError> {
    let mut progress = Progress::after(loaded.version);
    loop {
        let range = progress.range;
        let page = match reach {
            Reach::Live => retry.read(|| store.read_live(stream, range)).await?,
            Reach::All => retry.read(|| store.read_stream(stream, range)).await?,
        };
        for recorded in page.events.iter() {
            if progress.apply(stream, loaded, &recorded, &mut take, &mut show)?.is_break() {
                return Ok(());
            }
        }
        if !progress.turn(stream, page.version, page.next)? {
            return Ok(());
        }
        // A store that answers at once would let nothing else run on this thread meanwhile.
        tokio::task::yield_now().await;
    }
}

/// How far a replay has come.
struct Progress {
    /// The version of the last event, applied or skipped.
    seen: Version,
    /// What is read next.
    range: StreamRange,
}

impl Progress {
    fn after(version: Version) -> Self {
        Self { seen: version, range: StreamRange::after(version) }
    }

    #[inline]
    fn apply<A: Aggregate>(
        &mut self,
        stream: &StreamId,
        loaded: &mut Loaded<A>,
        recorded: &Recorded<'_>,
        mut take: impl FnMut(&mut A, &Recorded<'_>) -> Step,
        mut show: impl FnMut(&A, &A::Event, &Recorded<'_>),
    ) -> Result<ControlFlow<()>, LoadError> {
        if recorded.version != self.seen.next() {
            return Err(gap(stream, self.seen, recorded.version));
        }
        match take(&mut loaded.state, recorded) {
            Step::Apply => {}
            Step::Skip => {
                self.seen = recorded.version;
                return Ok(ControlFlow::Continue(()));
            }
            Step::Stop => return Ok(ControlFlow::Break(())),
        }
        let decoded = A::Event::decode(recorded)?;
        if let Decoded::Unlisted = decoded {
            // In a stream of its own an aggregate knows every event.
            return Err(event_set::unknown_event::<A::Event>(recorded).into());
        }
        (self.seen, loaded.version) = (recorded.version, recorded.version);
        for event in decoded.as_slice() {
            loaded.state.apply_event(event);
            show(&loaded.state, event, recorded);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Goes on behind a page. Whether there is more to read.
    fn turn(
        &mut self,
        stream: &StreamId,
        version: Version,
        next: Option<Version>,
    ) -> Result<bool, LoadError> {
        if let Some(next) = next {
            // Bounded by what the first page saw, or a busy stream would never end.
            let to = self.range.to.min(version);
            self.range = StreamRange { to, ..self.range.continued(next) };
            return Ok(true);
        }
        let end = version.min(self.range.to);
        if self.seen < end { Err(gap(stream, self.seen, end)) } else { Ok(false) }
    }
}

#[cold]
fn gap(stream: &StreamId, seen: Version, found: Version) -> LoadError {
    LoadError::Gap { stream: stream.clone(), expected: seen.next(), found }
}

/// Why the state of an aggregate could not be had.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The id names no stream.
    #[error(transparent)]
    Id(#[from] InvalidStreamId),
    /// The store could not be read.
    #[error(transparent)]
    Read(ReadError),
    /// Events that the state is made of are not in the live store any more.
    #[error(transparent)]
    Archived(Box<Archived>),
    /// An event of the stream could not be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The store left out events of the stream, in the middle or at its end.
    #[error(
        "stream `{stream}` has version {found} but not version {expected}; the store has lost events"
    )]
    Gap {
        /// The stream.
        stream: StreamId,
        /// The version that should have come.
        expected: Version,
        /// The version that came, or that the stream is at.
        found: Version,
    },
}

impl LoadError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Read(error) => error.category(),
            Self::Id(_) | Self::Archived(_) | Self::Decode(_) | Self::Gap { .. } => {
                ErrorCategory::Permanent
            }
        }
    }
}

impl From<ReadError> for LoadError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Archived(archived) => Self::Archived(archived),
            error => Self::Read(error),
        }
    }
}
