//! The port of small records: snapshots, checkpoints, leases, dead letters, timers.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use crate::store::error::StateError;

/// Small records with compare-and-set.
///
/// # Contract
/// 1. A write is atomic, and checks the expected revision in the same step: of two writers with one
///    expected revision exactly one wins, the other gets [`StateError::Conflict`] with expected and
///    actual, and changes nothing.
/// 2. Every write gives the record a revision that it never had before and that is greater than all
///    it had, also after it was removed and made again. So a revision serves as a fencing token.
/// 3. A list is sorted by name, byte by byte, and complete: it holds every record of its space
///    between its first and last name. It says with `more` whether others follow; it may hold fewer
///    than asked for, but none only if the limit is zero or there are none.
/// 4. A record comes back as it was written. Space and name are any texts of up to
///    [`MAX_STATE_TEXT_BYTES`] bytes each, also empty ones; values are any bytes up to
///    [`MAX_STATE_BYTES`]. Larger ones, and texts with a NUL character, may be refused with
///    [`StateError::Permanent`].
/// 5. Every call takes effect at one instant between its start and its answer: what was acknowledged
///    is seen by whatever begins later.
/// 6. A durable store answers after the record is on disk.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state store",
    label = "not a state store",
    note = "use a store such as `MemoryStore` of es-memory-store, or implement `StateStore`"
)]
pub trait StateStore: Send + Sync + 'static {
    /// The record, if it is there.
    fn get(
        &self,
        key: &StateKey,
    ) -> impl Future<Output = Result<Option<StateRecord>, StateError>> + Send;

    /// Writes the record if it is at the expected revision, and answers with its new one.
    fn put(
        &self,
        key: &StateKey,
        value: Bytes,
        expected: ExpectedRevision,
    ) -> impl Future<Output = Result<Revision, StateError>> + Send;

    /// Removes the record if it is at the expected revision. One that is missing can only be
    /// removed with [`ExpectedRevision::Any`], which then does nothing.
    fn remove(
        &self,
        key: &StateKey,
        expected: ExpectedRevision,
    ) -> impl Future<Output = Result<(), StateError>> + Send;

    /// A page of the records of a space whose names are greater than `after`, sorted by name: at
    /// most `limit`.
    fn list(
        &self,
        space: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<StatePage, StateError>> + Send;
}

/// The longest space and the longest name that every state store takes, in bytes.
pub const MAX_STATE_TEXT_BYTES: usize = 1024;
/// The largest value that every state store takes, in bytes: 16 MiB.
pub const MAX_STATE_BYTES: usize = 16 * 1024 * 1024;

/// The key of a state record: a space, such as `checkpoint`, and a name in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StateKey {
    space: Arc<str>,
    name: Arc<str>,
}

impl StateKey {
    /// The key of `name` in `space`.
    pub fn new(space: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { space: space.into(), name: name.into() }
    }

    /// What kind of record it is.
    pub fn space(&self) -> &str {
        &self.space
    }

    /// Which one of the kind.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for StateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.space, self.name)
    }
}

/// How often a record was written, as its store counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Revision(u64);

impl Revision {
    /// Wraps a number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The guard of a write to one record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ExpectedRevision {
    /// Write whatever is there.
    Any,
    /// The record must not be there.
    Missing,
    /// The record must be at this revision.
    Exact(Revision),
}

impl ExpectedRevision {
    /// Whether a record at the revision `actual` passes the guard.
    pub fn admits(self, actual: Option<Revision>) -> bool {
        match self {
            Self::Any => true,
            Self::Missing => actual.is_none(),
            Self::Exact(expected) => actual == Some(expected),
        }
    }
}

impl fmt::Display for ExpectedRevision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any revision"),
            Self::Missing => formatter.write_str("no record"),
            Self::Exact(revision) => write!(formatter, "revision {revision}"),
        }
    }
}

/// A state record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateRecord {
    /// Its revision.
    pub revision: Revision,
    /// What was written.
    pub value: Bytes,
}

/// A page of the records of one space.
///
/// ```
/// # use es_core::{StateError, StateRecord, StateStore};
/// /// Looks at every record of a space.
/// async fn each<S: StateStore>(
///     store: &S,
///     space: &str,
///     mut look: impl FnMut(&str, &StateRecord),
/// ) -> Result<(), StateError> {
///     let mut after: Option<String> = None;
///     loop {
///         let page = store.list(space, after.as_deref(), 100).await?;
///         page.records.iter().for_each(|(key, record)| look(key.name(), record));
///         match page.next() {
///             Some(name) => after = Some(name.to_owned()),
///             None => return Ok(()),
///         }
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct StatePage {
    /// The records, sorted by name.
    pub records: Vec<(StateKey, StateRecord)>,
    /// Whether others follow.
    pub more: bool,
}

impl StatePage {
    /// The name to go on after, or `None` when no records follow.
    pub fn next(&self) -> Option<&str> {
        let last = self.records.last().filter(|_| self.more);
        last.map(|(key, _)| key.name())
    }
}
