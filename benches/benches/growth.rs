//! `cargo bench -p es-benches --bench growth`: archiving and restoring the bank's real history, beside
//! exporting and reading it, in one run.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails has nothing to say")]

use std::path::Path;
use std::time::Instant;

use bank::movements::Movements;
use es_archive::{Archive, Policy, ReadThrough};
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, NewEvent, Query, QueryRange, RecordedAppend,
    RecordedCommit, RecordedEvent, Registry, Runtime, StreamId, Version,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::SqliteStore;
use es_transfer::{Format, export};

/// So often the sample is repeated, each time with accounts and ids of its own.
const TIMES: u64 = 40;

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let archive = Archive::create(directory.join("archive")).unwrap();
    let store = SqliteStore::open(directory.join("bank.db")).unwrap();
    fill(&store).await;
    let registry = Registry::builder().build().unwrap();
    let through = ReadThrough::new(store, archive.clone());
    let runtime = Runtime::builder(through).registry(registry).start().await.unwrap();
    let (through, alone) = (&**runtime.store(), runtime.store().store());
    let events = alone.head().await.unwrap().get();
    let before = size(alone, &directory.join("before.db")).await;
    println!("{events} events of the bank, {before} bytes of SQLite");

    let live = rate("read all, live", events, async { read_all(alone).await }).await;
    let mut lines =
        std::io::BufWriter::new(std::fs::File::create(directory.join("lines")).unwrap());
    let exported = rate("export as JSON Lines", events, async {
        export(alone, &Query::all(), Format::JsonLines, &mut lines, |_| {}).await.unwrap().events
    })
    .await;
    let mut archived = None;
    let archiving = rate("archive", events, async {
        let all = Policy::whole_where(|_| true);
        let done = archive.archiver(&runtime).archive(&all).await.unwrap();
        let events = done.events;
        archived = Some(done);
        events
    })
    .await;
    let archived = archived.unwrap();
    let read = rate("read all, through the archive", events, async { read_all(through).await });
    let read = read.await;
    rate("verify", events, async { archive.verify_with(alone).await.unwrap().archived }).await;
    let after = size(alone, &directory.join("after.db")).await;
    let restoring =
        rate("restore", events, async { archive.restore_all(alone).await.unwrap().events }).await;
    println!("archive / export                       {:.2}", archiving / exported);
    println!("restore / archive                      {:.2}", restoring / archiving);
    println!("read through / read live               {:.2}", read / live);
    println!(
        "lines / segment                        {:.1}   ({} bytes in {} segments)",
        archived.lines as f64 / archived.bytes as f64,
        archived.bytes,
        archived.segments.len()
    );
    println!(
        "SQLite before / after                  {:.1}   ({after} bytes, {:.0} an event)",
        before as f64 / after as f64,
        after as f64 / events as f64
    );
}

/// Shows how many events a second something deals with.
async fn rate(name: &str, events: u64, work: impl Future<Output = u64>) -> f64 {
    let began = Instant::now();
    let done = work.await;
    assert!(done > events / 2);
    let rate = done as f64 / began.elapsed().as_secs_f64();
    println!("{name:<38} {rate:>9.0} events/s");
    rate
}

/// The bank's history, over and over.
async fn fill(store: &SqliteStore) {
    let registry = Registry::builder().build().unwrap();
    let bank = Runtime::builder(MemoryStore::new()).registry(registry).without_snapshots();
    let bank = bank.start().await.unwrap();
    bank::import::import(&bank, &Movements::sample().unwrap(), 1, || {}).await.unwrap();
    let (all, range) = (Query::all(), QueryRange { limit: 10_000, ..QueryRange::all() });
    let page = bank.store().read(&all, range).await.unwrap();
    let sample: Vec<_> = page.events.iter().map(|event| event.to_event()).collect();
    for time in 0..TIMES {
        let commits: Vec<_> = sample.iter().map(|event| commit(event, time)).collect();
        for answer in store.append_recorded(&commits).await {
            answer.unwrap();
        }
    }
}

fn commit(event: &RecordedEvent, time: u64) -> RecordedCommit {
    let RecordedEvent { stream, version, name, schema_version, payload, .. } = event.clone();
    let stream = StreamId::new(stream.category(), format!("{}{time:03}", stream.id())).unwrap();
    let new = NewEvent {
        id: EventId::generate(),
        name: name.into(),
        schema_version,
        payload,
        tags: event.tags.clone(),
        occurred_at: event.occurred_at,
        metadata: event.metadata.clone(),
    };
    let expected = ExpectedVersion::Exact(Version::new(version.get() - 1));
    let commit = Commit::new(stream, expected, vec![new]).unwrap();
    RecordedCommit { commit, recorded_at: event.recorded_at }
}

async fn read_all(store: &impl EventStore) -> u64 {
    let (mut events, mut range) = (0, QueryRange::all());
    loop {
        let page = store.read(&Query::all(), range).await.unwrap();
        events += page.events.len() as u64;
        if !page.more {
            return events;
        }
        range.after = page.token(&range);
    }
}

/// How large the store is without the room that is free in its file.
async fn size(store: &SqliteStore, copy: &Path) -> u64 {
    store.back_up(copy).await.unwrap();
    std::fs::metadata(copy).unwrap().len()
}
