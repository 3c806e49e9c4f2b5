//! The memory store is held to the contracts of its ports.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use es_core::{
    Clock, Commit, EventId, EventStore, ExpectedVersion, FixedClock, Metadata, NewEvent,
};
use es_core::{Query, QueryRange, SchemaVersion, StreamId, Tags};
use es_memory_store::MemoryStore;

es_core::conformance::store_tests!(
    || async { MemoryStore::new() } =>
    EventStore, ConditionalAppend, StreamRemoval, StateStore, RecordedAppend, ProjectionStore,
    InlineStore, InlineConditionalAppend, InlineRecordedAppend,
    FencedStore, FencedConditionalAppend, FencedRecordedAppend
);

/// What the suite can not know: it has no hold of the clock.
#[tokio::test]
async fn recorded_at_does_not_fall_when_the_clock_is_set_back() {
    let clock = Arc::new(FixedClock::at("2026-01-01T00:00:00.5Z".parse().unwrap()));
    let store = MemoryStore::with_clock(Arc::clone(&clock));
    let start = clock.now();
    for now in [start, start - Duration::from_secs(3600), start + Duration::from_secs(1)] {
        clock.set(now);
        let event = NewEvent {
            id: EventId::generate(),
            name: "noted".into(),
            schema_version: SchemaVersion::FIRST,
            payload: es_core::bytes::Bytes::new(),
            tags: Tags::new(),
            occurred_at: None,
            metadata: Metadata::EMPTY,
        };
        let stream = StreamId::new("thing", 1).unwrap();
        let commit = Commit::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
        store.append(&commit).await.unwrap();
    }
    let page = store.read(&Query::all(), QueryRange::all()).await.unwrap();
    let times: Vec<_> = page.events.iter().map(|event| event.recorded_at).collect();
    assert_eq!(times, [start, start, start + Duration::from_secs(1)]);
}
