//! Recorded payloads, sent through today's steps.

use bytes::Bytes;
use es_lock::Outcome;
use jiff::Timestamp;

use super::locked_event::LockedEvent;
use crate::codec::CodecError;
use crate::event::{Event, EventType};
use crate::event_set::{self, DecodeError, Decoded, EncodeError, EncodedEvent, EventSet, Reading};
use crate::identity::EventId;
use crate::metadata::Metadata;
use crate::recorded::{Payload, Recorded};
use crate::stream::StreamRef;
use crate::tag::Tags;
use crate::version::{Position, SchemaVersion, Version};

/// An event that was read, written again. As a set it has every event of the crate under test.
pub(super) struct Replayed {
    event: &'static EventType,
    payload: Result<Vec<u8>, CodecError>,
}

impl<E: Event> From<E> for Replayed {
    fn from(event: E) -> Self {
        Self {
            event: &<E as crate::__private::ListedEvent>::TYPE,
            payload: crate::__private::encoded(event),
        }
    }
}

impl EventSet for Replayed {
    // Which there are is known to the test alone.
    const EVENTS: &'static [EventType] = &[];

    fn event_type(&self) -> &'static EventType {
        self.event
    }

    fn encode(&self, _: &mut Vec<u8>) -> Result<EncodedEvent, EncodeError> {
        match &self.payload {
            Ok(payload) => Ok(event_set::written(self.event, Tags::new(), payload)),
            Err(error) => Err(event_set::not_written(self.event, error.clone())),
        }
    }

    fn holds(name: &str) -> bool {
        named(name).is_some()
    }

    fn read(reading: &Reading<'_>) -> Result<Decoded<Self>, DecodeError> {
        match named(reading.name) {
            Some(event) => (event.read)(reading),
            None => Err(event_set::unknown_event::<Self>(reading.recorded)),
        }
    }
}

/// The event of the crate that reads what is stored under the name.
pub(super) fn named(name: &str) -> Option<LockedEvent> {
    LockedEvent::all().into_iter().find(|event| {
        event.event_type().name() == name || event.event_type().aliases().contains(&name)
    })
}

/// What a payload becomes today.
pub(super) fn replay(name: &str, version: u32, payload: &[u8]) -> Result<Vec<Outcome>, String> {
    let schema_version = SchemaVersion::try_from(version).map_err(|error| error.to_string())?;
    let metadata = Metadata::default();
    let payload = Bytes::copy_from_slice(payload);
    // Steps may look at when and by whom an event was recorded. It is the same in every run.
    let recorded = Recorded {
        position: Position::new(1),
        stream: StreamRef::from_parts("lock/1", "lock".len()),
        version: Version::new(1),
        event_id: EventId::from_uuid(uuid::Uuid::from_u128(1)),
        name,
        schema_version,
        payload: Payload::Bytes(&payload),
        tags: &[],
        recorded_at: Timestamp::UNIX_EPOCH,
        occurred_at: None,
        metadata: &metadata,
    };
    let events = Replayed::decode(&recorded).map_err(|error| error.to_string())?;
    let outcomes = events.into_vec().into_iter().map(|replayed| {
        let payload = replayed.payload.map_err(|error| error.to_string())?;
        let (event, version) = (replayed.event.name().to_owned(), replayed.event.version().get());
        Ok(Outcome { event, version, payload })
    });
    outcomes.collect()
}
