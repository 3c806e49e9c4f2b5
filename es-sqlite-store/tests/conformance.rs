//! The SQLite store is held to the contracts of all its ports.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU32, Ordering};

use es_core::StateError;
use es_core::conformance::{Fixture, Reopen, RowFixture};
use es_sqlite_store::{SqliteStore, SqliteTransaction};
use tempfile::TempDir;

/// Files in a directory that goes away with the fixture.
struct Files {
    directory: TempDir,
    made: AtomicU32,
}

impl Files {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), made: AtomicU32::new(0) }
    }
}

impl Fixture for Files {
    type Store = SqliteStore;

    async fn empty(&self) -> SqliteStore {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        SqliteStore::open(self.directory.path().join(format!("{number}.db"))).unwrap()
    }
}

impl Reopen for Files {
    async fn reopen(&self, store: SqliteStore) -> SqliteStore {
        let path = store.path().to_owned();
        drop(store);
        SqliteStore::open(path).unwrap()
    }
}

impl RowFixture for Files {
    const TABLES: &'static [&'static str; 2] = &["suite_left", "suite_right"];

    fn create(rows: &mut SqliteTransaction<'_>) -> Result<(), StateError> {
        rows.execute_batch(
            "CREATE TABLE IF NOT EXISTS {suite_left} (number INTEGER NOT NULL);
             CREATE TABLE IF NOT EXISTS {suite_right} (number INTEGER NOT NULL);",
        )
    }

    fn insert(rows: &mut SqliteTransaction<'_>, number: i64) -> Result<(), StateError> {
        rows.execute("INSERT INTO {suite_left} (number) VALUES (?1)", [number])?;
        rows.execute("INSERT INTO {suite_right} (number) VALUES (?1)", [number])?;
        Ok(())
    }

    fn numbers(rows: &mut SqliteTransaction<'_>) -> Result<[Vec<i64>; 2], StateError> {
        Ok([
            rows.query("SELECT number FROM {suite_left} ORDER BY number", [], |row| row.get(0))?,
            rows.query("SELECT number FROM {suite_right} ORDER BY number", [], |row| row.get(0))?,
        ])
    }

    async fn served(&self, store: &SqliteStore) -> [Vec<i64>; 2] {
        let numbers = store.read_rows(|connection| {
            let numbers = |table| {
                let sql = format!("SELECT number FROM {table} ORDER BY number");
                let mut statement = connection.prepare(&sql)?;
                statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()
            };
            Ok([numbers("suite_left")?, numbers("suite_right")?])
        });
        numbers.await.unwrap()
    }
}

es_core::conformance::store_tests!(
    Files::new() =>
    EventStore, ConditionalAppend, StreamRemoval, StateStore, RecordedAppend, ProjectionStore, ProjectionRows,
    InlineStore, InlineConditionalAppend, InlineRecordedAppend, InlineRows,
    FencedStore, FencedConditionalAppend, FencedRecordedAppend,
    DurableEventStore, DurableStateStore, DurableRecordedAppend, DurableProjectionStore,
    DurableProjectionRows, DurableInlineStore, DurableFencedStore
);

/// What is appended in place is appended as any other.
mod in_place {
    use std::path::Path;

    use es_core::bytes::Bytes;
    use es_core::uuid::Uuid;
    use es_core::{
        AppendError, Appended, Commit, DynInlineStore, DynProjectionStore, EventId, EventStore,
        ExpectedRevision, Fence, FenceError, FencedStore, InPlaceAppend, Inline, InlineStore,
        NoRows, Position, ProjectionStore, Query, QueryPage, QueryRange, ReadError, RecordedEvent,
        Revision, RowWork, StateCommit, StateKey, StatePage, StateRecord, StateStore, StreamId,
        StreamPage, StreamRange,
    };

    use es_sqlite_store::Durability;

    use super::*;

    /// A store whose every append is tried in place first, also beside others.
    struct InPlace(SqliteStore);

    impl EventStore for InPlace {
        async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
            match self.0.try_append(commit) {
                Some(answer) => answer,
                None => self.0.append(commit).await,
            }
        }

        async fn append_chain(&self, commits: &[Commit]) -> Vec<Result<Appended, AppendError>> {
            self.0.append_chain(commits).await
        }

        async fn read_stream(
            &self,
            stream: &StreamId,
            range: StreamRange,
        ) -> Result<StreamPage, ReadError> {
            self.0.read_stream(stream, range).await
        }

        async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
            self.0.read(query, range).await
        }

        async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
            self.0.find(event_id).await
        }

        async fn head(&self) -> Result<Position, ReadError> {
            self.0.head().await
        }

        async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
            self.0.wait_beyond(position).await
        }

        fn in_place(&self) -> Option<&dyn InPlaceAppend> {
            self.0.in_place()
        }

        fn projection_store(&self) -> Option<&dyn DynProjectionStore> {
            Some(self)
        }
    }

    impl StateStore for InPlace {
        async fn get(&self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
            self.0.get(key).await
        }

        async fn put(
            &self,
            key: &StateKey,
            value: Bytes,
            expected: ExpectedRevision,
        ) -> Result<Revision, StateError> {
            self.0.put(key, value, expected).await
        }

        async fn remove(
            &self,
            key: &StateKey,
            expected: ExpectedRevision,
        ) -> Result<(), StateError> {
            self.0.remove(key, expected).await
        }

        async fn list(
            &self,
            space: &str,
            after: Option<&str>,
            limit: usize,
        ) -> Result<StatePage, StateError> {
            self.0.list(space, after, limit).await
        }
    }

    impl ProjectionStore for InPlace {
        type Rows = NoRows;

        async fn identity(&self) -> Result<Uuid, StateError> {
            ProjectionStore::identity(&self.0).await
        }

        fn inline_store(&self) -> Option<&dyn DynInlineStore> {
            Some(self)
        }

        async fn get_many(
            &self,
            keys: &[StateKey],
        ) -> Result<Vec<Option<StateRecord>>, StateError> {
            self.0.get_many(keys).await
        }

        async fn commit(
            &self,
            commit: StateCommit,
            _: Option<RowWork<NoRows>>,
        ) -> Result<Revision, StateError> {
            self.0.commit(commit, None).await
        }
    }

    impl InlineStore for InPlace {
        async fn enlist(&self, inline: Inline, stay: bool) -> Result<(), StateError> {
            self.0.enlist(inline, stay).await
        }
    }

    impl FencedStore for InPlace {
        async fn fence(&self, successor: &str) -> Result<(Fence, Position), FenceError> {
            self.0.fence(successor).await
        }

        async fn fenced(&self) -> Result<Option<Fence>, ReadError> {
            self.0.fenced().await
        }

        async fn lift_fence(&self) -> Result<Option<Fence>, FenceError> {
            self.0.lift_fence().await
        }
    }

    /// No power is lost here.
    fn open(path: &Path) -> InPlace {
        InPlace(SqliteStore::builder(path).durability(Durability::Process).open().unwrap())
    }

    struct InPlaceFiles(Files);

    impl Fixture for InPlaceFiles {
        type Store = InPlace;

        async fn empty(&self) -> InPlace {
            let number = self.0.made.fetch_add(1, Ordering::Relaxed);
            open(&self.0.directory.path().join(format!("{number}.db")))
        }
    }

    impl Reopen for InPlaceFiles {
        async fn reopen(&self, store: InPlace) -> InPlace {
            let path = store.0.path().to_owned();
            drop(store);
            open(&path)
        }
    }

    es_core::conformance::store_tests!(
        InPlaceFiles(Files::new()) =>
        EventStore, StateStore, ProjectionStore, InlineStore, FencedStore,
        DurableEventStore, DurableStateStore, DurableProjectionStore, DurableInlineStore,
        DurableFencedStore
    );
}
