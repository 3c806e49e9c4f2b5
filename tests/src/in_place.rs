//! A store that can append in place, and counts how often it does.

use std::sync::atomic::{AtomicU64, Ordering};

use es_core::{
    AppendError, Appended, Commit, EventId, EventStore, ImmediateAppend, InPlaceAppend, Moment,
    Position, Query, QueryPage, QueryRange, ReadError, RecordedEvent, StreamId, StreamPage,
    StreamRange,
};
use es_memory_store::MemoryStore;

/// A memory store that waits for something before it appends, unless it is asked to append in place.
#[derive(Default)]
pub struct InPlaceStore {
    inner: MemoryStore,
    in_place: AtomicU64,
}

impl InPlaceStore {
    /// How many commits were appended in place.
    pub fn in_place(&self) -> u64 {
        self.in_place.load(Ordering::SeqCst)
    }
}

impl InPlaceAppend for InPlaceStore {
    fn try_append(&self, commit: &Commit) -> Option<Result<Appended, AppendError>> {
        self.in_place.fetch_add(1, Ordering::SeqCst);
        Some(self.inner.append_now(commit, &Moment::default()))
    }
}

impl EventStore for InPlaceStore {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        tokio::task::yield_now().await;
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

    fn in_place(&self) -> Option<&dyn InPlaceAppend> {
        Some(self)
    }
}
