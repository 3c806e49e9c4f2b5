//! Stores that share a file and take turns keep the contracts of the ports.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use es_core::bytes::Bytes;
use es_core::conformance::{Fixture, Reopen};
use es_core::{
    AppendCondition, AppendError, Appended, Commit, ConditionalAppend, ErrorCategory, EventId,
    EventStore, ExpectedRevision, ExpectedVersion, Metadata, NewEvent, Position, Query, QueryPage,
    QueryRange, ReadError, RecordedEvent, Revision, SchemaVersion, StateError, StateKey, StatePage,
    StateRecord, StateStore, StreamId, StreamPage, StreamRange, Tags,
};
use es_sqlite_store::{Durability, OpenError, SqliteStore, SqliteStoreBuilder};
use tempfile::TempDir;

/// No power is lost here.
fn sharing(path: &Path) -> SqliteStoreBuilder {
    SqliteStore::builder(path).durability(Durability::Process).shared()
}

fn share(path: &Path) -> SqliteStore {
    sharing(path).open().unwrap()
}

/// Files in a directory that goes away with the fixture.
struct Files {
    directory: TempDir,
    made: AtomicU32,
}

impl Files {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), made: AtomicU32::new(0) }
    }

    fn next(&self) -> std::path::PathBuf {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        self.directory.path().join(format!("{number}.db"))
    }
}

mod in_turns {
    use super::*;

    /// So many stores on one file. One passes too, and two are the harder case.
    const STORES: usize = 2;

    /// Every call goes to the next store, as to another process.
    struct InTurns {
        stores: [SqliteStore; STORES],
        calls: AtomicU32,
    }

    impl InTurns {
        fn next(&self) -> &SqliteStore {
            &self.stores[self.calls.fetch_add(1, Ordering::Relaxed) as usize % STORES]
        }
    }

    impl EventStore for InTurns {
        async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
            self.next().append(commit).await
        }

        async fn append_chain(&self, commits: &[Commit]) -> Vec<Result<Appended, AppendError>> {
            self.next().append_chain(commits).await
        }

        async fn read_stream(
            &self,
            stream: &StreamId,
            range: StreamRange,
        ) -> Result<StreamPage, ReadError> {
            self.next().read_stream(stream, range).await
        }

        async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
            self.next().read(query, range).await
        }

        async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
            self.next().find(event_id).await
        }

        async fn head(&self) -> Result<Position, ReadError> {
            self.next().head().await
        }

        async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
            self.next().wait_beyond(position).await
        }
    }

    impl ConditionalAppend for InTurns {
        async fn append_if(
            &self,
            commit: &Commit,
            conditions: &[AppendCondition],
        ) -> Result<Appended, AppendError> {
            self.next().append_if(commit, conditions).await
        }
    }

    impl StateStore for InTurns {
        async fn get(&self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
            self.next().get(key).await
        }

        async fn put(
            &self,
            key: &StateKey,
            value: Bytes,
            expected: ExpectedRevision,
        ) -> Result<Revision, StateError> {
            self.next().put(key, value, expected).await
        }

        async fn remove(
            &self,
            key: &StateKey,
            expected: ExpectedRevision,
        ) -> Result<(), StateError> {
            self.next().remove(key, expected).await
        }

        async fn list(
            &self,
            space: &str,
            after: Option<&str>,
            limit: usize,
        ) -> Result<StatePage, StateError> {
            self.next().list(space, after, limit).await
        }
    }

    struct Stores(Files);

    impl Stores {
        fn open(path: &Path) -> InTurns {
            InTurns { stores: std::array::from_fn(|_| share(path)), calls: AtomicU32::new(0) }
        }
    }

    impl Fixture for Stores {
        type Store = InTurns;

        async fn empty(&self) -> InTurns {
            Self::open(&self.0.next())
        }
    }

    impl Reopen for Stores {
        async fn reopen(&self, stores: InTurns) -> InTurns {
            let path = stores.stores[0].path().to_owned();
            drop(stores);
            Self::open(&path)
        }
    }

    es_core::conformance::store_tests!(
        Stores(Files::new()) =>
        EventStore, ConditionalAppend, StateStore, DurableEventStore, DurableStateStore
    );
}

fn commit(stream: u64, events: usize) -> Commit {
    let event = |_| NewEvent {
        id: EventId::generate(),
        name: "noted".into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from_static(b"{}"),
        tags: Tags::new(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    let stream = StreamId::new("note", stream).unwrap();
    Commit::new(stream, ExpectedVersion::Any, (0..events).map(event).collect()).unwrap()
}

#[test]
fn stores_share_a_file_only_if_all_of_them_want_to() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("shared.db");
    let (one, other) = (share(&path), share(&path));
    let alone = SqliteStore::open(&path).err().unwrap();
    assert!(matches!(alone, OpenError::Shared { .. }), "{alone}");
    assert!(alone.to_string().contains("open it with `shared()` here too"), "{alone}");
    drop(one);
    assert!(matches!(SqliteStore::open(&path), Err(OpenError::Shared { .. })));
    drop(other);

    let alone = SqliteStore::open(&path).unwrap();
    let wait = Duration::from_millis(20);
    let refused = sharing(&path).busy_timeout(wait).open().err().unwrap();
    let me = std::process::id();
    assert!(matches!(refused, OpenError::NotShared { process: Some(it), .. } if it == me));
    let expected = format!("is in use by process {me} alone; open it with `shared()` there too");
    assert!(refused.to_string().contains(&expected), "{refused}");
    drop(alone);
    drop(share(&path));
}

#[test]
fn a_file_that_many_make_at_once_is_one_store() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("new.db");
    let openers: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || share(&path))
        })
        .collect();
    let stores: Vec<_> = openers.into_iter().map(|opener| opener.join().unwrap()).collect();
    assert!(stores.iter().all(|store| store.identity() == stores[0].identity()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_stores_append_at_the_same_time_is_one_log() {
    const COMMITS: u64 = 400;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("shared.db");
    let stores = [Arc::new(share(&path)), Arc::new(share(&path))];
    let tasks: Vec<_> = (0..8_u64)
        .map(|task| {
            let store = Arc::clone(&stores[task as usize % 2]);
            tokio::spawn(async move {
                for number in 0..COMMITS {
                    // Many to streams that both write to, so that each must know of the other's.
                    let to = if number % 3 == 0 { 100 + task } else { number % 5 };
                    let commit = commit(to, 1 + number as usize % 3);
                    let appended = store.append(&commit).await.unwrap();
                    let again = store.append(&commit).await.unwrap();
                    assert_eq!(again, Appended { repeated: true, ..appended });
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let heads = [stores[0].head().await.unwrap(), stores[1].head().await.unwrap()];
    assert_eq!(heads[0], heads[1]);
    for store in &stores {
        let verified = store.verify().await.unwrap();
        assert_eq!(verified.events, heads[0].get());
        // Each event of each other.
        let all = QueryRange { limit: usize::MAX, ..QueryRange::all() };
        let page = store.read(&Query::all(), all).await.unwrap();
        for recorded in page.events.iter().step_by(97) {
            let found = store.find(recorded.event_id).await.unwrap().unwrap();
            assert_eq!(found.position, recorded.position);
        }
        assert!(store.find(EventId::generate()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_lock_that_is_held_for_long_makes_those_who_share_fail_for_now() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("shared.db");
    let store = sharing(&path).busy_timeout(Duration::from_millis(100)).open().unwrap();
    store.append(&commit(1, 1)).await.unwrap();
    // As a process that is stopped in the middle of a transaction.
    let stopped = rusqlite::Connection::open(&path).unwrap();
    stopped.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.append(&commit(1, 1)).await.unwrap_err();
    assert_eq!(error.category(), ErrorCategory::Transient);
    assert!(
        error.to_string().contains("is one stopped in the middle of a transaction?"),
        "{error}"
    );
    // Reading goes on.
    assert_eq!(store.head().await.unwrap().get(), 1);
    stopped.execute_batch("ROLLBACK").unwrap();
    store.append(&commit(1, 1)).await.unwrap();
}

#[tokio::test]
async fn a_file_that_was_alone_is_shared_with_all_its_ids() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("shared.db");
    let commits: Vec<_> = (0..700).map(|number| commit(number % 7, 1)).collect();
    {
        let alone = SqliteStore::builder(&path).durability(Durability::Process).open().unwrap();
        for answer in alone.append_chain(&commits).await {
            answer.unwrap();
        }
    }
    let (one, other) = (share(&path), share(&path));
    for commit in &commits {
        assert!(one.append(commit).await.unwrap().repeated);
        assert!(other.find(commit.first().events[0].id).await.unwrap().is_some());
    }
    assert_eq!(other.head().await.unwrap().get(), 700);
    drop((one, other));
    assert!(fs::exists(&path).unwrap());
    SqliteStore::open(&path).unwrap().verify().await.unwrap();
}
