//! Events as a store gives them back, put together by hand.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use es_core::jiff::Timestamp;
use es_core::{
    EventId, EventSet, Metadata, NewEvent, Position, RecordedEvent, SchemaVersion, Tags, Version,
};

/// An event that was recorded with a name, a schema version and a payload.
pub fn recorded(name: &str, schema_version: u32, payload: &str) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(70),
        stream: "account/7".parse().unwrap_or_else(|error| panic!("{error}")),
        version: Version::new(3),
        event_id: EventId::from_uuid(es_core::uuid::Uuid::nil()),
        name: name.to_owned(),
        schema_version: SchemaVersion::try_from(schema_version)
            .unwrap_or_else(|error| panic!("{error}")),
        payload: payload.as_bytes().to_vec().into(),
        tags: Tags::new(),
        recorded_at: Timestamp::constant(946_684_800, 0),
        occurred_at: None,
        metadata: Metadata::default().with_actor("teller 7"),
    }
}

/// What a set reads of such an event: its events, or the error's text.
pub fn read<S: EventSet>(name: &str, schema_version: u32, payload: &str) -> Result<Vec<S>, String> {
    match S::decode(&recorded(name, schema_version, payload).as_recorded()) {
        Ok(decoded) => Ok(decoded.into_vec()),
        Err(error) => Err(error.to_string()),
    }
}

/// An event that is to be recorded as an older program would have.
pub fn older(name: &'static str, schema_version: u32, payload: &str) -> NewEvent {
    let recorded = recorded(name, schema_version, payload);
    NewEvent {
        id: EventId::from_uuid(es_core::uuid::Uuid::from_u128(fresh())),
        name: name.into(),
        schema_version: recorded.schema_version,
        payload: recorded.payload,
        tags: Tags::new(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    }
}

fn fresh() -> u128 {
    use std::sync::atomic::{AtomicU64, Ordering};

    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed).into()
}
