//! Recorded events: what a store gives back, one by one or in pages.

use bytes::Bytes;
use jiff::Timestamp;

use crate::identity::EventId;
use crate::metadata::Metadata;
use crate::stream::{StreamId, StreamRef};
use crate::tag::{Tag, Tags};
use crate::version::{Position, SchemaVersion, Version};

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
    pub payload: &'a [u8],
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
            payload: Bytes::copy_from_slice(self.payload),
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
            payload: &self.payload,
            tags: self.tags.as_slice(),
            recorded_at: self.recorded_at,
            occurred_at: self.occurred_at,
            metadata: &self.metadata,
        }
    }
}

/// A run of recorded events in one allocation for their bytes and one for their places.
///
/// A store fills a page with [`push`](Page::push); readers go over it with [`iter`](Page::iter).
/// Names and payloads are copied once, into a buffer that all events of the page share.
#[derive(Clone, Default, Debug)]
pub struct Page {
    entries: Vec<Entry>,
    /// Names of streams and events.
    text: String,
    payloads: Vec<u8>,
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
    schema_version: SchemaVersion,
    stream_start: usize,
    stream_bytes: usize,
    category_bytes: usize,
    name_start: usize,
    name_bytes: usize,
    payload_end: usize,
    payload_bytes: usize,
    extra: Option<usize>,
}

static NO_METADATA: Metadata = Metadata::EMPTY;

impl Page {
    /// An empty page with room for so many `events`.
    pub fn with_capacity(events: usize) -> Self {
        Self { entries: Vec::with_capacity(events), ..Self::default() }
    }

    /// Copies an event to the end of the page.
    pub fn push(&mut self, recorded: Recorded<'_>) {
        let (stream, category_bytes) = recorded.stream.parts();
        // Events of one stream follow each other in a read of it: its name is kept once.
        let stream_start = match self.entries.last() {
            Some(last) if self.stream_text(last) == stream => last.stream_start,
            _ => self.append_text(stream),
        };
        let name_start = self.append_text(recorded.name);
        self.payloads.extend_from_slice(recorded.payload);
        let extra = (!recorded.tags.is_empty() || !recorded.metadata.is_empty()).then(|| {
            self.extras.push((recorded.tags.iter().cloned().collect(), recorded.metadata.clone()));
            self.extras.len() - 1
        });
        self.entries.push(Entry {
            position: recorded.position,
            version: recorded.version,
            event_id: recorded.event_id,
            recorded_at: recorded.recorded_at,
            occurred_at: recorded.occurred_at,
            schema_version: recorded.schema_version,
            stream_start,
            stream_bytes: stream.len(),
            category_bytes,
            name_start,
            name_bytes: recorded.name.len(),
            payload_end: self.payloads.len(),
            payload_bytes: recorded.payload.len(),
            extra,
        });
    }

    /// How many events the page holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes of names and payloads the page holds.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.payloads.len()
    }

    /// The events in the order of the read.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Recorded<'_>> + ExactSizeIterator {
        self.entries.iter().map(|entry| self.view(entry))
    }

    /// The last event.
    pub fn last(&self) -> Option<Recorded<'_>> {
        self.entries.last().map(|entry| self.view(entry))
    }

    fn append_text(&mut self, text: &str) -> usize {
        let start = self.text.len();
        self.text.push_str(text);
        start
    }

    fn stream_text(&self, entry: &Entry) -> &str {
        &self.text[entry.stream_start..entry.stream_start + entry.stream_bytes]
    }

    fn view(&self, entry: &Entry) -> Recorded<'_> {
        let (tags, metadata) = match entry.extra {
            Some(extra) => (self.extras[extra].0.as_slice(), &self.extras[extra].1),
            None => (&[][..], &NO_METADATA),
        };
        Recorded {
            position: entry.position,
            stream: StreamRef::from_parts(self.stream_text(entry), entry.category_bytes),
            version: entry.version,
            event_id: entry.event_id,
            name: &self.text[entry.name_start..entry.name_start + entry.name_bytes],
            schema_version: entry.schema_version,
            payload: &self.payloads[entry.payload_end - entry.payload_bytes..entry.payload_end],
            tags,
            recorded_at: entry.recorded_at,
            occurred_at: entry.occurred_at,
            metadata,
        }
    }
}

impl<'a> FromIterator<Recorded<'a>> for Page {
    fn from_iter<I: IntoIterator<Item = Recorded<'a>>>(events: I) -> Self {
        let mut page = Self::default();
        for recorded in events {
            page.push(recorded);
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
