//! A fenced store takes no new event, whoever appends it and however, and says where events go.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use es_core::bytes::Bytes;
use es_core::jiff::Timestamp;
use es_core::prelude::*;
use es_core::{
    AppendError, Commit, ConditionalAppend, ErrorCategory, EventId, EventStore, ExecuteError,
    ExpectedRevision, ExpectedVersion, FenceError, FencedStore, Metadata, Moment, NewEvent,
    Position, RecordedAppend, RecordedCommit, SchemaVersion, StateKey, StateStore, StreamId,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::SqliteStore;
use es_tests::counter::{Counter, Raise};

fn commit(stream: u64) -> Commit {
    let event = NewEvent {
        id: EventId::generate(),
        name: "noted".into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from_static(b"{}"),
        tags: [].into_iter().collect(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    Commit::new(StreamId::new("note", stream).unwrap(), ExpectedVersion::Any, vec![event]).unwrap()
}

fn is_fence<T: std::fmt::Debug>(answer: Result<T, AppendError>) {
    let error = answer.unwrap_err();
    assert_eq!(error.category(), ErrorCategory::Permanent);
    match error {
        AppendError::Fenced { fence } => assert_eq!(fence.successor, "elsewhere"),
        error => panic!("{error}"),
    }
}

trait Store: FencedStore + ConditionalAppend + RecordedAppend + StateStore {}
impl<S: FencedStore + ConditionalAppend + RecordedAppend + StateStore> Store for S {}

async fn keeps_the_contract<S: Store>(store: &S) {
    let stored = commit(1);
    let first = store.append(&stored).await.unwrap();
    assert_eq!(store.fenced().await.unwrap(), None);
    assert_eq!(store.lift_fence().await.unwrap(), None);
    let (fence, head) = store.fence("elsewhere").await.unwrap();
    assert_eq!((fence.successor.as_str(), head), ("elsewhere", first.last_position));
    assert_eq!(store.fenced().await.unwrap(), Some(fence.clone()));

    // However it comes.
    is_fence(store.append(&commit(1)).await);
    is_fence(store.append_if(&commit(2), &[]).await);
    is_fence(store.append_chain(&[commit(3), commit(4)]).await.pop().unwrap());
    let recorded = RecordedCommit { commit: commit(5), recorded_at: Timestamp::UNIX_EPOCH };
    is_fence(store.append_recorded(&[recorded]).await.pop().unwrap());
    if let Some(immediate) = store.immediate() {
        is_fence(immediate.append_now(&commit(6), &Moment::default()));
    }
    assert_eq!(store.head().await.unwrap(), head);

    // What is stored already is answered, and everything else goes on.
    let again = store.append(&stored).await.unwrap();
    assert_eq!((again.repeated, again.last_position), (true, head));
    let key = StateKey::new("checkpoint", "it");
    store.put(&key, Bytes::from_static(b"1"), ExpectedRevision::Any).await.unwrap();

    // The same fence again is the same; another one must not stand for it.
    assert_eq!(store.fence("elsewhere").await.unwrap(), (fence.clone(), head));
    let other = store.fence("somewhere else").await.unwrap_err();
    let message = other.to_string();
    assert!(matches!(other, FenceError::Fenced { .. }), "{message}");
    assert!(message.contains("its new events go to `elsewhere`"), "{message}");

    assert_eq!(store.lift_fence().await.unwrap(), Some(fence));
    let next = store.append(&commit(1)).await.unwrap();
    // A refused append has left nothing behind, and no gap.
    assert_eq!((next.first_position, next.version.get()), (head.next(), 2));
}

/// Of appends that race with a fence those at or below its head are stored, and no other.
async fn fences_at_one_instant<S: Store>(store: Arc<S>) {
    let appends: Vec<_> = (0..8)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut last = Position::ZERO;
                loop {
                    match store.append(&commit(task)).await {
                        Ok(appended) => last = appended.last_position,
                        refused => {
                            is_fence(refused);
                            return last;
                        }
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let begun = store.head().await.unwrap();
    store.wait_beyond(Position::new(begun.get() + 40)).await.unwrap();
    let (_, head) = store.fence("elsewhere").await.unwrap();
    let mut last = Position::ZERO;
    for append in appends {
        last = last.max(append.await.unwrap());
    }
    assert_eq!((last, store.head().await.unwrap()), (head, head));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_memory_keeps_the_contract_of_fences() {
    keeps_the_contract(&MemoryStore::new()).await;
    fences_at_one_instant(Arc::new(MemoryStore::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sqlite_store_keeps_the_contract_of_fences() {
    let directory = tempfile::tempdir().unwrap();
    let open = || SqliteStore::open(directory.path().join("store.db")).unwrap();
    keeps_the_contract(&open()).await;
    let store = Arc::new(open());
    fences_at_one_instant(Arc::clone(&store)).await;
    let fence = store.fenced().await.unwrap();
    store.verify().await.unwrap();
    let copy = directory.path().join("copy.db");
    store.back_up(&copy).await.unwrap();
    drop(store);
    // After a restart, and in a backup.
    for store in [open(), SqliteStore::open(copy).unwrap()] {
        assert_eq!(store.fenced().await.unwrap(), fence);
        is_fence(store.append(&commit(1)).await);
    }
}

#[tokio::test]
async fn stores_that_share_a_file_have_one_fence() {
    let directory = tempfile::tempdir().unwrap();
    let open = || SqliteStore::builder(directory.path().join("store.db")).shared().open().unwrap();
    let (one, other) = (open(), open());
    one.append(&commit(1)).await.unwrap();
    other.append(&commit(1)).await.unwrap();
    one.fence("elsewhere").await.unwrap();
    is_fence(other.append(&commit(1)).await);
    assert!(other.lift_fence().await.unwrap().is_some());
    one.append(&commit(1)).await.unwrap();
}

#[tokio::test]
async fn a_command_that_meets_the_fence_says_so_and_changes_nothing() {
    let store = Arc::new(MemoryStore::new());
    let registry = Registry::builder().aggregate::<Counter>().build().unwrap();
    let runtime = Runtime::builder_shared(Arc::clone(&store)).registry(registry);
    let runtime = runtime.start().await.unwrap();
    let id = CommandId::from_name("before");
    let raise = || Raise { counter: 1, by: 1 };
    let receipt = runtime.execute(raise()).command_id(id).await.unwrap();
    store.fence("elsewhere").await.unwrap();
    for _ in 0..2 {
        match runtime.execute(raise()).await.unwrap_err() {
            ExecuteError::Append(error) => is_fence(Err::<(), _>(error)),
            error => panic!("{error}"),
        }
    }
    // One that was carried out before is known here too.
    let again = runtime.execute(raise()).command_id(id).await.unwrap();
    assert_eq!((again.repeated, again.version), (true, receipt.version));
    store.lift_fence().await.unwrap();
    assert_eq!(runtime.execute(raise()).await.unwrap().version.get(), 2);
}
