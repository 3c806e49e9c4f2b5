//! Durable projections on SQLite: documents and rows against a plain fold, also after crashes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use es_core::{Differences, Registry, Runtime, WaitError};
use es_sqlite_store::{Durability, SqliteStore};
use es_tests::counter::{Counter, LowerByOnes, Raise};
use es_tests::tally::{Tally, TallyRows, assert_read_models_hold_the_fold};

fn open(file: &Path) -> SqliteStore {
    SqliteStore::builder(file).durability(Durability::Process).open().unwrap()
}

async fn start(file: &Path) -> Runtime<SqliteStore> {
    let registry = Registry::builder()
        .aggregate::<Counter>()
        .projection::<Tally>()
        .projection::<TallyRows>()
        .build()
        .unwrap();
    Runtime::builder(open(file)).registry(registry).start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_and_rows_hold_what_a_plain_fold_holds_and_are_rebuilt_beside() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tally.db");
    let runtime = start(&file).await;
    for round in 0..300_u64 {
        let receipt = runtime.execute(Raise { counter: round % 7, by: 3 }).await.unwrap();
        if round % 50 == 0 {
            runtime.wait_for::<TallyRows>(&receipt).await.unwrap();
        }
        runtime.execute(LowerByOnes { counter: round % 7, by: 2 }).await.unwrap();
    }
    assert_eq!(assert_read_models_hold_the_fold(&runtime).await, 900);
    for name in ["tally", "tally-rows"] {
        let handle = runtime.projection_handle(name).unwrap();
        handle.rebuild_and_hold().await.unwrap().finished().await.unwrap();
        assert!(handle.differences(10).await.unwrap().is_empty());
        handle.swap().await.unwrap().finished().await.unwrap();
        assert_eq!(handle.status().generation, Some(2));
    }
    assert_read_models_hold_the_fold(&runtime).await;
    for name in ["tally", "tally-rows"] {
        let handle = runtime.projection_handle(name).unwrap();
        handle.discard_others().await.unwrap();
    }
    assert_read_models_hold_the_fold(&runtime).await;
    runtime.shutdown().await;
    drop(runtime);
    // It was shut down: the file is free, and nobody waits for a lease.
    let runtime = start(&file).await;
    assert_eq!(assert_read_models_hold_the_fold(&runtime).await, 900);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_changed_by_hand_are_found_before_the_swap() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tally.db");
    let runtime = start(&file).await;
    runtime.execute(Raise { counter: 1, by: 3 }).await.unwrap();
    assert_read_models_hold_the_fold(&runtime).await;
    let by_hand = es_sqlite_store::rusqlite::Connection::open(&file).unwrap();
    by_hand.execute("UPDATE tallies__g1 SET value = 4", []).unwrap();
    let handle = runtime.projection_handle("tally-rows").unwrap();
    handle.rebuild_and_hold().await.unwrap().finished().await.unwrap();
    assert_eq!(handle.differences(10).await.unwrap(), Differences::Rows(2));
    handle.swap().await.unwrap().finished().await.unwrap();
    assert_read_models_hold_the_fold(&runtime).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_refused_parks_the_projection_and_leaves_the_others_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tally.db");
    let runtime = start(&file).await;
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    assert_read_models_hold_the_fold(&runtime).await;
    // The next position is taken.
    let by_hand = es_sqlite_store::rusqlite::Connection::open(&file).unwrap();
    by_hand.execute("INSERT INTO tally_events__g1 (position) VALUES (3)", []).unwrap();
    for _ in 0..3 {
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    }
    let parked = runtime.wait_until_current::<TallyRows>().await.unwrap_err();
    assert!(
        matches!(&parked, WaitError::Parked { position, key: None, .. } if position.get() == 3),
        "{parked}"
    );
    assert!(parked.to_string().contains("UNIQUE constraint failed"), "{parked}");
    runtime.wait_until_current::<Tally>().await.unwrap();
    by_hand.execute("DELETE FROM tally_events__g1 WHERE position = 3", []).unwrap();
    runtime.projection_handle("tally-rows").unwrap().resume().await.unwrap();
    while runtime.wait_until_current::<TallyRows>().await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(assert_read_models_hold_the_fold(&runtime).await, 4);
}

/// Kills the child at random moments, while it projects, rebuilds and swaps, and compares both read
/// models with the fold after every round.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_at_any_moment_nothing_is_applied_twice_or_missing() {
    let rounds = std::env::var("ES_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds: u64 = rounds.unwrap_or(25);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tally.db");
    let (mut events, mut generation) = (0, None);
    for round in 0..rounds {
        let mut child = Command::new(env!("CARGO_BIN_EXE_project_until_killed"))
            .args([file.as_os_str(), (round * 1_000).to_string().as_ref()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        // Not a wait for something, but for a moment that nobody has chosen.
        let moment = (round * 7_919 + 13) % 300;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let runtime = start(&file).await;
        events = assert_read_models_hold_the_fold(&runtime).await;
        generation = runtime.projection_handle("tally").unwrap().status().generation;
        runtime.shutdown().await;
    }
    assert!(events as u64 > rounds, "the child has written");
    // The children have not only begun to rebuild, but swapped.
    assert!(generation > Some(1));
    println!("{rounds} kills, {events} events, generation {generation:?}");
}
