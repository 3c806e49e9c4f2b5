//! What lies ahead of a projection is read and decoded by other threads: it is applied in order, once,
//! and nothing is left of them when the projection ends.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use es_core::bytes::Bytes;
use es_core::prelude::*;
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Position, ProjectionState,
    Registry, RegistryBuilder, Runtime, SchemaVersion, StreamId, Tags,
};
use es_memory_store::MemoryStore;
use es_tests::list_store::ListStore;
use es_tests::tally::digest;
use serde::Deserializer;

/// The number that can not be read.
const SPITEFUL: u64 = 9_000;

/// A number whose `Deserialize` has a bug.
#[derive(EventData, Serialize, Debug, Clone, PartialEq)]
struct Number(u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        assert_ne!(number, SPITEFUL, "a number that nobody likes");
        Ok(Self(number))
    }
}

#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[event(name = "page.written")]
struct Written {
    number: Number,
    text: String,
}

/// All pages, in memory.
#[derive(Projection, Default)]
#[projection(name = "book", events(Written), register = false)]
struct Book {
    pages: u64,
    bytes: usize,
    digest: u64,
}

impl Project<Written> for Book {
    fn project(&mut self, event: &Written, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.pages += 1;
        self.bytes += event.text.len();
        self.digest = digest(self.digest, recorded.position);
        Ok(())
    }
}

/// The same in a document of each book.
#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "books", events(Written), documents, register = false)]
struct Books {
    pages: u64,
    bytes: usize,
    digest: u64,
}

impl Project<Written> for Books {
    fn project(&mut self, event: &Written, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.pages += 1;
        self.bytes += event.text.len();
        self.digest = digest(self.digest, recorded.position);
        Ok(())
    }
}

/// Documents whose key stands in the event: one that can not be read parks all of them.
#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "shelf", events(Written), documents(key = book), register = false)]
struct Shelf {
    pages: u64,
}

fn book(event: &ShelfEvent, _: &Recorded<'_>) -> [u64; 1] {
    let ShelfEvent::Written(written) = event;
    [written.number.0 % 3]
}

impl Project<Written> for Shelf {
    fn project(&mut self, _: &Written, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.pages += 1;
        Ok(())
    }
}

/// Most are short, some long, and some so long that they fill a piece alone.
fn length(number: u64) -> usize {
    match number % 1_000 {
        3 => 100_000,
        index if index % 100 == 7 => 5_000,
        index => (index % 10) as usize,
    }
}

async fn write<S: EventStore>(store: &S, numbers: std::ops::Range<u64>) {
    let numbers: Vec<_> = numbers.collect();
    for numbers in numbers.chunks(500) {
        let events = numbers.iter().map(|&number| {
            let event = Written { number: Number(number), text: "x".repeat(length(number)) };
            NewEvent {
                id: EventId::generate(),
                name: Written::NAME.into(),
                schema_version: SchemaVersion::FIRST,
                payload: Bytes::from(serde_json::to_vec(&event).unwrap()),
                tags: Tags::new(),
                occurred_at: None,
                metadata: Metadata::EMPTY,
            }
        });
        let stream = StreamId::new("book", 1).unwrap();
        let commit = Commit::new(stream, ExpectedVersion::Any, events.collect()).unwrap();
        store.append(&commit).await.unwrap();
    }
}

fn both() -> RegistryBuilder {
    Registry::builder().projection::<Book>().projection::<Books>()
}

async fn start<S: EventStore>(store: &Arc<S>, registry: RegistryBuilder) -> Runtime<S> {
    let registry = registry.build().unwrap();
    Runtime::builder_shared(Arc::clone(store)).registry(registry).start().await.unwrap()
}

const PATIENCE: Duration = Duration::from_secs(60);

/// What both projections must hold.
async fn assert_both_hold<S: EventStore>(runtime: &Runtime<S>, numbers: impl Iterator<Item = u64>) {
    let numbers: Vec<_> = numbers.collect();
    let pages = numbers.len() as u64;
    let bytes = numbers.iter().map(|number| length(*number)).sum::<usize>();
    let digest = numbers.iter().fold(0, |before, number| digest(before, Position::new(number + 1)));
    runtime.wait_until_current::<Book>().within(PATIENCE).await.unwrap();
    runtime.wait_until_current::<Books>().within(PATIENCE).await.unwrap();
    let found = runtime.projection::<Book>().unwrap();
    let found = found.read(|book| (book.pages, book.bytes, book.digest));
    assert_eq!(found, (pages, bytes, digest));
    let found = runtime.documents::<Books>().unwrap().get(1).await.unwrap().unwrap();
    assert_eq!((found.pages, found.bytes, found.digest), (pages, bytes, digest));
}

async fn every_event_is_applied_once_in_order<S: EventStore>(store: S) {
    let store = Arc::new(store);
    write(&*store, 0..SPITEFUL).await;
    let runtime = start(&store, both()).await;
    assert_both_hold(&runtime, 0..SPITEFUL).await;
    // And so are those of a rebuild, and those that come later.
    for name in ["book", "books"] {
        let handle = runtime.projection_handle(name).unwrap();
        handle.rebuild().await.unwrap().finished().await.unwrap();
    }
    assert_both_hold(&runtime, 0..SPITEFUL).await;
    runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_applied_once_in_order_however_large_those_beside_it_are() {
    every_event_is_applied_once_in_order(MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_in_a_store_that_waits() {
    every_event_is_applied_once_in_order(ListStore::new()).await;
}

#[tokio::test]
async fn so_it_is_in_a_program_that_has_one_thread() {
    every_event_is_applied_once_in_order(MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_panics_ahead_of_the_others_parks_where_it_stands() {
    let store = Arc::new(MemoryStore::new());
    const EVENTS: u64 = SPITEFUL + 9_000;
    write(&*store, 0..EVENTS).await;
    let runtime = start(&store, both()).await;
    for name in ["book", "books"] {
        let handle = runtime.projection_handle(name).unwrap();
        let position = Position::new(SPITEFUL + 1);
        let status = handle.settled(PATIENCE).await;
        assert!(
            status.dead_letters.iter().any(|letter| {
                letter.position == position && letter.error.contains("a number that nobody likes")
            }),
            "{status:?}"
        );
        handle.skip(position, "a bug", "test").await.unwrap();
        handle.until(PATIENCE, |status| status.dead_letters.is_empty()).await.unwrap();
    }
    assert_both_hold(&runtime, (0..EVENTS).filter(|number| *number != SPITEFUL)).await;
}

/// With one thread for work that blocks, nobody else gets it as long as it is kept.
#[test]
fn a_projection_that_is_parked_keeps_no_thread() {
    for name in ["book", "shelf"] {
        let mut tokio = tokio::runtime::Builder::new_multi_thread();
        let tokio = tokio.enable_all().max_blocking_threads(1).build().unwrap();
        tokio.block_on(async {
            let store = Arc::new(MemoryStore::new());
            // So many that there is always more to read ahead.
            write(&*store, 0..SPITEFUL + 30_000).await;
            let registry = match name {
                "book" => Registry::builder().projection::<Book>(),
                _ => Registry::builder().projection::<Shelf>(),
            };
            let runtime = start(&store, registry).await;
            let handle = runtime.projection_handle(name).unwrap();
            let status = handle.settled(PATIENCE).await;
            assert!(matches!(status.state, ProjectionState::Parked { .. }), "{status:?}");
            let other = tokio::task::spawn_blocking(|| ());
            let ran = tokio::time::timeout(PATIENCE, other).await;
            assert!(ran.is_ok(), "{name} keeps the thread");
            runtime.shutdown().await;
        });
    }
}

async fn nothing_is_left_of_the_threads<S: EventStore>(store: S) {
    let store = Arc::new(store);
    write(&*store, 0..SPITEFUL).await;
    write(&*store, SPITEFUL + 1..30_000).await;
    for round in 0..6 {
        let runtime = start(&store, both()).await;
        // Some are stopped before they have begun, some in the middle of it.
        let far_enough = Position::new(round * 2_000);
        let handle = runtime.projection_handle("book").unwrap();
        handle.until(PATIENCE, |status| status.position >= far_enough).await.unwrap();
        runtime.shutdown().await;
        let states = runtime.projections();
        assert!(states.iter().all(|status| status.state == ProjectionState::Stopped), "{states:?}");
        drop((runtime, handle));
        assert_eq!(Arc::strong_count(&store), 1, "after a stop in round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_the_threads_after_a_stop() {
    nothing_is_left_of_the_threads(MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_them_in_a_store_that_waits() {
    nothing_is_left_of_the_threads(ListStore::new()).await;
}
