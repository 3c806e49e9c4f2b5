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
    EventStore, ConditionalAppend, StateStore, RecordedAppend, ProjectionStore, ProjectionRows,
    DurableEventStore, DurableStateStore, DurableRecordedAppend, DurableProjectionStore,
    DurableProjectionRows
);
