//! Recorded events: what a store gives back, one by one or in pages.

use bytes::Bytes;
use jiff::Timestamp;

use crate::identity::EventId;
use crate::metadata::Metadata;
use crate::stream::{StreamId, StreamRef};
use crate::tag::{Tag, Tags};
use crate::version::{Position, SchemaVersion, Version};

/// The bytes of an encoded event: as text if the store has it as text, so that a codec of text need
/// not look at every byte again.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes that may be text or not.
    Bytes(&'a [u8]),
}

impl<'a> Payload<'a> {
    /// The bytes.
    #[inline]
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// Payloads are equal when their bytes are.
impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a str> for Payload<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

/// A stored event with everything that is known about it, borrowed from the [`Page`] it came in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Recorded<'a> {
    /// Its place in the global order.
    pub position: Position,
    /// Its stream.
    pub stream: StreamRef<'a>,
    /// Its place in the stream.
    pub version: Version,
    /// Its identity.
    pub event_id: EventId,
    /// Its stored name.
    pub name: &'a str,
    /// The schema that its payload was written with.
    pub schema_version: SchemaVersion,
    /// The encoded event.
    pub payload: Payload<'a>,
    /// Its tags, sorted.
    pub tags: &'a [Tag],
    /// When the store recorded it. Never earlier than the event before it.
    pub recorded_at: Timestamp,
    /// When it happened in the business, if the command said so.
    pub occurred_at: Option<Timestamp>,
    /// Who and what led to it.
    pub metadata: &'a Metadata,
}

impl Recorded<'_> {
    /// When it happened: in the business if that is known, else when it was recorded.
    pub fn happened_at(&self) -> Timestamp {
        self.occurred_at.unwrap_or(self.recorded_at)
    }

    /// A copy that owns its parts.
    pub fn to_event(&self) -> RecordedEvent {
        RecordedEvent {
            position: self.position,
            stream: self.stream.to_stream_id(),
            version: self.version,
            event_id: self.event_id,
            name: self.name.to_owned(),
            schema_version: self.schema_version,
            payload: Bytes::copy_from_slice(self.payload.as_bytes()),
            tags: self.tags.iter().cloned().collect(),
            recorded_at: self.recorded_at,
            occurred_at: self.occurred_at,
            metadata: self.metadata.clone(),
        }
    }
}

/// A stored event that owns its parts; the fields are those of [`Recorded`].
#[derive(Clone, PartialEq, Debug)]
pub struct RecordedEvent {
    /// Its place in the global order.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in the stream.
    pub version: Version,
    /// Its identity.
    pub event_id: EventId,
    /// Its stored name.
    pub name: String,
    /// The schema that its payload was written with.
    pub schema_version: SchemaVersion,
    /// The encoded event.
    pub payload: Bytes,
    /// Its tags, sorted.
    pub tags: Tags,
    /// When the store recorded it.
    pub recorded_at: Timestamp,
    /// When it happened in the business, if the command said so.
    pub occurred_at: Option<Timestamp>,
    /// Who and what led to it.
    pub metadata: Metadata,
}

impl RecordedEvent {
    /// The borrowed view.
    pub fn as_recorded(&self) -> Recorded<'_> {
        Recorded {
            position: self.position,
            stream: self.stream.borrowed(),
            version: self.version,
            event_id: self.event_id,
            name: &self.name,
            schema_version: self.schema_version,
            payload: Payload::Bytes(&self.payload),
            tags: self.tags.as_slice(),
            recorded_at: self.recorded_at,
            occurred_at: self.occurred_at,
            metadata: &self.metadata,
        }
    }
}

/// A run of recorded events: one allocation for what each has of its own, one for their names, one
/// for their payloads. Readers go over it with [`iter`](Page::iter); a store makes it with a
/// [`PageBuilder`].
#[derive(Clone, Default, Debug)]
pub struct Page {
    entries: Vec<Entry>,
    names: String,
    payloads: Payloads,
    /// Tags and metadata, which most events of most stores do not have.
    extras: Vec<(Tags, Metadata)>,
}

#[derive(Clone, Debug)]
struct Entry {
    position: Position,
    version: Version,
    event_id: EventId,
    recorded_at: Timestamp,
    occurred_at: Option<Timestamp>,
    stream: Range,
    name: Range,
    payload: Range,
    schema_version: SchemaVersion,
    category_bytes: u32,
    /// The index of the extra plus one; zero if there is none.
    extra: u32,
}

/// A part of the texts or payloads. It may begin beyond 4 GiB; no text of an event is that long.
#[derive(Clone, Copy, Debug)]
struct Range {
    /// The low and the high half of where it begins, so that an entry has no gaps.
    start: [u32; 2],
    length: u32,
}

impl Range {
    #[inline]
    fn new(start: usize, length: usize) -> Self {
        Self { start: [start as u32, (start as u64 >> 32) as u32], length: length as u32 }
    }

    #[inline]
    fn all(self) -> std::ops::Range<usize> {
        let [low, high] = self.start;
        let start = (u64::from(high) << 32 | u64::from(low)) as usize;
        start..start + self.length as usize
    }
}

#[derive(Clone, Debug)]
enum Payloads {
    Text(String),
    Bytes(Vec<u8>),
}

impl Default for Payloads {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

static NO_METADATA: Metadata = Metadata::EMPTY;

impl Page {
    /// How many events the page holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes the payloads have together.
    pub(crate) fn payload_bytes(&self) -> usize {
        match &self.payloads {
            Payloads::Text(text) => text.len(),
            Payloads::Bytes(bytes) => bytes.len(),
        }
    }

    /// The events in the order of the read.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Recorded<'_>> + ExactSizeIterator {
        self.entries.iter().map(|entry| self.view(entry))
    }

    /// The events at these places, which are counted from zero.
    #[inline]
    pub(crate) fn part(
        &self,
        places: std::ops::Range<usize>,
    ) -> impl ExactSizeIterator<Item = Recorded<'_>> {
        self.entries.get(places).unwrap_or_default().iter().map(|entry| self.view(entry))
    }

    /// The last event.
    pub fn last(&self) -> Option<Recorded<'_>> {
        self.entries.last().map(|entry| self.view(entry))
    }

    #[inline]
    fn view(&self, entry: &Entry) -> Recorded<'_> {
        let (tags, metadata) = match (entry.extra as usize).checked_sub(1) {
            Some(extra) => (self.extras[extra].0.as_slice(), &self.extras[extra].1),
            None => (&[][..], &NO_METADATA),
        };
        let payload = match &self.payloads {
            Payloads::Text(text) => Payload::Text(&text[entry.payload.all()]),
            Payloads::Bytes(bytes) => Payload::Bytes(&bytes[entry.payload.all()]),
        };
        let stream = &self.names[entry.stream.all()];
        Recorded {
            position: entry.position,
            stream: StreamRef::from_parts(stream, entry.category_bytes as usize),
            version: entry.version,
            event_id: entry.event_id,
            name: &self.names[entry.name.all()],
            schema_version: entry.schema_version,
            payload,
            tags,
            recorded_at: entry.recorded_at,
            occurred_at: entry.occurred_at,
            metadata,
        }
    }
}

/// Makes a [`Page`] of events that are copied into it one after another.
#[derive(Default, Debug)]
pub struct PageBuilder {
    entries: Vec<Entry>,
    names: String,
    payloads: Vec<u8>,
    extras: Vec<(Tags, Metadata)>,
}

impl PageBuilder {
    /// An empty page with room for so many `events`.
    pub fn with_capacity(events: usize) -> Self {
        Self { entries: Vec::with_capacity(events), ..Self::default() }
    }

    /// Copies an event to the end of the page.
    #[inline]
    pub fn push(&mut self, recorded: Recorded<'_>) {
        let (stream, category_bytes) = recorded.stream.parts();
        // Events of one stream follow each other in a read of it, and events of one name do anywhere:
        // a text that is the same as before is kept once.
        let (stream, name) = match self.entries.last() {
            Some(&Entry { stream: last_stream, name: last_name, .. }) => {
                (self.name_again(last_stream, stream), self.name_again(last_name, recorded.name))
            }
            None => (self.push_name(stream), self.push_name(recorded.name)),
        };
        let payload = recorded.payload.as_bytes();
        let place = Range::new(self.payloads.len(), payload.len());
        self.payloads.extend_from_slice(payload);
        let plain = recorded.tags.is_empty() && recorded.metadata.is_empty();
        let extra = if plain { 0 } else { self.push_extra(&recorded) };
        self.entries.push(Entry {
            position: recorded.position,
            version: recorded.version,
            event_id: recorded.event_id,
            recorded_at: recorded.recorded_at,
            occurred_at: recorded.occurred_at,
            stream,
            name,
            payload: place,
            schema_version: recorded.schema_version,
            category_bytes: category_bytes as u32,
            extra,
        });
    }

    /// How many events the page holds so far.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none so far.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes of names and payloads the page holds so far.
    pub fn bytes(&self) -> usize {
        self.names.len() + self.payloads.len()
    }

    /// The page.
    pub fn build(self) -> Page {
        // Looked at once and together: that is many times cheaper than one by one when they are read.
        let payloads = match String::from_utf8(self.payloads) {
            Ok(text)
                if self.entries.iter().all(|it| text.is_char_boundary(it.payload.all().end)) =>
            {
                Payloads::Text(text)
            }
            Ok(text) => Payloads::Bytes(text.into_bytes()),
            Err(error) => Payloads::Bytes(error.into_bytes()),
        };
        Page { entries: self.entries, names: self.names, payloads, extras: self.extras }
    }

    #[inline]
    fn name_again(&mut self, last: Range, name: &str) -> Range {
        if self.names[last.all()] == *name { last } else { self.push_name(name) }
    }

    #[inline]
    fn push_name(&mut self, name: &str) -> Range {
        let range = Range::new(self.names.len(), name.len());
        self.names.push_str(name);
        range
    }

    #[cold]
    fn push_extra(&mut self, recorded: &Recorded<'_>) -> u32 {
        self.extras.push((recorded.tags.iter().cloned().collect(), recorded.metadata.clone()));
        self.extras.len() as u32
    }
}

impl<'a> FromIterator<Recorded<'a>> for Page {
    fn from_iter<I: IntoIterator<Item = Recorded<'a>>>(events: I) -> Self {
        let mut page = PageBuilder::default();
        for recorded in events {
            page.push(recorded);
        }
        page.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_that_are_text_only_together_come_back_as_the_bytes_they_are() {
        let event = RecordedEvent {
            position: Position::new(1),
            stream: "a/1".parse().unwrap(),
            version: Version::new(1),
            event_id: EventId::generate(),
            name: "n".to_owned(),
            schema_version: SchemaVersion::FIRST,
            payload: Bytes::new(),
            tags: Tags::new(),
            recorded_at: Timestamp::UNIX_EPOCH,
            occurred_at: None,
            metadata: Metadata::EMPTY,
        };
        // The two bytes of one letter, and a byte that is never text.
        for payloads in [[&[0xc5][..], &[0xbe]], [b"{}", &[0xff]], [b"{}", b"[]"]] {
            let events = payloads.map(|payload| RecordedEvent {
                payload: Bytes::from_static(payload),
                ..event.clone()
            });
            let page: Page = events.iter().map(RecordedEvent::as_recorded).collect();
            let back: Vec<_> = page.iter().map(|recorded| recorded.payload.as_bytes()).collect();
            assert_eq!(back, payloads);
        }
    }

    #[test]
    fn a_page_gives_back_what_was_pushed() {
        let event =
            |version: u64, stream: &str, payload: &'static str, tags: &[&str]| RecordedEvent {
                position: Position::new(version + 10),
                stream: stream.parse().unwrap(),
                version: Version::new(version),
                event_id: EventId::generate(),
                name: format!("name {version}"),
                schema_version: SchemaVersion::FIRST,
                payload: Bytes::from_static(payload.as_bytes()),
                tags: tags.iter().map(|tag| Tag::from(*tag)).collect(),
                recorded_at: Timestamp::UNIX_EPOCH,
                occurred_at: (version == 2).then_some(Timestamp::MAX),
                metadata: if version == 3 {
                    Metadata::default().with_actor("a")
                } else {
                    Metadata::EMPTY
                },
            };
        let events = [
            event(1, "account/1", "{}", &[]),
            event(2, "account/1", "", &["b", "a"]),
            event(3, "account/10", "\"ž\"", &[]),
            event(4, "a/account/1", "{}", &["c"]),
        ];
        let page: Page = events.iter().map(RecordedEvent::as_recorded).collect();
        let back: Vec<_> = page.iter().map(|recorded| recorded.to_event()).collect();
        assert_eq!(back, events);
        assert_eq!(page.last().map(|recorded| recorded.version), Some(Version::new(4)));
        assert_eq!((page.len(), page.is_empty()), (4, false));
    }
}
