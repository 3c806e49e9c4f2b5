//! The SQLite store is held to the contracts of both ports.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU32, Ordering};

use es_core::conformance::{Fixture, Reopen};
use es_sqlite_store::SqliteStore;
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

es_core::conformance::store_tests!(
    Files::new() => EventStore, ConditionalAppend, StreamRemoval, StateStore, DurableEventStore, DurableStateStore
);
