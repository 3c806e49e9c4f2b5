//! A process that archives, restores, compacts and truncates is killed at any moment: every event is in
//! the store or whole in a segment, once, and the next run goes on.

#![allow(missing_docs, reason = "nobody but these tests uses it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use es_archive::{Archive, Archiver, Policy, ReadThrough};
use es_core::prelude::*;
use es_core::{
    EventStore, ProjectionStore, Query, QueryRange, RecordedEvent, SnapshotPolicy, StreamRemoval,
    Summarize, Truncate,
};
use es_sqlite_store::{Durability, SqliteStore};
use fastrand::Rng;

const DIRECTORY: &str = "ES_ARCHIVE_CRASH_DIRECTORY";
const SEED: &str = "ES_ARCHIVE_CRASH_SEED";
/// How often the process is killed; more with this variable.
const ROUNDS: &str = "ES_ARCHIVE_CRASH_ROUNDS";
const METERS: u64 = 8;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "meter.counted")]
pub struct Counted {
    pub units: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "meter.summarised")]
pub struct Summarised {
    pub total: u64,
}

#[derive(Aggregate, Default, Debug, PartialEq, Serialize, Deserialize)]
#[aggregate(name = "meter", id = u64, events(Counted, Summarised))]
pub struct Meter {
    total: u64,
}

impl Apply<Counted> for Meter {
    fn apply(&mut self, event: &Counted) {
        self.total += event.units;
    }
}

impl Apply<Summarised> for Meter {
    fn apply(&mut self, event: &Summarised) {
        self.total = event.total;
    }
}

impl Summarize for Meter {
    fn summary(&self) -> impl IntoEvents<Self> {
        Summarised { total: self.total }
    }
}

impl Truncate for Meter {}

#[derive(Command)]
#[command(aggregate = Meter)]
pub struct Count {
    #[command(id)]
    pub meter: u64,
    pub units: u64,
}

impl Handle<Count> for Meter {
    type Error = std::convert::Infallible;

    fn handle(&self, count: &Count, _: &Context) -> Result<impl IntoEvents<Self>, Self::Error> {
        Ok(Counted { units: count.units })
    }
}

type Through = ReadThrough<SqliteStore>;

async fn open(directory: &Path) -> (Runtime<Through>, Archive) {
    let archive = Archive::create(directory.join("archive")).unwrap();
    let file = SqliteStore::builder(directory.join("events.db"));
    // A kill of the process is survived all the same.
    let store = file.durability(Durability::Process).open().unwrap();
    let registry = Registry::builder().aggregate::<Meter>().build().unwrap();
    let runtime = Runtime::builder(ReadThrough::new(store, archive.clone())).registry(registry);
    let runtime = runtime.snapshot(SnapshotPolicy::<Meter>::every(10)).start().await.unwrap();
    (runtime, archive)
}

/// Waits until nobody has the store open any more.
async fn close(runtime: Runtime<Through>) {
    let store = std::sync::Arc::clone(runtime.store());
    runtime.shutdown().await;
    drop(runtime);
    // Snapshots that wait are taken still.
    while std::sync::Arc::strong_count(&store) > 1 {
        tokio::task::yield_now().await;
    }
}

/// The process that is killed. It does nothing when it is run as a test.
#[tokio::test]
async fn the_process_that_archives() {
    let (Ok(directory), Ok(seed)) = (std::env::var(DIRECTORY), std::env::var(SEED)) else { return };
    let mut random = Rng::with_seed(seed.parse().unwrap());
    let (runtime, archive) = open(Path::new(&directory)).await;
    std::io::stderr().write_all(b"ready\n").unwrap();
    loop {
        let meter = random.u64(0..METERS);
        let archiver = archive.archiver(&runtime).segment_bytes(random.usize(300..30_000));
        step(&mut random, meter, &archiver, &archive, &runtime).await;
    }
}

async fn step<S>(
    random: &mut Rng,
    meter: u64,
    archiver: &Archiver<'_, S>,
    archive: &Archive,
    runtime: &Runtime<S>,
) where
    S: StreamRemoval + ProjectionStore,
{
    let stream = Meter::stream(&meter).unwrap();
    match random.u8(..10) {
        0..=2 => {
            let up_to = Version::new(random.u64(1..60));
            let old = Policy::first_where(move |event| event.version <= up_to);
            archiver.archive(&old).await.unwrap();
        }
        3 => {
            let even = Policy::whole_where(|last| last.version.get() % 2 == 0);
            archiver.archive(&even).await.unwrap();
        }
        4 | 5 => {
            archiver.compact::<Meter>(&meter).await.unwrap();
        }
        6 => {
            // There may be no snapshot yet.
            let _ = archiver.truncate::<Meter>(&meter).await;
        }
        7 => {
            archive.restore(&**runtime.store(), &stream).await.unwrap();
        }
        8 => {
            archive.restore_all(&**runtime.store()).await.unwrap();
        }
        _ => {
            runtime.execute(Count { meter, units: 0 }).await.unwrap();
        }
    }
}

async fn everything<S: EventStore>(store: &S) -> Vec<RecordedEvent> {
    let (mut events, mut range) = (Vec::new(), QueryRange::all());
    loop {
        let page = store.read(&Query::all(), range).await.unwrap();
        events.extend(page.events.iter().map(|event| event.to_event()));
        if !page.more {
            return events;
        }
        range.after = page.token(&range);
    }
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_archives_loses_nothing_and_doubles_nothing() {
    let rounds: u64 = std::env::var(ROUNDS).map_or(12, |rounds| rounds.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let mut totals = vec![0; METERS as usize];
    let original = {
        let (runtime, _) = open(directory.path()).await;
        let mut random = Rng::with_seed(1);
        for _ in 0..400 {
            let (meter, units) = (random.u64(..METERS), random.u64(..1000));
            totals[meter as usize] += units;
            runtime.execute(Count { meter, units }).await.unwrap();
        }
        let events = everything(&**runtime.store()).await;
        close(runtime).await;
        events
    };
    let (mut archived, mut live) = (0, 0);
    let mut random = Rng::with_seed(2);
    for round in 0..rounds {
        let mut child = Process::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process_that_archives", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(SEED, round.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        while !said.ends_with("ready") {
            let line = lines.next().unwrap_or_else(|| panic!("round {round}: {said}"));
            said.push_str(&line.unwrap());
        }
        // When it is killed is what is tried, not how long something takes.
        std::thread::sleep(Duration::from_micros(random.u64(..120_000)));
        child.kill().unwrap();
        let rest: Vec<_> = lines.map_while(Result::ok).collect();
        assert!(rest.is_empty(), "round {round}: {}", rest.join("\n"));
        child.wait().unwrap();

        let (runtime, archive) = open(directory.path()).await;
        let (through, alone) = (&**runtime.store(), runtime.store().store());
        let events = everything(through).await;
        assert_eq!(&events[..original.len()], &original[..], "round {round}");
        let ids: HashSet<_> = events.iter().map(|event| event.event_id).collect();
        assert_eq!(ids.len(), events.len(), "round {round}");
        let added = &events[original.len()..];
        assert!(
            added.iter().all(|event| event.name == "meter.summarised"
                || event.payload.as_ref() == br#"{"units":0}"#)
        );
        let verified = archive.verify_with(alone).await.unwrap();
        let in_file = alone.verify().await.unwrap();
        assert_eq!(in_file.events + verified.archived, events.len() as u64, "round {round}");
        for (meter, total) in (0..).zip(&totals) {
            let loaded = runtime.load::<Meter>(&meter).await.unwrap();
            assert_eq!(loaded.state.total, *total, "round {round}, meter {meter}");
        }
        (archived, live) = (archived + verified.archived, live + in_file.events);
        close(runtime).await;
    }
    assert!(archived > 0 && live > 0, "{archived} archived, {live} live");
    let (runtime, archive) = open(directory.path()).await;
    let events = everything(&**runtime.store()).await;
    archive.restore_all(&**runtime.store()).await.unwrap();
    let alone = runtime.store().store();
    assert_eq!(everything(alone).await, events);
    assert_eq!(alone.verify().await.unwrap().events, events.len() as u64);
    println!(
        "{rounds} rounds, {} events at last; seen archived {archived} times, live {live} times",
        events.len()
    );
}
