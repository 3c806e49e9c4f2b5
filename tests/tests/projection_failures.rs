//! A projection that can not go on says why, and goes on when it can.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use es_core::{ProjectionFailure, ProjectionState, RebuildError, Registry, Runtime, WaitError};
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, Raise, Sums};
use es_tests::paused::{PausedStore, Trouble};
use es_tests::tally::Tally;

const PATIENCE: Duration = Duration::from_secs(60);

async fn start() -> (Arc<PausedStore>, Runtime<PausedStore>) {
    let store = Arc::new(PausedStore::new(Arc::new(MemoryStore::new())));
    let registry = Registry::builder().aggregate::<Counter>();
    let registry = registry.projection::<Sums>().projection::<Tally>().build().unwrap();
    let runtime = Runtime::builder_shared(Arc::clone(&store)).registry(registry);
    (store, runtime.start().await.unwrap())
}

/// Raises a counter ten times, waits until the projection has failed, and says why it did.
async fn fail(runtime: &Runtime<PausedStore>, name: &str) -> ProjectionFailure {
    for _ in 0..10 {
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    }
    let handle = runtime.projection_handle(name).unwrap();
    let failed = async {
        loop {
            if let ProjectionState::Failed { reason } = handle.status().state {
                return reason;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, failed).await.unwrap()
}

async fn ten_are_applied(runtime: &Runtime<PausedStore>) {
    runtime.wait_until_current::<Tally>().within(PATIENCE).await.unwrap();
    let tally = runtime.documents::<Tally>().unwrap().get(1).await.unwrap().unwrap();
    assert_eq!((tally.events, tally.version, tally.value), (10, 10, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_the_store_fails_for_good_says_so_and_is_resumed() {
    let (store, runtime) = start().await;
    runtime.wait_until_current::<Tally>().await.unwrap();
    store.set_trouble(Some(Trouble::Commits("checkpoint/tally")));
    let reason = fail(&runtime, "tally").await;
    assert!(matches!(reason, ProjectionFailure::Store { .. }) && reason.may_pass(), "{reason}");
    let stopped = runtime.wait_until_current::<Tally>().await.unwrap_err();
    assert!(matches!(stopped, WaitError::Stopped { .. }), "{stopped}");
    assert!(stopped.to_string().ends_with("the store can not be used: the disk is gone"));
    // The others do not care.
    runtime.wait_until_current::<Sums>().await.unwrap();
    store.set_trouble(None);
    let handle = runtime.projection_handle("tally").unwrap();
    handle.resume().await.unwrap();
    while matches!(handle.status().state, ProjectionState::Failed { .. }) {
        tokio::task::yield_now().await;
    }
    ten_are_applied(&runtime).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_panics_says_so_and_is_tried_again_without_anybody() {
    let (store, runtime) = start().await;
    runtime.wait_until_current::<Tally>().await.unwrap();
    store.set_trouble(Some(Trouble::Panics("checkpoint/tally")));
    let reason = fail(&runtime, "tally").await;
    let panicked = ProjectionFailure::Panicked { error: "the store has a bug".to_owned() };
    assert_eq!(reason, panicked);
    store.set_trouble(None);
    let mut handle = runtime.projection_handle("tally").unwrap().status();
    while matches!(handle.state, ProjectionState::Failed { .. }) {
        tokio::task::yield_now().await;
        handle = runtime.projection_handle("tally").unwrap().status();
    }
    ten_are_applied(&runtime).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_in_memory_goes_on_and_applies_nothing_twice() {
    let (store, runtime) = start().await;
    runtime.execute(Raise { counter: 2, by: 7 }).await.unwrap();
    runtime.wait_until_current::<Sums>().await.unwrap();
    store.set_trouble(Some(Trouble::Reads));
    let reason = fail(&runtime, "sums").await;
    assert_eq!(reason.to_string(), "the store can not be read: the disk is gone");
    store.set_trouble(None);
    let handle = runtime.projection_handle("sums").unwrap();
    handle.resume().await.unwrap();
    while matches!(handle.status().state, ProjectionState::Failed { .. }) {
        tokio::task::yield_now().await;
    }
    runtime.wait_until_current::<Sums>().within(PATIENCE).await.unwrap();
    let sums = runtime.projection::<Sums>().unwrap();
    assert_eq!(
        sums.read(|sums| (sums.events, sums.by_counter[&1], sums.by_counter[&2])),
        (11, 10, 7)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_fails_leaves_the_served_one_alone_and_is_gone_on_with() {
    let (store, runtime) = start().await;
    for _ in 0..10 {
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    }
    ten_are_applied(&runtime).await;
    store.set_trouble(Some(Trouble::Commits("checkpoint/tally/2")));
    let handle = runtime.projection_handle("tally").unwrap();
    let failed = handle.rebuild().await.unwrap().finished().await.unwrap_err();
    assert!(matches!(failed, RebuildError::Stopped { .. }), "{failed}");
    ten_are_applied(&runtime).await;
    let rebuild = handle.status().rebuild.unwrap();
    assert!(matches!(rebuild.failed, Some(ProjectionFailure::Store { .. })), "{rebuild:?}");
    store.set_trouble(None);
    handle.resume().await.unwrap();
    while handle.status().generation != Some(2) {
        tokio::task::yield_now().await;
    }
    ten_are_applied(&runtime).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_has_failed_is_shut_down_as_any_other() {
    let (store, runtime) = start().await;
    runtime.wait_until_current::<Tally>().await.unwrap();
    store.set_trouble(Some(Trouble::Commits("checkpoint/tally")));
    fail(&runtime, "tally").await;
    tokio::time::timeout(PATIENCE, runtime.shutdown()).await.unwrap();
}
