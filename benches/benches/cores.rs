//! `cargo bench -p es-benches --bench cores`: projecting events that take long to decode, on one core
//! and on two.
//!
//! It runs itself under `taskset`, in turn on the first core and on the first two. Beside the time on
//! the clock, which says little on a machine that others use, it prints the processor time of all
//! threads: twice that of one core by that of two cores is the most that two cores can be worth. On such
//! a machine `chrt -r 1` before the command gives it precedence, where that is allowed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark that fails has nothing to say")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use es_benches::heavy::{Assessed, FileFindings, FindingRows, Findings};
use es_benches::measure::processor_time;
use es_core::bytes::Bytes;
use es_core::prelude::*;
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Registry, Runtime,
    SchemaVersion, StreamId, Tags,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::{Durability, SqliteStore};
use tokio::runtime::Runtime as Tokio;

/// How many events of about 1,600 bytes there are.
const EVENTS: u64 = 40_000;
const FILES: u64 = 1_000;
const ROUNDS: usize = 7;

const MODES: [(&str, &str); 4] = [
    ("memory", "in memory, from a store in memory"),
    ("sqlite", "in memory, from SQLite"),
    ("documents", "documents on SQLite"),
    ("rows", "rows on SQLite"),
];

fn main() {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, run, mode, file] = &arguments[..]
        && run == "--run"
    {
        let (took, processor) = tokio.block_on(project(mode, Path::new(file)));
        println!("{} {}", took.as_nanos(), processor.as_nanos());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("files.db");
    let read = fill_sqlite(&tokio, &file);
    println!("{EVENTS} events of {read} bytes, medians of {ROUNDS} runs, in milliseconds");
    println!("{:<36} {:>15} {:>17}", "", "time 1, 2 cores", "processor time");
    for (mode, what) in MODES {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            one.push(run(mode, &file, "0"));
            two.push(run(mode, &file, "0,1"));
        }
        let [(one, one_processor), (two, two_processor)] = [one, two].map(medians);
        println!(
            "{what:<36} {one:>7.0} {two:>7.0} {one_processor:>9.0} {two_processor:>7.0}   {:.2} (target >= 1.5), {:.2} by processor time",
            one / two,
            2.0 * one_processor / two_processor
        );
    }
}

/// Time and processor time of a process on these cores.
fn run(mode: &str, file: &Path, cores: &str) -> (f64, f64) {
    let mut command = Command::new("taskset");
    command.args(["-c", cores]).arg(std::env::current_exe().unwrap());
    let output = command.args(["--run", mode]).arg(file).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let mut times = output.split_whitespace().map(|nanos| nanos.parse::<f64>().unwrap() / 1e6);
    (times.next().unwrap(), times.next().unwrap())
}

fn medians(runs: Vec<(f64, f64)>) -> (f64, f64) {
    let (mut times, mut processor_times): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
    times.sort_unstable_by(f64::total_cmp);
    processor_times.sort_unstable_by(f64::total_cmp);
    (times[ROUNDS / 2], processor_times[ROUNDS / 2])
}

async fn project(mode: &str, file: &Path) -> (Duration, Duration) {
    match mode {
        "memory" => {
            let store = Arc::new(MemoryStore::new());
            for commit in commits() {
                store.append(&commit).await.unwrap();
            }
            in_memory(store).await
        }
        "sqlite" => in_memory(open(file)).await,
        "documents" => rebuild(&open(file), "findings-documents").await,
        "rows" => rebuild(&open(file), "findings-rows").await,
        other => panic!("there is no mode {other}"),
    }
}

async fn measured<T>(work: impl Future<Output = T>) -> (T, (Duration, Duration)) {
    let (start, processor) = (Instant::now(), processor_time());
    let done = work.await;
    (done, (start.elapsed(), processor_time() - processor))
}

/// From the start of a runtime until the projection has seen everything.
async fn in_memory<S: EventStore>(store: Arc<S>) -> (Duration, Duration) {
    let registry = Registry::builder().projection::<Findings>().build().unwrap();
    let (runtime, took) = measured(async {
        let builder = Runtime::builder_shared(store).registry(registry);
        let runtime = builder.start().await.unwrap();
        runtime.wait_until_current::<Findings>().await.unwrap();
        runtime
    })
    .await;
    let count = runtime.projection::<Findings>().unwrap().read(|findings| findings.count);
    assert_eq!(count as u64, EVENTS * 15);
    runtime.shutdown().await;
    took
}

/// A rebuild from the first event to the swap.
async fn rebuild(store: &Arc<SqliteStore>, name: &str) -> (Duration, Duration) {
    let runtime = start(store).await;
    let handle = runtime.projection_handle(name).unwrap();
    let ((), took) = measured(async {
        handle.rebuild().await.unwrap().finished().await.unwrap();
    })
    .await;
    handle.discard_others().await.unwrap();
    runtime.shutdown().await;
    took
}

async fn start(store: &Arc<SqliteStore>) -> Runtime<SqliteStore> {
    let registry = Registry::builder().projection::<FileFindings>().projection::<FindingRows>();
    let builder = Runtime::builder_shared(Arc::clone(store));
    let runtime = builder.registry(registry.build().unwrap()).start().await.unwrap();
    runtime.wait_until_current::<FileFindings>().await.unwrap();
    runtime.wait_until_current::<FindingRows>().await.unwrap();
    runtime
}

/// The disk is not what is measured: a commit does not wait for it.
fn open(file: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::builder(file).durability(Durability::Process).open().unwrap())
}

/// The bytes of an event.
fn fill_sqlite(tokio: &Tokio, file: &Path) -> usize {
    let store = open(file);
    tokio.block_on(async {
        let commits: Vec<_> = commits().collect();
        for chain in commits.chunks(1_000) {
            for answer in store.append_chain(chain).await {
                answer.unwrap();
            }
        }
        start(&store).await.shutdown().await;
    });
    serde_json::to_vec(&Assessed::sample(0)).unwrap().len()
}

fn commits() -> impl Iterator<Item = Commit> {
    let payloads: Vec<_> = (0..100)
        .map(|number| Bytes::from(serde_json::to_vec(&Assessed::sample(number)).unwrap()))
        .collect();
    (0..EVENTS).map(move |index| {
        let event = NewEvent {
            id: EventId::generate(),
            name: Assessed::NAME.into(),
            schema_version: SchemaVersion::FIRST,
            payload: payloads[index as usize % payloads.len()].clone(),
            tags: Tags::new(),
            occurred_at: None,
            metadata: Metadata::EMPTY,
        };
        let stream = StreamId::new("file", index % FILES).unwrap();
        Commit::new(stream, ExpectedVersion::Any, vec![event]).unwrap()
    })
}
