//! Folding a stream into state.

use crate::aggregate::Aggregate;
use crate::error::ErrorCategory;
use crate::event_set::{self, DecodeError, Decoded, EventSet};
use crate::recorded::Recorded;
use crate::runtime::retry::RetryPolicy;
use crate::store::{Archived, EventStore, ReadError, StreamRange};
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
        match replay(store, retry, stream, loaded, reach, take, |_, _, _| {}).await {
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
    let mut seen = loaded.version;
    let mut range = StreamRange::after(seen);
    loop {
        let page = match reach {
            Reach::Live => retry.read(|| store.read_live(stream, range)).await?,
            Reach::All => retry.read(|| store.read_stream(stream, range)).await?,
        };
        for recorded in page.events.iter() {
            if recorded.version != seen.next() {
                return Err(LoadError::Gap {
                    stream: stream.clone(),
                    expected: seen.next(),
                    found: recorded.version,
                });
            }
            match take(&mut loaded.state, &recorded) {
                Step::Apply => {}
                Step::Skip => {
                    seen = recorded.version;
                    continue;
                }
                Step::Stop => return Ok(()),
            }
            let decoded = A::Event::decode(&recorded)?;
            if let Decoded::Unlisted = decoded {
                // In a stream of its own an aggregate knows every event.
                return Err(event_set::unknown_event::<A::Event>(&recorded).into());
            }
            (seen, loaded.version) = (recorded.version, recorded.version);
            for event in decoded.as_slice() {
                loaded.state.apply_event(event);
                show(&loaded.state, event, &recorded);
            }
        }
        match page.next {
            // Bounded by what the first page saw, or a busy stream would never end.
            Some(next) => {
                range = StreamRange { to: range.to.min(page.version), ..range.continued(next) };
                // A store that answers at once would let nothing else run on this thread meanwhile.
                tokio::task::yield_now().await;
            }
            None => {
                let end = page.version.min(range.to);
                return if seen < end {
                    Err(LoadError::Gap {
                        stream: stream.clone(),
                        expected: seen.next(),
                        found: end,
                    })
                } else {
                    Ok(())
                };
            }
        }
    }
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
