//! A rebuild takes no more memory for more events. An allocator counts, so nothing else is tested in
//! this process. What SQLite itself allocates is not counted: its cache has a size of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use es_core::bytes::Bytes;
use es_core::prelude::*;
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Registry, Runtime,
    SchemaVersion, StreamId, Tags,
};
use es_sqlite_store::{Durability, SqliteStore};
use es_tests::counter::{Lowered, Raised};
use es_tests::tally::{Tally, TallyRows, assert_read_models_hold_the_fold};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What is served has the same size for few events and for many.
const COUNTERS: u64 = 100;

/// How much lies ahead of a projection when it takes the most memory depends on which thread is faster:
/// nothing, or the page that is read while the last one is applied and the one that the store reads
/// ahead; each of 4,096 events that take about 250 bytes, with what they are decoded to. It does not depend
/// on how many events there are. If it did, four fifths of them would be about sixteen pages.
const TWO_PAGES: usize = 2 * 4096 * 250;

/// All counters in memory.
#[derive(Projection, Default)]
#[projection(name = "total", events(Raised, Lowered), register = false)]
struct Total {
    raised: u64,
}

impl Project<Raised> for Total {
    fn project(&mut self, event: &Raised, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.raised += event.by;
        Ok(())
    }
}

impl Project<Lowered> for Total {
    fn project(&mut self, _: &Lowered, _: &Recorded<'_>) -> Result<(), ProjectError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_takes_no_more_memory_for_more_events() {
    let most = std::env::var("ES_EVENTS").ok().and_then(|events| events.parse().ok());
    let most: u64 = most.unwrap_or(80_000);
    let directory = tempfile::tempdir().unwrap();
    let few = peaks(&directory.path().join("few.db"), most / 5).await;
    let many = peaks(&directory.path().join("many.db"), most).await;
    for ((home, few), (_, many)) in few.into_iter().zip(many) {
        println!("{home}: {} KiB for a fifth, {} KiB for {most} events", few / 1024, many / 1024);
        assert!(
            many < few + TWO_PAGES,
            "{home}: {few} bytes for a fifth of the events, {many} for all"
        );
    }
}

/// The most memory that a rebuild takes beside what was there before, in each home.
async fn peaks(file: &Path, events: u64) -> [(&'static str, usize); 3] {
    let store = SqliteStore::builder(file).durability(Durability::Process).open().unwrap();
    fill(&store, events).await;
    let registry =
        Registry::builder().projection::<Tally>().projection::<TallyRows>().projection::<Total>();
    let runtime =
        Runtime::builder(store).registry(registry.build().unwrap()).start().await.unwrap();
    let patience = Duration::from_secs(600);
    runtime.wait_until_current::<Tally>().within(patience).await.unwrap();
    runtime.wait_until_current::<TallyRows>().within(patience).await.unwrap();
    runtime.wait_until_current::<Total>().within(patience).await.unwrap();
    let mut peaks = [("documents", 0), ("rows", 0), ("memory", 0)];
    for ((_, peak), name) in peaks.iter_mut().zip(["tally", "tally-rows", "total"]) {
        let handle = runtime.projection_handle(name).unwrap();
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        handle.rebuild().await.unwrap().finished().await.unwrap();
        *peak = MEMORY.peak_usage() - before;
    }
    let raised = runtime.projection::<Total>().unwrap().read(|total| total.raised);
    assert_eq!(raised, events);
    if events <= 80_000 {
        assert_eq!(assert_read_models_hold_the_fold(&runtime).await as u64, events);
    }
    runtime.shutdown().await;
    peaks
}

/// Raises the counters by one, a hundred times in a commit.
async fn fill(store: &SqliteStore, events: u64) {
    let payload = Bytes::from(serde_json::to_vec(&Raised { by: 1 }).unwrap());
    let event = || NewEvent {
        id: EventId::generate(),
        name: Raised::NAME.into(),
        schema_version: SchemaVersion::FIRST,
        payload: payload.clone(),
        tags: Tags::new(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    let commits: Vec<_> = (0..events / 100)
        .map(|number| {
            let stream = StreamId::new("counter", number % COUNTERS).unwrap();
            Commit::new(stream, ExpectedVersion::Any, (0..100).map(|_| event()).collect()).unwrap()
        })
        .collect();
    for chain in commits.chunks(10) {
        for answer in store.append_chain(chain).await {
            answer.unwrap();
        }
    }
}
