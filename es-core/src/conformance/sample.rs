//! Events, commits and streams to try a store with.

use bytes::Bytes;
use uuid::Uuid;

use crate::commit::{Commit, InvalidCommit, NewEvent};
use crate::identity::EventId;
use crate::metadata::Metadata;
use crate::stream::{InvalidStreamId, StreamId};
use crate::tag::Tag;
use crate::version::{ExpectedVersion, SchemaVersion, Version};

/// What the checks make is well formed, or a check is wrong.
#[expect(clippy::panic, reason = "a mistake of the suite, not of the store")]
pub(super) fn valid<T>(made: Result<T, impl std::fmt::Display>) -> T {
    made.unwrap_or_else(|error| {
        panic!("the check made something that no store would take: {error}")
    })
}

pub(super) fn stream(id: impl std::fmt::Display) -> StreamId {
    let stream: Result<_, InvalidStreamId> = StreamId::new("thing", id);
    valid(stream)
}

/// An event that no other event is.
pub(super) fn event() -> NewEvent {
    tagged("thing.noted", &[])
}

/// So many new events, not in the order of their ids.
pub(super) fn events(count: usize) -> Vec<NewEvent> {
    let mut events: Vec<_> = (0..count).map(|_| event()).collect();
    events.reverse();
    events
}

pub(super) fn tagged(name: &'static str, tags: &[&str]) -> NewEvent {
    let id = EventId::generate();
    NewEvent {
        id,
        name: name.into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from(format!("{{\"note\":\"{id}\"}}")),
        tags: tags.iter().map(|tag| Tag::from(*tag)).collect(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    }
}

/// A commit to the stream `thing/{id}`.
pub(super) fn commit(
    id: impl std::fmt::Display,
    expected: ExpectedVersion,
    events: Vec<NewEvent>,
) -> Commit {
    let commit: Result<_, InvalidCommit> = Commit::new(stream(id), expected, events);
    valid(commit)
}

/// A commit of one new event, whatever the version.
pub(super) fn note(id: impl std::fmt::Display) -> Commit {
    commit(id, ExpectedVersion::Any, events(1))
}

pub(super) const fn exact(version: u64) -> ExpectedVersion {
    ExpectedVersion::Exact(Version::new(version))
}

pub(super) fn numbered_id(number: u128) -> EventId {
    EventId::from_uuid(Uuid::from_u128(number))
}
