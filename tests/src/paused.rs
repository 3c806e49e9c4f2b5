//! A store whose commits of projections can be held up, as those of a process that is stopped.

use std::sync::{Arc, Mutex, PoisonError};

use es_core::bytes::Bytes;
use es_core::uuid::Uuid;
use es_core::{
    AppendError, Appended, Commit, DynProjectionStore, EventId, EventStore, ExpectedRevision,
    NoRows, Position, ProjectionStore, Query, QueryPage, QueryRange, ReadError, RecordedEvent,
    Revision, RowWork, StateCommit, StateError, StateKey, StatePage, StateRecord, StateStore,
    StoreFailure, StreamId, StreamPage, StreamRange,
};
use es_memory_store::MemoryStore;
use tokio::sync::watch;

/// A memory store as one process sees it, which can be paused.
pub struct PausedStore {
    inner: Arc<MemoryStore>,
    runs: watch::Sender<bool>,
    refused: watch::Sender<bool>,
    trouble: Mutex<Option<Trouble>>,
}

/// What goes wrong until somebody mends it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Commits that change a record with this in its key are refused for good.
    Commits(&'static str),
    /// Commits that change a record with this in its key panic.
    Panics(&'static str),
    /// The record with this key is read as something that nobody writes there.
    Unreadable(&'static str),
    /// Nothing can be read.
    Reads,
}

impl PausedStore {
    pub fn new(inner: Arc<MemoryStore>) -> Self {
        Self {
            inner,
            runs: watch::Sender::new(true),
            refused: watch::Sender::new(false),
            trouble: Mutex::default(),
        }
    }

    /// Every commit from now on waits before it is carried out.
    pub fn pause(&self) {
        self.runs.send_replace(false);
    }

    pub fn wake(&self) {
        self.runs.send_replace(true);
    }

    /// Lets something go wrong, or nothing any more.
    pub fn set_trouble(&self, trouble: Option<Trouble>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until a commit was refused because somebody else was faster.
    pub async fn has_been_refused(&self) {
        // An error would mean that the sender is gone, which is borrowed here.
        let _ = self.refused.subscribe().wait_for(|refused| *refused).await;
    }
}

impl EventStore for PausedStore {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        self.inner.append(commit).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        self.inner.read_stream(stream, range).await
    }

    async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        if self.trouble() == Some(Trouble::Reads) {
            return Err(ReadError::Permanent(StoreFailure::new("the disk is gone")));
        }
        self.inner.read(query, range).await
    }

    async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        self.inner.find(event_id).await
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.inner.head().await
    }

    async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
        self.inner.wait_beyond(position).await
    }

    fn projection_store(&self) -> Option<&dyn DynProjectionStore> {
        Some(self)
    }
}

impl StateStore for PausedStore {
    async fn get(&self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
        let mut record = self.inner.get(key).await?;
        if let (Some(record), Some(Trouble::Unreadable(other))) = (&mut record, self.trouble())
            && key.to_string() == other
        {
            record.value = Bytes::from_static(b"?");
        }
        Ok(record)
    }

    async fn put(
        &self,
        key: &StateKey,
        value: Bytes,
        expected: ExpectedRevision,
    ) -> Result<Revision, StateError> {
        self.inner.put(key, value, expected).await
    }

    async fn remove(&self, key: &StateKey, expected: ExpectedRevision) -> Result<(), StateError> {
        self.inner.remove(key, expected).await
    }

    async fn list(
        &self,
        space: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<StatePage, StateError> {
        self.inner.list(space, after, limit).await
    }
}

impl ProjectionStore for PausedStore {
    type Rows = NoRows;

    async fn identity(&self) -> Result<Uuid, StateError> {
        self.inner.identity().await
    }

    async fn get_many(&self, keys: &[StateKey]) -> Result<Vec<Option<StateRecord>>, StateError> {
        self.inner.get_many(keys).await
    }

    async fn commit(
        &self,
        commit: StateCommit,
        rows: Option<RowWork<NoRows>>,
    ) -> Result<Revision, StateError> {
        // An error would mean that the sender is gone, which is borrowed here.
        let _ = self.runs.subscribe().wait_for(|runs| *runs).await;
        let meets =
            |text: &str| commit.changes.iter().any(|change| change.key.to_string().contains(text));
        match self.trouble() {
            Some(Trouble::Commits(text)) if meets(text) => {
                return Err(StateError::Permanent(StoreFailure::new("the disk is gone")));
            }
            Some(Trouble::Panics(text)) => assert!(!meets(text), "the store has a bug"),
            _ => {}
        }
        let answer = self.inner.commit(commit, rows).await;
        if let Err(StateError::Conflict { .. }) = &answer {
            self.refused.send_replace(true);
        }
        answer
    }
}
