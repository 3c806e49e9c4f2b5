//! A store of a million events: what is not asked for costs nothing.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use es_core::bytes::Bytes;
use es_core::uuid::Uuid;
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Query, QueryRange,
    SchemaVersion, StreamId, StreamRange, Tags,
};
use es_sqlite_store::{Durability, SqliteStore};

const DATABASE: &str = "ES_MILLION_DATABASE";

const EVENTS: u64 = 1_000_000;
const STREAMS: u64 = 1_000;
const EVENTS_OF_A_STREAM: u64 = EVENTS / STREAMS;
/// A stream lies in ten places.
const EVENTS_OF_A_COMMIT: u64 = EVENTS_OF_A_STREAM / 10;
const COMMITS: u64 = EVENTS / EVENTS_OF_A_COMMIT;
/// So many are appended in one transaction.
const COMMITS_OF_A_CHAIN: usize = 100;

const MIB: u64 = 1024 * 1024;

fn stream(number: u64) -> StreamId {
    StreamId::new("million", number).unwrap()
}

fn commit(number: u64) -> Commit {
    let event = |index| NewEvent {
        id: EventId::from_uuid(Uuid::from_u64_pair(number, index)),
        name: "noted".into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from_static(b"{\"text\":\"A payload as long as many are.\"}"),
        tags: Tags::default(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    let events = (0..EVENTS_OF_A_COMMIT).map(event).collect();
    Commit::new(stream(number % STREAMS), ExpectedVersion::Any, events).unwrap()
}

/// A number of bytes of a file such as `/proc/self/status`.
fn of_this_process(file: &str, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/self/{file}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    let mut words = line.split_whitespace();
    let number: u64 = words.next().unwrap().parse().unwrap();
    if words.next() == Some("kB") { number * 1024 } else { number }
}

/// The most memory that this process ever had.
fn peak() -> u64 {
    of_this_process("status", "VmHWM:")
}

/// What this process has read from files, whether they were in memory or not.
fn bytes_read() -> u64 {
    of_this_process("io", "rchar:")
}

/// Runs one test of this program in a process of its own, where nothing else is measured.
fn run_alone(test: &str, database: &Path) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DATABASE, database)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("measured: "), "{printed}");
    let measured = printed.lines().filter_map(|line| line.split_once("measured: "));
    measured.for_each(|(_, line)| println!("{line}"));
}

/// Reads everything; does nothing when it is run as a test.
#[tokio::test]
async fn the_process_that_reads_all() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let store = SqliteStore::open(database).unwrap();
    let (mut range, mut read, mut early) = (QueryRange::all(), 0, None);
    loop {
        let page = store.read(&Query::all(), range).await.unwrap();
        read += page.events.len() as u64;
        if read >= EVENTS / 5 && early.is_none() {
            early = Some(peak());
        }
        if !page.more {
            break;
        }
        range = QueryRange::after(page.token(&range));
    }
    assert_eq!(read, EVENTS);
    let (early, last) = (early.unwrap(), peak());
    println!("measured: {} KiB after a fifth, {} KiB after all", early / 1024, last / 1024);
    // What may fill up still are the page caches of two connections, of 16 MiB each. The events that
    // came later have four times that in the file alone.
    assert!(last - early < 32 * MIB, "it grew from {early} to {last} bytes");
    assert!(last < 96 * MIB, "{last} bytes");
}

/// Reads one stream; does nothing when it is run as a test.
#[tokio::test]
async fn the_process_that_reads_one_stream() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let store = SqliteStore::open(database).unwrap();
    let length = store.size().unwrap().database;
    let before = bytes_read();
    let page = store.read_stream(&stream(321), StreamRange::all()).await.unwrap();
    let read = bytes_read() - before;
    assert_eq!(page.events.len() as u64, EVENTS_OF_A_STREAM);
    println!("measured: one stream of {STREAMS} reads {read} of {length} bytes");
    // A tenth of a percent of the events: their pages, and those of the index on the way to them.
    assert!(read < length / 100, "{read} of {length} bytes");
}

#[tokio::test]
async fn of_a_million_events_memory_holds_a_few_and_a_stream_reads_only_itself() {
    if std::env::var(DATABASE).is_ok() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("million.db");
    let store = SqliteStore::builder(&database).durability(Durability::Process).open().unwrap();
    let commits: Vec<_> = (0..COMMITS).collect();
    for numbers in commits.chunks(COMMITS_OF_A_CHAIN) {
        let chain: Vec<_> = numbers.iter().copied().map(commit).collect();
        let answers = store.append_chain(&chain).await;
        assert!(answers.len() == chain.len() && answers.iter().all(Result::is_ok));
    }
    drop(store);
    run_alone("the_process_that_reads_all", &database);
    run_alone("the_process_that_reads_one_stream", &database);
}
