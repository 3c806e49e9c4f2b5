//! Why a projection does not go on, and when it is tried again.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use serde::Serialize;
use uuid::Uuid;

use crate::store::StateError;
use crate::version::Position;

/// Why a projection does not go on. Nothing of it is lost: it goes on where it was.
///
/// What [may pass](Self::may_pass) is tried again by itself, after a second and then more and more
/// seldom, at least once a minute. [`ProjectionHandle::resume`](crate::ProjectionHandle::resume)
/// tries at once, whatever it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "because")]
#[non_exhaustive]
pub enum ProjectionFailure {
    /// The store says that it can not do it.
    #[error("{error}")]
    Store {
        /// What it said.
        error: String,
    },
    /// A record of the projection is not what this program writes there.
    #[error("{error}")]
    Record {
        /// Which one, and what is wrong with it.
        error: String,
    },
    /// The tables of the projection can not be made or shown.
    #[error("its tables: {error}")]
    Tables {
        /// What the store or the projection said.
        error: String,
    },
    /// The checkpoint counts the events of another store.
    #[error(
        "its checkpoint was made of the events of store {checkpoint}, but this is store {store}; rebuild it, or restore the events that belong to it"
    )]
    OtherHistory {
        /// The identity of the store that the checkpoint was made in.
        checkpoint: Uuid,
        /// The identity of this store.
        store: Uuid,
    },
    /// The store has fewer events than the checkpoint counts.
    #[error(
        "its checkpoint is at position {checkpoint}, but the store ends at {head}: events are lost; rebuild it, or restore them"
    )]
    EventsLost {
        /// Up to where events were applied.
        checkpoint: Position,
        /// Where the store ends.
        head: Position,
    },
    /// A handler failed on an event that it has applied before: what it does depends on more than
    /// the events.
    #[error("an event that was applied before can not be applied again: {error}")]
    NotRepeatable {
        /// What the handler said, with the place of the event.
        error: String,
    },
    /// Something panicked where no single event can be blamed, such as a `Deserialize` of a document.
    #[error("it panicked: {error}")]
    Panicked {
        /// What the panic said.
        error: String,
    },
    /// Another program has begun to run these side effects in another number of partitions.
    #[error(
        "another program runs it in {there} partitions by now, and this one in {here}: end one of them, or resume it to go on with {here}"
    )]
    OtherPartitions {
        /// The number in this program.
        here: u32,
        /// The number in the other one.
        there: u32,
    },
    /// The store is none that the projection can live in.
    #[error("the store keeps no {what}")]
    NoHome {
        /// What it would have to keep.
        what: &'static str,
    },
}

impl ProjectionFailure {
    /// Whether it may pass without anybody doing something about the projection.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Store { .. } | Self::Tables { .. } | Self::Panicked { .. } => true,
            Self::Record { .. }
            | Self::OtherHistory { .. }
            | Self::EventsLost { .. }
            | Self::NotRepeatable { .. }
            | Self::OtherPartitions { .. }
            | Self::NoHome { .. } => false,
        }
    }

    pub(crate) fn of_store(error: &(dyn std::error::Error + Sync)) -> Self {
        Self::Store { error: error.to_string() }
    }

    pub(crate) fn of_record(error: &StateError) -> Self {
        Self::Record { error: error.to_string() }
    }
}

/// The first pause before a projection that has failed is tried again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often a projection has failed in a row.
pub(crate) struct BackOff {
    failures: u32,
    since: Instant,
}

impl BackOff {
    pub(crate) fn new() -> Self {
        Self { failures: 0, since: Instant::now() }
    }

    /// How long to wait after another failure; for ever if it does not pass by itself.
    pub(crate) fn pause_after(&mut self, failure: &ProjectionFailure) -> Option<Duration> {
        // One that went well for long has nothing to do with those before.
        if self.since.elapsed() > 2 * LONGEST_PAUSE {
            self.failures = 0;
        }
        self.since = Instant::now();
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        failure.may_pass().then_some(pause)
    }
}

/// Lets a future run to its end or its panic.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            // It is dropped, and not polled again.
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_what_does_not_pass_is_not_tried_again() {
        let mut back_off = BackOff::new();
        let store = ProjectionFailure::Store { error: String::new() };
        let pauses: Vec<_> = (0..9).map(|_| back_off.pause_after(&store).unwrap()).collect();
        let seconds: Vec<_> = pauses.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let lost =
            ProjectionFailure::EventsLost { checkpoint: Position::new(2), head: Position::ZERO };
        assert_eq!(back_off.pause_after(&lost), None);
    }
}
