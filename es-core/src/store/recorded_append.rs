//! The port of stores that take events over from another store.

use std::future::Future;

use jiff::Timestamp;

use crate::commit::{Appended, Commit};
use crate::store::error::AppendError;
use crate::store::event_store::EventStore;

/// A store that takes events over from another one, with the times at which that one recorded them.
///
/// For copies and imports; what a program records itself is appended with
/// [`append`](EventStore::append).
///
/// # Contract
/// 1. Commits are appended in order, up to the first that is refused, as
///    [`append_chain`](EventStore::append_chain) does; each is stored whole or not at all.
/// 2. Events are recorded at the time that stands beside their commit, to the microsecond, but never
///    earlier than the event before them in the global order.
/// 3. A repeated commit is answered as the first time, whatever time stands beside it now; there is
///    one copy, which keeps its time.
/// 4. Everything else is as [`append`](EventStore::append): expected versions, what comes back of an
///    event, positions, news.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not take over events with the times at which another store recorded them",
    label = "can not take over events",
    note = "use a store that implements `RecordedAppend`, or let the copy stamp events anew"
)]
pub trait RecordedAppend: EventStore {
    /// Appends commits with the times at which they were recorded.
    fn append_recorded(
        &self,
        commits: &[RecordedCommit],
    ) -> impl Future<Output = Vec<Result<Appended, AppendError>>> + Send;
}

/// A commit, and the time at which another store recorded it.
#[derive(Clone, PartialEq, Debug)]
pub struct RecordedCommit {
    /// The commit.
    pub commit: Commit,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}
