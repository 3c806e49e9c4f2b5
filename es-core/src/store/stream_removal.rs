//! The port of stores whose old events can be moved elsewhere: into an archive, or away for good.

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{ErrorCategory, StoreFailure};
use crate::identity::EventId;
use crate::query::Query;
use crate::recorded::{Page, RecordedEvent};
use crate::store::error::{ReadError, VersionConflict};
use crate::store::event_store::{Direction, EventStore, QueryRange};
use crate::stream::StreamId;
use crate::version::{ExpectedVersion, Position, Version};

/// A store that can let go of the first events of a stream and take them back.
///
/// What stays of them is a *stub*: which versions are gone, where they are, and as much of each event
/// as keeps the store's other promises. The last event of a stream always stays.
///
/// The archive of es-archive is built on it; nobody else needs to call it.
///
/// # Contract
/// 1. A removal and its stub are one step: stored whole or not at all, also when the process is killed or
///    the future is dropped. A durable store answers after it is on disk.
/// 2. In the same step it is checked that the part follows what was removed before, that it leaves the
///    last event, that its last event has the id that is given, and that the stream is at the expected
///    version. A removal that is refused changes nothing. One that is repeated is answered as the
///    first time.
/// 3. What was removed is still counted: versions and positions go on as before and none is given
///    twice, the stream exists, expected versions and append conditions are answered as before.
/// 4. A read that would give a removed event gives what comes before it, and else
///    [`ReadError::Archived`]; so does [`find`](EventStore::find). It is never a shorter answer. Reads
///    that want no such event are as before. What was removed for good, without a segment, is passed by
///    in the global order, and is refused everywhere else.
/// 5. The id of a removed event is never stored again: a commit with one is refused with
///    [`AppendError::EventIdArchived`](crate::AppendError::EventIdArchived).
/// 6. [`read_sparse`](Self::read_sparse) is [`read`](EventStore::read) that names removed events instead
///    of refusing, in the same snapshot.
/// 7. [`put_back`](Self::put_back) takes exactly the last part that was removed, in one step, and refuses
///    anything else. Afterwards everything is read as if it had never been removed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not let go of old events",
    label = "can not be archived from",
    note = "use a store that implements `StreamRemoval`, such as those of es-memory-store and es-sqlite-store"
)]
pub trait StreamRemoval: EventStore {
    /// Removes a part of a stream and leaves a stub (rules 1 to 5).
    fn remove(&self, removal: &Removal) -> impl Future<Output = Result<(), RemovalError>> + Send;

    /// Takes the last removed part of a stream back (rule 7): all of its events, in order.
    fn put_back(
        &self,
        stream: &StreamId,
        events: &[RecordedEvent],
    ) -> impl Future<Output = Result<(), RemovalError>> + Send;

    /// What is left of the removed events of a stream; `None` if none were.
    fn stub(
        &self,
        stream: &StreamId,
    ) -> impl Future<Output = Result<Option<Stub>, ReadError>> + Send;

    /// A page of all stubs, sorted by the names of their streams, after a stream: at most `limit`.
    fn stubs(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Stub>, ReadError>> + Send;

    /// Reads a page of the events that match a query, and names those among them that were removed
    /// into a segment (rule 6).
    fn read_sparse(
        &self,
        query: &Query,
        range: QueryRange,
    ) -> impl Future<Output = Result<SparsePage, ReadError>> + Send;
}

/// Events of one stream that are to be removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removal {
    /// The stream.
    pub stream: StreamId,
    /// Which events, and where they are from then on.
    pub part: RemovedPart,
    /// What must hold of the stream.
    pub expected: ExpectedVersion,
}

/// A run of events of one stream that were removed together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemovedPart {
    /// The version of the first.
    pub from: Version,
    /// The version of the last.
    pub to: Version,
    /// The id of the last.
    pub last_event_id: EventId,
    /// Where they are; nowhere if they were removed for good.
    pub segment: Option<SegmentRef>,
    /// Whether the events that follow make the state anew without these: they begin with a summary.
    pub begins_anew: bool,
}

/// The segment that holds a part of a stream.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SegmentRef {
    /// The name of the segment in its archive.
    pub name: Arc<str>,
    /// The digest of the part, which the archive made and checks.
    pub digest: PartDigest,
}

/// A digest of the events of a part: 32 bytes that print as hexadecimal digits. The store keeps it and
/// does not look into it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartDigest([u8; 32]);

impl PartDigest {
    /// Wraps the bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PartDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for PartDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for PartDigest {
    type Err = InvalidPartDigest;

    fn from_str(text: &str) -> Result<Self, InvalidPartDigest> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(InvalidPartDigest);
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = &text[2 * index..2 * index + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidPartDigest)?;
        }
        Ok(Self(bytes))
    }
}

/// A text that is no digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct InvalidPartDigest;

/// What is left of the removed events of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stub {
    /// The stream.
    pub stream: StreamId,
    /// The version of its last event, which is live.
    pub version: Version,
    /// What was removed, in the order of the versions and without a gap: at least one part, of which
    /// the first begins with version 1.
    pub parts: Vec<RemovedPart>,
}

impl Stub {
    /// The version of the last event that was removed.
    pub fn up_to(&self) -> Version {
        self.parts.last().map_or(Version::ZERO, |part| part.to)
    }

    /// The part that a version is in.
    pub fn part_of(&self, version: Version) -> Option<&RemovedPart> {
        self.parts.iter().find(|part| (part.from..=part.to).contains(&version))
    }

    /// What a read of a removed version is answered with.
    pub fn refusal(&self, version: Version) -> ReadError {
        ReadError::Archived(Box::new(self.archived(version)))
    }

    /// What there is to say of a removed version.
    pub fn archived(&self, version: Version) -> Archived {
        let last = self.parts.last();
        Archived {
            stream: self.stream.clone(),
            version,
            segment: self.part_of(version).and_then(|part| part.segment.clone()),
            up_to: self.up_to(),
            last_event_id: last.map(|part| part.last_event_id),
            begins_anew: last.is_some_and(|part| part.begins_anew),
            stream_version: self.version,
        }
    }

    /// Checks a removal against what was removed before. `true` if it was carried out before.
    ///
    /// `id_at` says which event has a version. For stores: whatever else they check, these are the
    /// rules.
    ///
    /// # Errors
    /// When the removal is to be refused.
    pub fn check(
        stub: Option<&Self>,
        stream_version: Version,
        removal: &Removal,
        id_at: impl FnOnce(Version) -> Option<EventId>,
    ) -> Result<bool, RemovalError> {
        let Removal { stream, part, expected } = removal;
        let up_to = stub.map_or(Version::ZERO, Self::up_to);
        if stub.is_some_and(|stub| stub.parts.contains(part)) {
            return Ok(true);
        }
        if !expected.admits(stream_version) {
            let (stream, expected) = (stream.clone(), *expected);
            let conflict = VersionConflict { stream, expected, actual: stream_version };
            return Err(RemovalError::Conflict(Box::new(conflict)));
        }
        let stream = || stream.clone();
        if part.from != up_to.next() || part.to < part.from {
            return Err(RemovalError::NotNext { stream: stream(), from: part.from, up_to });
        }
        if part.to >= stream_version {
            let version = stream_version;
            return Err(RemovalError::LastEvent { stream: stream(), to: part.to, version });
        }
        if id_at(part.to) != Some(part.last_event_id) {
            return Err(RemovalError::OtherEvent { stream: stream(), version: part.to });
        }
        Ok(false)
    }

    /// Checks events that are to be put back against the part that was removed last, and answers with
    /// that; `None` if they were put back before.
    ///
    /// It knows versions and the last id. Whether each event is the one that was removed is for the store
    /// to check, as far as its stub knows them.
    ///
    /// # Errors
    /// When they are not exactly that part.
    pub fn check_return<'p>(
        stream: &StreamId,
        last: Option<&'p RemovedPart>,
        events: &[RecordedEvent],
    ) -> Result<Option<&'p RemovedPart>, RemovalError> {
        let not_removed = || RemovalError::NotRemoved {
            stream: stream.clone(),
            part: last.cloned().map(Box::new),
        };
        let (Some(first), Some(end)) = (events.first(), events.last()) else {
            return Err(not_removed());
        };
        let up_to = last.map_or(Version::ZERO, |part| part.to);
        let contiguous = events
            .iter()
            .zip(first.version.get()..)
            .all(|(event, version)| event.version.get() == version && event.stream == *stream);
        if !contiguous {
            return Err(not_removed());
        }
        if first.version > up_to {
            return Ok(None);
        }
        let part = last.filter(|part| part.from == first.version && part.to == end.version);
        let part = part.ok_or_else(not_removed)?;
        if part.last_event_id != end.event_id {
            let (stream, version) = (stream.clone(), end.version);
            return Err(RemovalError::OtherEvent { stream, version });
        }
        Ok(Some(part))
    }
}

/// A page of the events that match a query, some of which are named only.
#[derive(Clone, Debug)]
pub struct SparsePage {
    /// The live ones.
    pub events: Page,
    /// The removed ones, in the order of the read.
    pub removed: Vec<RemovedEvent>,
    /// The head of the store when it was read.
    pub head: Position,
    /// Whether the range holds more matching events than both together.
    pub more: bool,
}

impl SparsePage {
    /// Up to where a forward read has seen everything it asked for; see
    /// [`QueryPage::token`](crate::QueryPage::token).
    pub fn token(&self, range: &QueryRange) -> Position {
        let live = self.events.last().map(|last| last.position);
        let removed = self.removed.last().map(|last| last.position);
        if !self.more {
            return self.head.min(range.up_to).max(range.after);
        }
        match range.direction {
            Direction::Forward => live.max(removed),
            Direction::Backward => [live, removed].into_iter().flatten().min(),
        }
        .unwrap_or(range.after)
    }
}

/// An event that is not in the live store any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemovedEvent {
    /// Its place in the global order.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place there.
    pub version: Version,
    /// Where it is.
    pub segment: SegmentRef,
}

/// An event that was wanted and is not in the live store any more.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("version {version} of stream `{stream}` {}", Whereabouts(self))]
pub struct Archived {
    /// The stream.
    pub stream: StreamId,
    /// The version of the event: the first that was wanted.
    pub version: Version,
    /// Where it is; nowhere if it was removed for good.
    pub segment: Option<SegmentRef>,
    /// The version of the last removed event of the stream.
    pub up_to: Version,
    /// The id of that event.
    pub last_event_id: Option<EventId>,
    /// Whether the events behind it make the state anew.
    pub begins_anew: bool,
    /// The version of the last event of the stream, which is live.
    pub stream_version: Version,
}

struct Whereabouts<'a>(&'a Archived);

impl fmt::Display for Whereabouts<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Archived { segment, up_to, .. } = self.0;
        match segment {
            Some(segment) => write!(
                formatter,
                "is archived in segment `{}`, with everything up to version {up_to}; put an `es_archive::ReadThrough` around the store to read it there, or restore the stream",
                segment.name
            ),
            None => write!(
                formatter,
                "was removed for good, with everything up to version {up_to}; only what follows can be read"
            ),
        }
    }
}

/// Why events were not removed or not put back. Nothing was changed, unless the outcome is unknown.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemovalError {
    /// The stream is not at the expected version.
    #[error(transparent)]
    Conflict(Box<VersionConflict>),
    /// The part does not follow what was removed before.
    #[error(
        "events of stream `{stream}` can be removed from version {} on, not from {from}: what is before must go first, and only once",
        up_to.next()
    )]
    NotNext {
        /// The stream.
        stream: StreamId,
        /// Where the part begins.
        from: Version,
        /// Up to where events were removed before.
        up_to: Version,
    },
    /// The part holds the last event of the stream.
    #[error(
        "stream `{stream}` ends at version {version}, and its last event stays: remove up to version {} at most, not {to}",
        version.get().saturating_sub(1)
    )]
    LastEvent {
        /// The stream.
        stream: StreamId,
        /// Where the part ends.
        to: Version,
        /// The version of the last event.
        version: Version,
    },
    /// An event is not the one that the store knows.
    #[error(
        "version {version} of stream `{stream}` is another event in this store; the archive belongs to another one, or the event was changed"
    )]
    OtherEvent {
        /// The stream.
        stream: StreamId,
        /// The version.
        version: Version,
    },
    /// What is to be put back is not what was removed last.
    #[error(
        "what can be put back into stream `{stream}` is the part that was removed last{}",
        part.as_ref().map_or_else(|| ", and none was".to_owned(), |part| format!(": versions {} to {}", part.from, part.to))
    )]
    NotRemoved {
        /// The stream.
        stream: StreamId,
        /// The part that could be.
        part: Option<Box<RemovedPart>>,
    },
    /// The store could not do it now.
    #[error("the store can not remove or put back events now: {0}")]
    Transient(StoreFailure),
    /// The store can not do it.
    #[error("the store can not remove or put back events: {0}")]
    Permanent(StoreFailure),
    /// The answer was lost: it was done or not. Doing it again is safe.
    #[error(
        "it is not known whether events were removed or put back: {0}; do it again to find out"
    )]
    OutcomeUnknown(StoreFailure),
}

impl RemovalError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Conflict(_) => ErrorCategory::Conflict,
            Self::NotNext { .. }
            | Self::LastEvent { .. }
            | Self::OtherEvent { .. }
            | Self::NotRemoved { .. }
            | Self::Permanent(_) => ErrorCategory::Permanent,
            Self::Transient(_) => ErrorCategory::Transient,
            Self::OutcomeUnknown(_) => ErrorCategory::OutcomeUnknown,
        }
    }
}
