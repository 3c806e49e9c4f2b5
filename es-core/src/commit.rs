//! Commits: what is appended, all or nothing.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;

use crate::event_set::EncodedEvent;
use crate::identity::EventId;
use crate::metadata::Metadata;
use crate::query::Query;
use crate::stream::StreamId;
use crate::tag::Tags;
use crate::version::{ExpectedVersion, Position, SchemaVersion, Version};

/// The largest payload of one event, in bytes: 16 MiB.
pub const MAX_PAYLOAD_BYTES: usize = 16 * 1024 * 1024;
/// The most events in one commit.
pub const MAX_COMMIT_EVENTS: usize = 100_000;
/// The longest stored name of an event, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;
/// The most tags of one event.
pub const MAX_TAGS: usize = 256;
/// The longest tag, in bytes.
pub const MAX_TAG_BYTES: usize = 1024;

/// An event that is to be recorded.
#[derive(Clone, PartialEq, Debug)]
pub struct NewEvent {
    /// Its identity.
    pub id: EventId,
    /// Its stored name.
    pub name: Cow<'static, str>,
    /// The schema that its payload is written with.
    pub schema_version: SchemaVersion,
    /// The encoded event.
    pub payload: Bytes,
    /// What queries can select it by.
    pub tags: Tags,
    /// When it happened in the business, if that is known.
    pub occurred_at: Option<Timestamp>,
    /// Who and what led to it.
    pub metadata: Metadata,
}

impl NewEvent {
    /// An encoded event with an identity and nothing else.
    pub fn new(id: EventId, event: EncodedEvent) -> Self {
        Self {
            id,
            name: Cow::Borrowed(event.name),
            schema_version: event.schema_version,
            payload: event.payload,
            tags: event.tags,
            occurred_at: None,
            metadata: Metadata::EMPTY,
        }
    }
}

/// The events that a commit adds to one stream, and the guard of that stream.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamAppend {
    /// The stream.
    pub stream: StreamId,
    /// What must hold of it.
    pub expected: ExpectedVersion,
    /// The events, in order.
    pub events: Vec<NewEvent>,
}

/// One or more events to one or more streams: all are recorded, or none.
///
/// A commit that exists is well formed: every store can rely on its [rules](InvalidCommit).
#[derive(Clone, PartialEq)]
pub struct Commit {
    first: StreamAppend,
    more: Vec<StreamAppend>,
    seen: Seen,
}

/// What a commit to several streams holds, so that a further one is not compared with each of them. It
/// is no part of the commit: copies are equal and go without.
#[derive(Default)]
struct Seen(Option<Box<Contents>>);

impl Clone for Seen {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Seen {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, more, .. } = self;
        formatter.debug_struct("Commit").field("first", first).field("more", more).finish()
    }
}

impl Commit {
    /// A commit to one stream.
    ///
    /// # Errors
    /// When the commit breaks a rule; see [`InvalidCommit`].
    pub fn new(
        stream: StreamId,
        expected: ExpectedVersion,
        events: Vec<NewEvent>,
    ) -> Result<Self, InvalidCommit> {
        let events = CheckedEvents::check(&stream, events)?;
        Ok(Self::of(stream, expected, events))
    }

    /// A commit of events that are checked.
    #[inline]
    pub(crate) fn of(stream: StreamId, expected: ExpectedVersion, events: CheckedEvents) -> Self {
        let first = StreamAppend { stream, expected, events: events.0 };
        Self { first, more: Vec::new(), seen: Seen::default() }
    }

    /// Extends the commit to another stream.
    ///
    /// # Errors
    /// When the commit then breaks a rule; see [`InvalidCommit`].
    pub fn and(
        mut self,
        stream: StreamId,
        expected: ExpectedVersion,
        events: Vec<NewEvent>,
    ) -> Result<Self, InvalidCommit> {
        check_each(&stream, &events)?;
        let mut seen = match self.seen.0.take() {
            Some(seen) => seen,
            None => Contents::of(&self)?,
        };
        seen.add(&stream, &events)?;
        self.more.push(StreamAppend { stream, expected, events });
        self.seen.0 = Some(seen);
        Ok(self)
    }

    /// The streams in the order they were given: at least one.
    pub fn streams(&self) -> impl Iterator<Item = &StreamAppend> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// The stream that was given first.
    pub fn first(&self) -> &StreamAppend {
        &self.first
    }

    /// The streams behind the first: none in most commits.
    pub fn further(&self) -> &[StreamAppend] {
        &self.more
    }

    /// The streams, owned.
    pub fn into_streams(self) -> impl Iterator<Item = StreamAppend> {
        std::iter::once(self.first).chain(self.more)
    }

    /// The stream that was given first, owned.
    #[inline]
    pub(crate) fn into_first(self) -> StreamAppend {
        self.first
    }

    /// How many events the commit adds: at least one.
    pub fn event_count(&self) -> usize {
        let more: usize = self.more.iter().map(|append| append.events.len()).sum();
        self.first.events.len() + more
    }
}

/// The streams and the events of a commit, each only once.
#[derive(Default)]
struct Contents {
    streams: HashSet<StreamId>,
    events: HashSet<EventId>,
}

impl Contents {
    fn of(commit: &Commit) -> Result<Box<Self>, InvalidCommit> {
        let mut contents = Box::<Self>::default();
        commit.streams().try_for_each(|append| contents.add(&append.stream, &append.events))?;
        Ok(contents)
    }

    fn add(&mut self, stream: &StreamId, events: &[NewEvent]) -> Result<(), InvalidCommit> {
        let count = self.events.len() + events.len();
        if count > MAX_COMMIT_EVENTS {
            return Err(InvalidCommit::TooManyEvents { count });
        }
        if !self.streams.insert(stream.clone()) {
            return Err(InvalidCommit::StreamTwice { stream: stream.clone() });
        }
        self.events.reserve(events.len());
        match events.iter().find(|event| !self.events.insert(event.id)) {
            Some(event) => Err(InvalidCommit::EventTwice { event_id: event.id }),
            None => Ok(()),
        }
    }
}

/// The events of a commit to one stream, which keep its [rules](InvalidCommit).
pub(crate) struct CheckedEvents(Vec<NewEvent>);

impl CheckedEvents {
    pub(crate) fn check(stream: &StreamId, events: Vec<NewEvent>) -> Result<Self, InvalidCommit> {
        check_each(stream, &events)?;
        // One event has nothing to be compared with, and is the common case.
        if events.len() > 1 {
            Contents::default().add(stream, &events)?;
        }
        Ok(Self(events))
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[NewEvent] {
        &self.0
    }

    #[cfg(feature = "testing")]
    pub(crate) fn into_vec(self) -> Vec<NewEvent> {
        self.0
    }
}

fn check_each(stream: &StreamId, events: &[NewEvent]) -> Result<(), InvalidCommit> {
    if events.is_empty() {
        return Err(InvalidCommit::NoEvents { stream: stream.clone() });
    }
    for (index, event) in events.iter().enumerate() {
        if let Err(problem) = check_event(event) {
            let (stream, name) = (stream.clone(), event.name.to_string());
            return Err(InvalidCommit::Event { stream, index, name, problem });
        }
    }
    Ok(())
}

fn check_event(event: &NewEvent) -> Result<(), InvalidEvent> {
    if event.name.is_empty() {
        return Err(InvalidEvent::EmptyName);
    }
    if event.name.len() > MAX_NAME_BYTES {
        return Err(InvalidEvent::LongName { bytes: event.name.len() });
    }
    if event.payload.len() > MAX_PAYLOAD_BYTES {
        return Err(InvalidEvent::LargePayload { bytes: event.payload.len() });
    }
    let tags = event.tags.as_slice();
    if tags.len() > MAX_TAGS {
        return Err(InvalidEvent::ManyTags { count: tags.len() });
    }
    match tags.iter().find(|tag| tag.as_str().is_empty() || tag.as_str().len() > MAX_TAG_BYTES) {
        Some(tag) => Err(InvalidEvent::Tag { bytes: tag.as_str().len() }),
        None => Ok(()),
    }
}

/// A commit that no store would take.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCommit {
    /// A stream is to get no event.
    #[error("a commit to stream `{stream}` has no event; append at least one")]
    NoEvents {
        /// The stream.
        stream: StreamId,
    },
    /// A stream stands in the commit twice.
    #[error("stream `{stream}` stands in one commit twice; give it all its events at once")]
    StreamTwice {
        /// The stream.
        stream: StreamId,
    },
    /// An event id stands in the commit twice.
    #[error("event id {event_id} stands in one commit twice; every event needs its own")]
    EventTwice {
        /// The id.
        event_id: EventId,
    },
    /// There are too many events.
    #[error("a commit of {count} events; split it, at most {MAX_COMMIT_EVENTS} fit")]
    TooManyEvents {
        /// How many.
        count: usize,
    },
    /// An event is not well formed.
    #[error("event {index} (`{name}`) for stream `{stream}`: {problem}")]
    Event {
        /// The stream it is for.
        stream: StreamId,
        /// Which of the events for that stream, counted from zero.
        index: usize,
        /// Its stored name.
        name: String,
        /// What is wrong.
        problem: InvalidEvent,
    },
}

/// What is wrong with an event that no store would take.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// It has no name.
    #[error("its stored name is empty")]
    EmptyName,
    /// Its name is too long.
    #[error("its stored name has {bytes} bytes, at most {MAX_NAME_BYTES} are allowed")]
    LongName {
        /// How long.
        bytes: usize,
    },
    /// Its payload is too large.
    #[error(
        "its payload has {bytes} bytes, at most {MAX_PAYLOAD_BYTES} are allowed; store large documents elsewhere and their digest here"
    )]
    LargePayload {
        /// How large.
        bytes: usize,
    },
    /// It has too many tags.
    #[error("it has {count} tags, at most {MAX_TAGS} are allowed")]
    ManyTags {
        /// How many.
        count: usize,
    },
    /// A tag is empty or too long.
    #[error("it has a tag of {bytes} bytes, 1 to {MAX_TAG_BYTES} are allowed")]
    Tag {
        /// How long.
        bytes: usize,
    },
}

/// "Fail if an event that matches this query exists after this position": the guard of a decision
/// that was made on events of several streams.
#[derive(Clone, PartialEq, Debug)]
pub struct AppendCondition {
    /// What must not be there.
    pub query: Query,
    /// Where to begin: events at or below this position are not looked at. Without it any match
    /// fails. Use [`QueryPage::token`](crate::QueryPage::token) of the read that the decision saw.
    pub after: Option<Position>,
}

/// What a store answers to a commit that it has stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Appended {
    /// The position of the commit's first event.
    pub first_position: Position,
    /// The position of the commit's last event; between them are the others, in order.
    pub last_position: Position,
    /// The version of the commit's first stream after it.
    pub version: Version,
    /// The versions of its other streams after it, in order.
    pub more_versions: Vec<Version>,
    /// Whether the commit was stored before, so that this answer repeats the first one.
    pub repeated: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u128) -> NewEvent {
        NewEvent {
            id: EventId::from_uuid(uuid::Uuid::from_u128(id)),
            name: "noted".into(),
            schema_version: SchemaVersion::FIRST,
            payload: Bytes::new(),
            tags: Tags::new(),
            occurred_at: None,
            metadata: Metadata::EMPTY,
        }
    }

    fn stream(id: u32) -> StreamId {
        StreamId::new("note", id).unwrap()
    }

    fn commit(events: Vec<NewEvent>) -> Result<Commit, InvalidCommit> {
        Commit::new(stream(1), ExpectedVersion::Any, events)
    }

    #[test]
    fn a_commit_that_breaks_a_rule_is_refused_with_the_rule_and_the_place() {
        let long = "n".repeat(MAX_NAME_BYTES + 1);
        let cases = [
            (commit(vec![]), "a commit to stream `note/1` has no event; append at least one"),
            (
                commit(vec![event(1), event(1)]),
                "event id 00000000-0000-0000-0000-000000000001 stands in one commit twice; every event needs its own",
            ),
            (
                commit(vec![event(1)]).unwrap().and(
                    stream(1),
                    ExpectedVersion::Any,
                    vec![event(2)],
                ),
                "stream `note/1` stands in one commit twice; give it all its events at once",
            ),
            (
                commit(vec![event(1), NewEvent { name: "".into(), ..event(2) }]),
                "event 1 (``) for stream `note/1`: its stored name is empty",
            ),
            (
                commit(vec![NewEvent {
                    tags: [crate::Tag::from("")].into_iter().collect(),
                    ..event(2)
                }]),
                "event 0 (`noted`) for stream `note/1`: it has a tag of 0 bytes, 1 to 1024 are allowed",
            ),
            (
                commit(vec![NewEvent {
                    payload: vec![0; MAX_PAYLOAD_BYTES + 1].into(),
                    ..event(2)
                }]),
                "event 0 (`noted`) for stream `note/1`: its payload has 16777217 bytes, at most 16777216 are allowed; store large documents elsewhere and their digest here",
            ),
            (
                commit((0..=MAX_COMMIT_EVENTS as u128).map(event).collect()),
                "a commit of 100001 events; split it, at most 100000 fit",
            ),
        ];
        for (refused, message) in cases {
            assert_eq!(refused.unwrap_err().to_string(), message);
        }
        assert!(commit(vec![NewEvent { name: long.into(), ..event(1) }]).is_err());
        assert!(
            commit(vec![NewEvent { name: "n".repeat(MAX_NAME_BYTES).into(), ..event(1) }]).is_ok()
        );
    }

    #[test]
    fn a_commit_to_many_streams_is_checked_as_a_whole() {
        const STREAMS: u32 = 20_000;
        let grown = |commit: Commit, id: u32| {
            commit.and(stream(id), ExpectedVersion::Any, vec![event(id.into())])
        };
        let mut many = Commit::new(stream(0), ExpectedVersion::Any, vec![event(0)]).unwrap();
        for id in 1..STREAMS {
            many = grown(many, id).unwrap();
        }
        // A copy has nothing to go by but itself.
        for commit in [many.clone(), many] {
            assert_eq!(commit.event_count(), STREAMS as usize);
            let twice = grown(commit.clone(), 7).unwrap_err();
            assert!(matches!(twice, InvalidCommit::StreamTwice { stream: it } if it == stream(7)));
            let reused = vec![event(STREAMS.into()), event(9)];
            let reused = commit.and(stream(STREAMS), ExpectedVersion::Any, reused).unwrap_err();
            assert_eq!(reused, InvalidCommit::EventTwice { event_id: event(9).id });
        }
    }

    #[test]
    fn a_commit_knows_its_streams_in_the_order_they_were_given() {
        let commit = commit(vec![event(1)]).unwrap();
        let commit = commit.and(stream(2), ExpectedVersion::Any, vec![event(2), event(3)]).unwrap();
        let ids: Vec<_> = commit.streams().map(|append| append.stream.id()).collect();
        assert_eq!((ids, commit.event_count()), (vec!["1", "2"], 3));
    }
}
