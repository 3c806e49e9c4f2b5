//! A process that moves a store under load is killed at any moment, over and over, until the store is
//! moved: what it acknowledged is in the new store, once, and the old one has taken nothing since.
//!
//! `ES_CUT_OVER_ROUNDS` says how many stores are moved; a few if nothing is said.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use es_core::bytes::Bytes;
use es_core::uuid::Uuid;
use es_core::{
    AppendError, Commit, EventId, EventStore, ExpectedVersion, FencedStore, Metadata, NewEvent,
    Query, QueryRange, RecordedEvent, SchemaVersion, StreamId,
};
use es_sqlite_store::SqliteStore;
use es_transfer::{Copy, CutOverStep, digest};

const DIRECTORY: &str = "ES_CUT_OVER_DIRECTORY";
const LIFE: &str = "ES_CUT_OVER_LIFE";
const ROUNDS: &str = "ES_CUT_OVER_ROUNDS";
const TASKS: u64 = 4;
/// A process whose store is moved appends so many commits more, and ends.
const AFTER: u64 = 5;
/// So many commits are in the store before it is moved.
const BEFORE: u64 = 3_000;

/// The n-th commit of a task in one life of the process.
fn commit(life: u64, task: u64, number: u64) -> Commit {
    let event = |index: u64| NewEvent {
        id: EventId::from_uuid(Uuid::from_u64_pair((life << 32) | task, (number << 8) | index)),
        name: "noted".into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from(format!("[{life},{task},{number},{index}]")),
        tags: [].into_iter().collect(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    let stream = StreamId::new("task", task).unwrap();
    let events = (1..=1 + number % 3).map(event).collect();
    Commit::new(stream, ExpectedVersion::Any, events).unwrap()
}

fn say(line: &str) {
    // Whole lines: one write each, straight to the pipe.
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn open(directory: &Path, name: &str) -> SqliteStore {
    SqliteStore::open(directory.join(name)).unwrap()
}

/// The process that is killed. It does nothing when it is run as a test.
#[test]
fn the_process_that_is_moved() {
    let (Ok(directory), Ok(life)) = (std::env::var(DIRECTORY), std::env::var(LIFE)) else { return };
    let (directory, life) = (Path::new(&directory), life.parse().unwrap());
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    tokio.block_on(async {
        let old = Arc::new(open(directory, "old.db"));
        let new = Arc::new(open(directory, "new.db"));
        let (moved, _) = tokio::sync::watch::channel(false);
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (old, new, mut moved) = (Arc::clone(&old), Arc::clone(&new), moved.subscribe());
                tokio::spawn(async move {
                    let (mut number, mut after) = (0, 0);
                    let mut store = &old;
                    while after < AFTER {
                        match store.append(&commit(life, task, number)).await {
                            Ok(_) => say(&format!("acknowledged {task} {number}")),
                            Err(AppendError::Fenced { fence }) => {
                                assert_eq!(fence.successor, "new.db");
                                moved.wait_for(|moved| *moved).await.unwrap();
                                store = &new;
                                continue;
                            }
                            Err(error) => panic!("{error}"),
                        }
                        number += 1;
                        after += u64::from(std::ptr::eq(store, &raw const new));
                    }
                })
            })
            .collect();
        let steps = |step| match step {
            CutOverStep::Copying(_) => say("step copying"),
            CutOverStep::Verifying(_) => say("step verifying"),
            CutOverStep::Fenced(_) => say("step fenced"),
            _ => say("step noting"),
        };
        Copy::new(&*old, &*new).cut_over("new.db", steps).await.unwrap();
        say("step moved");
        moved.send_replace(true);
        for task in tasks {
            task.await.unwrap();
        }
        say("step end");
    });
}

/// When a process is killed.
#[derive(PartialEq, Eq)]
enum End {
    /// When it has said so many lines.
    Lines(u64),
    /// When it says that it has come to this step.
    Step(&'static str),
}

/// Lets the process live until it is killed, and answers whether it came to its own end before.
fn live(
    directory: &Path,
    life: u64,
    end: End,
    acknowledged: &mut Vec<(u64, u64, u64)>,
    killed_at: &mut HashSet<String>,
) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_is_moved", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(LIFE, life.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut seen, mut step, mut ended) = (0, "start".to_owned(), false);
    // What was said before the kill is in the pipe, and read to its end.
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        match *words {
            // The last line may be cut off.
            ["acknowledged", task, number] => {
                if let (Ok(task), Ok(number)) = (task.parse(), number.parse()) {
                    acknowledged.push((life, task, number));
                }
            }
            ["step", name] => {
                step = name.to_owned();
                ended = name == "end";
            }
            _ => {
                assert!(!line.contains("panicked"), "{line}");
                continue;
            }
        }
        seen += 1;
        let at_the_step = matches!((&end, &*words), (End::Step(at), ["step", name]) if at == name);
        if at_the_step || end == End::Lines(seen) {
            child.kill().unwrap();
            killed_at.insert(step.clone());
        }
    }
    child.wait().unwrap();
    ended
}

async fn events(store: &SqliteStore) -> Vec<RecordedEvent> {
    let (mut all, mut range) = (Vec::new(), QueryRange::all());
    loop {
        let page = store.read(&Query::all(), range).await.unwrap();
        all.extend(page.events.iter().map(|event| event.to_event()));
        if !page.more {
            return all;
        }
        range.after = page.token(&range);
    }
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_moves_its_store_loses_nothing_and_doubles_nothing() {
    let rounds = std::env::var(ROUNDS).map_or(2, |rounds| rounds.parse().unwrap());
    let (mut lives, mut acknowledgements, mut random) = (0, 0, fastrand::Rng::with_seed(17));
    let (mut killed_at, mut longest) = (HashSet::new(), 0);
    for _ in 0..rounds {
        let directory = tempfile::tempdir().unwrap();
        let mut acknowledged = Vec::new();
        let mut life = 0;
        let before: Vec<_> = (0..BEFORE).map(|number| commit(0, number % 7, number)).collect();
        open(directory.path(), "old.db").append_chain(&before).await.pop().unwrap().unwrap();
        // The first lives are short, so that some end in every step; none goes on for ever.
        loop {
            life += 1;
            let end = match random.u64(..5) {
                0 => End::Step("fenced"),
                1 => End::Step("noting"),
                2 => End::Step("moved"),
                _ => End::Lines(random.u64(1..=36) + 8 * (life / 4)),
            };
            if live(directory.path(), life, end, &mut acknowledged, &mut killed_at) {
                break;
            }
        }
        lives += life;
        longest = longest.max(life);
        acknowledgements += acknowledged.len();
        let (old, new) = (open(directory.path(), "old.db"), open(directory.path(), "new.db"));
        old.verify().await.unwrap();
        new.verify().await.unwrap();
        assert!(old.fenced().await.unwrap().is_some_and(|fence| fence.successor == "new.db"));
        // The new store begins with all of the old one, and goes on.
        let cut_over = Copy::new(&old, &new).cut_over("new.db", |_| {}).await.unwrap();
        assert!(cut_over.repeated);
        assert_eq!(cut_over.head, old.head().await.unwrap(), "the old store has grown");
        assert_eq!(cut_over.verified.digest, digest(&old).await.unwrap().digest);
        let (of_old, of_new) = (events(&old).await, events(&new).await);
        assert_eq!(of_new[..of_old.len()], of_old[..]);
        assert!(of_new.len() > of_old.len());
        let ids: HashSet<_> = of_new.iter().map(|event| event.event_id).collect();
        assert_eq!(ids.len(), of_new.len(), "an event is there twice");
        for (life, task, number) in acknowledged {
            for event in &commit(life, task, number).first().events {
                assert!(ids.contains(&event.id), "commit {number} of task {task} is lost");
            }
        }
    }
    // Whoever runs it with many rounds wants to know what came of it.
    println!(
        "{rounds} stores moved in {lives} lives, at most {longest} for one; {acknowledgements} commits acknowledged; killed at {killed_at:?}"
    );
    assert!(lives > rounds, "nobody was killed");
}
