//! Appending on the thread that asks.

use crate::commit::{Appended, Commit};
use crate::store::error::AppendError;

/// A store that waits in order to append, and can be faster when the thread that asks does the waiting
/// itself: as one whose disk answers sooner than another thread can be woken.
pub trait InPlaceAppend {
    /// The same as [`EventStore::append`](crate::EventStore::append), on this thread. `None`: nothing
    /// has happened, and it is better waited for.
    ///
    /// For a caller who knows of no other append that is about to come: those that wait together can
    /// share what one costs, and one that is made in place shares it with none. The store decides
    /// whether this thread may wait, and for how long.
    fn try_append(&self, commit: &Commit) -> Option<Result<Appended, AppendError>>;
}
