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
    DurableEventStore, DurableStateStore, DurableRecordedAppend, DurableProjectionStore,
    DurableProjectionRows
);

/// What is appended in place is appended as any other.
mod in_place {
    use std::path::Path;

    use es_core::{
        AppendError, Appended, Commit, EventId, EventStore, InPlaceAppend, Position, Query,
        QueryPage, QueryRange, ReadError, RecordedEvent, StreamId, StreamPage, StreamRange,
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
        InPlaceFiles(Files::new()) => EventStore, DurableEventStore
    );
}
