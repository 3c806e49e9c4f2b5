//! A process that appends is killed at any moment: what it acknowledged is there, and nothing is
//! half there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use es_core::bytes::Bytes;
use es_core::uuid::Uuid;
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Position, Query, QueryRange,
    SchemaVersion, StreamId, StreamRange, Tag,
};
use es_sqlite_store::SqliteStore;

const ROUNDS: u64 = 100;
const TASKS: u64 = 16;
const DATABASE: &str = "ES_CRASH_DATABASE";
const ROUND: &str = "ES_CRASH_ROUND";

/// The n-th commit of a task in a round: it can be made again with the same ids. It adds one to three
/// events to a stream of the task and one to a stream that all share.
fn commit(round: u64, task: u64, number: u64) -> Commit {
    let event = |index: u64| NewEvent {
        id: EventId::from_uuid(Uuid::from_u64_pair(
            (round << 32) | number,
            (task << 32) | (index + 1),
        )),
        name: "noted".into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from(format!("[{round},{task},{number},{index}]")),
        tags: [Tag::of("task", task)].into_iter().collect(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    let own = StreamId::new("task", format!("{round}-{task}")).unwrap();
    let shared = StreamId::new("all", "shared").unwrap();
    let events = (0..=number % 3).map(event).collect();
    let commit = Commit::new(own, ExpectedVersion::Any, events).unwrap();
    commit.and(shared, ExpectedVersion::Any, vec![event(9)]).unwrap()
}

/// The process that is killed. It does nothing when it is run as a test.
#[test]
fn the_process_that_appends() {
    let (Ok(database), Ok(round)) = (std::env::var(DATABASE), std::env::var(ROUND)) else { return };
    let round = round.parse().unwrap();
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    tokio.block_on(async {
        let store = Arc::new(SqliteStore::open(database).unwrap());
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for number in 0.. {
                        store.append(&commit(round, task, number)).await.unwrap();
                        // Whole lines: one write each, straight to the pipe.
                        let line = format!("acknowledged {task} {number}\n");
                        std::io::stderr().write_all(line.as_bytes()).unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

fn start(database: &Path, round: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_appends", "--nocapture"])
        .env(DATABASE, database)
        .env(ROUND, round.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills a process after so many acknowledgements, and answers with how many each task had.
fn kill_after(mut child: Child, acknowledgements: u64) -> HashMap<u64, u64> {
    let mut acknowledged = HashMap::new();
    let mut seen = 0;
    // What was acknowledged before the kill is in the pipe, and read to its end.
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        let mut words = line.split(' ');
        if words.next() != Some("acknowledged") {
            continue;
        }
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        // The last line may be cut off.
        if let (Some(task), Some(_)) = (number(), number()) {
            *acknowledged.entry(task).or_default() += 1;
        }
        seen += 1;
        if seen == acknowledgements {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    acknowledged
}

#[tokio::test]
async fn a_store_whose_process_is_killed_has_all_that_was_acknowledged_and_nothing_torn() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("crash.db");
    let mut all = 0;
    for round in 1..=ROUNDS {
        // Some are killed at their first acknowledgement, some in the middle of the load.
        let acknowledged = kill_after(start(&database, round), 1 + round * 7 % 150);
        let store = SqliteStore::open(&database).unwrap();
        let before = store.head().await.unwrap();
        for task in 0..TASKS {
            let count = acknowledged.get(&task).copied().unwrap_or(0);
            all += count;
            for number in 0..count {
                let repeated = store.append(&commit(round, task, number)).await.unwrap();
                assert!(repeated.repeated, "round {round}: commit {number} of task {task} is lost");
            }
            check_stream(&store, round, task, count).await;
        }
        assert_eq!(store.head().await.unwrap(), before, "a retry was stored again");
    }
    let store = SqliteStore::open(&database).unwrap();
    let verified = store.verify().await.unwrap();
    assert_eq!(verified.events, verified.head.get(), "positions have gaps");
    check_order(&store).await;
    assert!(all > ROUNDS, "the processes did hardly anything");
}

/// A task's stream holds whole commits, at least those that were acknowledged and at most one more.
async fn check_stream(store: &SqliteStore, round: u64, task: u64, acknowledged: u64) {
    let stream = StreamId::new("task", format!("{round}-{task}")).unwrap();
    let range = StreamRange { limit: usize::MAX, ..StreamRange::all() };
    let page = store.read_stream(&stream, range).await.unwrap();
    let mut events = page.events.iter();
    let mut number = 0;
    while let Some(first) = events.next() {
        let expected = commit(round, task, number);
        let expected = &expected.first().events;
        assert_eq!(first.payload.as_bytes(), expected[0].payload);
        for event in &expected[1..] {
            let next = events.next().map(|recorded| recorded.payload.as_bytes());
            assert_eq!(next, Some(&*event.payload), "commit {number} of task {task} is torn");
        }
        let shared =
            store.find(commit(round, task, number).into_streams().nth(1).unwrap().events[0].id);
        assert!(shared.await.unwrap().is_some(), "commit {number} of task {task} is torn");
        number += 1;
    }
    assert!((acknowledged..=acknowledged + 1).contains(&number));
}

/// Positions are 1, 2, 3 and so on over the whole log, and versions over every stream.
async fn check_order(store: &SqliteStore) {
    let (mut range, mut versions) = (QueryRange::all(), HashMap::<StreamId, u64>::new());
    let mut last = Position::ZERO;
    loop {
        let page = store.read(&Query::all(), range).await.unwrap();
        for recorded in page.events.iter() {
            assert_eq!(recorded.position, last.next());
            last = recorded.position;
            let version = versions.entry(recorded.stream.to_stream_id()).or_default();
            *version += 1;
            assert_eq!(recorded.version.get(), *version);
        }
        if !page.more {
            return;
        }
        range = QueryRange::after(page.token(&range));
    }
}
