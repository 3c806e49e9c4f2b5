//! A store that is in use is moved: nothing is lost, nothing is doubled, and at no moment do two
//! stores take events.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use es_core::bytes::Bytes;
use es_core::uuid::Uuid;
use es_core::{
    AppendError, Commit, EventId, EventStore, ExpectedRevision, ExpectedVersion, FenceError,
    FencedStore, Metadata, NewEvent, Position, ProjectionStore, Query, QueryRange, RecordedAppend,
    RecordedEvent, SchemaVersion, StateKey, StateStore, StreamId, SubscriptionRecord,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::SqliteStore;
use es_transfer::{
    CallOffError, Copy, CutOverError, CutOverStep, TransferError, copy_records, digest,
};

/// How often a writer lets others run between two commits.
const PAUSE: u32 = 300;

fn commit(task: u64, number: u64) -> Commit {
    let event = |index: u64| NewEvent {
        id: EventId::from_uuid(Uuid::from_u64_pair(task, (number << 8) | (index + 1))),
        name: "noted".into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from(format!("[{task},{number},{index}]")),
        tags: [].into_iter().collect(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    let stream = StreamId::new("task", task).unwrap();
    let events = (0..=number % 3).map(event).collect();
    Commit::new(stream, ExpectedVersion::Any, events).unwrap()
}

async fn fill(store: &impl EventStore, commits: u64) {
    let commits: Vec<_> = (0..commits).map(|number| commit(number % 5, number)).collect();
    store.append_chain(&commits).await.pop().unwrap().unwrap();
}

async fn events(store: &impl EventStore) -> Vec<RecordedEvent> {
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

/// Programs append to a store while it is moved, and go on with the new one when they are told to.
async fn moved_while_it_is_written_to<S, T>(old: Arc<S>, new: Arc<T>)
where
    S: FencedStore + ProjectionStore,
    T: RecordedAppend + ProjectionStore,
{
    fill(&*old, 3_000).await;
    let stop = Arc::new(AtomicBool::new(false));
    let switched = Arc::new(tokio::sync::Notify::new());
    let writers: Vec<_> = (10..14)
        .map(|task| {
            let (old, new) = (Arc::clone(&old), Arc::clone(&new));
            let (stop, switched) = (Arc::clone(&stop), Arc::clone(&switched));
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                let mut number = 0;
                let listening = switched.notified();
                let fence = loop {
                    match old.append(&commit(task, number)).await {
                        Ok(_) => acknowledged.push(number),
                        Err(AppendError::Fenced { fence }) => break fence,
                        Err(error) => panic!("{error}"),
                    }
                    number += 1;
                    // Not as fast as they can: a store in memory would be at it for long.
                    for _ in 0..PAUSE {
                        tokio::task::yield_now().await;
                    }
                };
                assert_eq!(fence.successor, "new");
                listening.await;
                while !stop.load(Ordering::Relaxed) {
                    new.append(&commit(task, number)).await.unwrap();
                    acknowledged.push(number);
                    number += 1;
                    for _ in 0..PAUSE {
                        tokio::task::yield_now().await;
                    }
                }
                acknowledged
            })
        })
        .collect();
    let mut fenced_at = None;
    let copy = Copy::new(&*old, &*new);
    let cut_over = copy
        .cut_over("new", |step| {
            if let CutOverStep::Fenced(head) = step {
                fenced_at = Some(head);
            }
        })
        .await
        .unwrap();
    assert_eq!(fenced_at, Some(cut_over.head));
    assert_eq!(old.head().await.unwrap(), cut_over.head);
    let of_old = digest(&*old).await.unwrap();
    assert_eq!(
        (cut_over.verified.events, cut_over.verified.digest),
        (of_old.events, of_old.digest)
    );
    let streams: HashSet<_> = events(&*old).await.into_iter().map(|event| event.stream).collect();
    assert_eq!(cut_over.verified.streams, streams.len() as u64);
    switched.notify_waiters();
    let written = new.head().await.unwrap();
    new.wait_beyond(Position::new(written.get() + 20)).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let mut ids = HashMap::<EventId, u32>::new();
    for event in events(&*new).await {
        *ids.entry(event.event_id).or_default() += 1;
    }
    let before = events(&*new).await.len();
    for (task, writer) in (10..14).zip(writers) {
        for number in writer.await.unwrap() {
            let repeated = new.append(&commit(task, number)).await.unwrap().repeated;
            assert!(repeated, "commit {number} of task {task} is lost");
        }
    }
    assert!(ids.values().all(|count| *count == 1), "an event is there twice");
    let behind = events(&*new).await.len() - before;
    assert!(behind < 10, "retries were stored again");
    // The old store has got nothing since, and the cut-over is over.
    assert_eq!(digest(&*old).await.unwrap(), of_old);
    let again = copy.cut_over("new", |_| {}).await.unwrap();
    assert!(again.repeated);
    assert_eq!((again.head, again.verified), (cut_over.head, cut_over.verified));
    let lives = copy.call_off().await.unwrap_err();
    assert!(matches!(lives, CallOffError::TargetLives { .. }), "{lives}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_memory_is_moved_while_it_is_written_to() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    moved_while_it_is_written_to(Arc::new(old), Arc::new(new)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sqlite_store_is_moved_while_it_is_written_to() {
    let directory = tempfile::tempdir().unwrap();
    let open = |name| Arc::new(SqliteStore::open(directory.path().join(name)).unwrap());
    let (old, new) = (open("old.db"), open("new.db"));
    moved_while_it_is_written_to(Arc::clone(&old), Arc::clone(&new)).await;
    old.verify().await.unwrap();
    new.verify().await.unwrap();
}

#[tokio::test]
async fn a_cut_over_that_is_called_off_opens_the_old_store_again() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    fill(&old, 10).await;
    let copy = Copy::new(&old, &new);
    // Before it has begun there is nothing to call off.
    assert_eq!(copy.call_off().await.unwrap(), None);
    let fence = copy.cut_over("new", |_| {}).await.unwrap().fence;
    assert_eq!(copy.call_off().await.unwrap(), Some(fence));
    old.append(&commit(9, 1)).await.unwrap();
    let other = Copy::new(&old, &new).cut_over("newer", |_| {}).await.unwrap();
    assert!(!other.repeated);
    assert_eq!(digest(&new).await.unwrap(), digest(&old).await.unwrap());
}

#[tokio::test]
async fn a_store_that_goes_elsewhere_is_not_moved_and_nothing_is_copied() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    fill(&old, 10).await;
    old.fence("elsewhere").await.unwrap();
    let error = Copy::new(&old, &new).cut_over("new", |_| {}).await.unwrap_err();
    assert!(matches!(error, CutOverError::Fence(FenceError::Fenced { .. })), "{error}");
    assert_eq!(new.head().await.unwrap(), Position::ZERO);
}

#[tokio::test]
async fn a_target_with_events_of_its_own_leaves_the_old_store_open() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    fill(&old, 10).await;
    new.append(&commit(77, 0)).await.unwrap();
    let error = Copy::new(&old, &new).cut_over("new", |_| {}).await.unwrap_err();
    let refused = matches!(error, CutOverError::Open(TransferError::OtherTarget { .. }));
    assert!(refused, "{error}");
    assert_eq!(old.fenced().await.unwrap(), None);
}

#[tokio::test]
async fn a_change_that_fails_behind_the_fence_is_said_so_and_can_be_called_off() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    fill(&old, 3).await;
    let fails = Arc::new(AtomicBool::new(false));
    let copy = {
        let fails = Arc::clone(&fails);
        Copy::new(&old, &new).try_map(move |event| {
            if fails.load(Ordering::Relaxed) { Err("it is not so") } else { Ok(Some(event)) }
        })
    };
    copy.run(|_| {}).await.unwrap();
    fails.store(true, Ordering::Relaxed);
    let error = copy.cut_over("new", |_| {}).await.unwrap_err();
    let CutOverError::Open(TransferError::Change { version, reason, .. }) = error else {
        panic!("{error}")
    };
    assert_eq!((version.get(), reason.as_str()), (1, "it is not so"));
    fails.store(false, Ordering::Relaxed);
    let error = copy
        .cut_over("new", |step| {
            if let CutOverStep::Fenced(_) = step {
                fails.store(true, Ordering::Relaxed);
            }
        })
        .await;
    // Nothing was left to change behind the fence.
    error.unwrap();
}

#[tokio::test]
async fn durable_subscriptions_go_on_where_they_were_also_among_fewer_events() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    fill(&old, 40).await;
    let all = events(&old).await;
    let kept = |event: &RecordedEvent| event.stream.id() != "3";
    let (read, skipped) = (&all[20], all.iter().rposition(|event| !kept(event)).unwrap());
    let identity = ProjectionStore::identity(&old).await.unwrap();
    for (name, position) in [
        ("none", Position::ZERO),
        ("some", read.position),
        ("left-out", all[skipped].position),
        ("all", old.head().await.unwrap()),
    ] {
        let value = serde_json::json!({
            "store": identity, "position": position.get(), "at": "1998-12-31T00:00:00Z",
        });
        let key = StateKey::new(SubscriptionRecord::SPACE, name);
        let value = Bytes::from(value.to_string());
        old.put(&key, value, ExpectedRevision::Missing).await.unwrap();
    }
    let copy = Copy::new(&old, &new).filter(kept);
    assert_eq!(copy.cut_over("new", |_| {}).await.unwrap().subscriptions, 4);
    let moved = async |name: &str| {
        let key = StateKey::new(SubscriptionRecord::SPACE, name);
        let record = new.get(&key).await.unwrap().unwrap();
        SubscriptionRecord::read(&key, &record).unwrap().position()
    };
    let up_to = |position: Position| {
        let kept = all.iter().filter(|event| kept(event) && event.position <= position);
        Position::new(kept.count() as u64)
    };
    assert_eq!(moved("none").await, Position::ZERO);
    assert_eq!(moved("some").await, up_to(read.position));
    assert_eq!(moved("left-out").await, up_to(all[skipped].position));
    assert_eq!(moved("all").await, new.head().await.unwrap());
}

#[tokio::test]
async fn records_of_a_program_come_over_by_their_space() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    for number in 0..600 {
        let key = StateKey::new("rates", number.to_string());
        old.put(&key, Bytes::from_static(b"1"), ExpectedRevision::Any).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(copy_records(&old, &new, "rates").await.unwrap(), 600);
    }
    assert_eq!(new.list("rates", None, 1_000).await.unwrap().records.len(), 600);
}
