//! Recorded events: what a store gives back, one by one or in pages.

mod block;
mod page;

use bytes::Bytes;
use jiff::Timestamp;

use crate::identity::EventId;
use crate::metadata::Metadata;
use crate::stream::{StreamId, StreamRef};
use crate::tag::{Tag, Tags};
use crate::version::{Position, SchemaVersion, Version};

pub use self::block::{Alike, EventBlock};
pub use self::page::{Page, PageBuilder};

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
