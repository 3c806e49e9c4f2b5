//! Stores that need not wait for anything, as one in memory: no future is made where nothing can be
//! pending, and nothing is copied that can be shown where it is.

use std::ops::ControlFlow;

use crate::clock::Moment;
use crate::commit::{Appended, Commit};
use crate::recorded::Recorded;
use crate::store::error::{AppendError, ReadError};
use crate::store::event_store::StreamRange;
use crate::stream::StreamId;
use crate::version::Version;

/// A store that need not wait in order to append.
pub trait ImmediateAppend: Send + Sync {
    /// The same as [`EventStore::append`](crate::EventStore::append), at once. `moment` is the one that the
    /// commit was decided at: a store that records the machine's time may take it from there.
    ///
    /// # Errors
    /// As [`EventStore::append`](crate::EventStore::append).
    fn append_now(&self, commit: &Commit, moment: &Moment) -> Result<Appended, AppendError>;
}

/// A store that need not wait in order to read.
pub trait ImmediateRead: Send + Sync {
    /// Shows the events of a page of one stream, each where it lies, until the visitor breaks off.
    ///
    /// The visitor may run while the store is locked: what it does must be short, and it must not
    /// call the store.
    ///
    /// # Errors
    /// As [`EventStore::read_stream`](crate::EventStore::read_stream). What was shown until then
    /// was right.
    fn visit_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
        visit: &mut dyn FnMut(&Recorded<'_>) -> ControlFlow<()>,
    ) -> Result<StreamVisit, ReadError>;
}

/// What was shown of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamVisit {
    /// The version of the stream.
    pub version: Version,
    /// Where to go on, if the range has more events than were shown.
    pub next: Option<Version>,
}
