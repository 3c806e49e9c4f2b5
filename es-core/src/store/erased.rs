//! Event stores whose type is forgotten, for registries and tools.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::commit::{Appended, Commit};
use crate::identity::EventId;
use crate::query::Query;
use crate::recorded::RecordedEvent;
use crate::store::error::{AppendError, ReadError};
use crate::store::event_store::{EventStore, QueryPage, QueryRange, StreamPage, StreamRange};
use crate::store::immediate::{ImmediateAppend, ImmediateRead};
use crate::store::in_place::InPlaceAppend;
use crate::store::projection_store::DynProjectionStore;
use crate::stream::StreamId;
use crate::version::Position;

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`EventStore`] as a trait object; every event store is one. Call it through
/// [`SharedEventStore`].
pub trait DynEventStore: Send + Sync + 'static {
    /// See [`EventStore::append`].
    fn append<'a>(&'a self, commit: &'a Commit) -> Answer<'a, Result<Appended, AppendError>>;
    /// See [`EventStore::append_chain`].
    fn append_chain<'a>(
        &'a self,
        commits: &'a [Commit],
    ) -> Answer<'a, Vec<Result<Appended, AppendError>>>;
    /// See [`EventStore::read_stream`].
    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        range: StreamRange,
    ) -> Answer<'a, Result<StreamPage, ReadError>>;
    /// See [`EventStore::read_live`].
    fn read_live<'a>(
        &'a self,
        stream: &'a StreamId,
        range: StreamRange,
    ) -> Answer<'a, Result<StreamPage, ReadError>>;
    /// See [`EventStore::read`].
    fn read<'a>(
        &'a self,
        query: &'a Query,
        range: QueryRange,
    ) -> Answer<'a, Result<QueryPage, ReadError>>;
    /// See [`EventStore::find`].
    fn find(&self, event_id: EventId) -> Answer<'_, Result<Option<RecordedEvent>, ReadError>>;
    /// See [`EventStore::head`].
    fn head(&self) -> Answer<'_, Result<Position, ReadError>>;
    /// See [`EventStore::wait_beyond`].
    fn wait_beyond(&self, position: Position) -> Answer<'_, Result<Position, ReadError>>;
    /// See [`EventStore::immediate`].
    fn immediate(&self) -> Option<&dyn ImmediateAppend>;
    /// See [`EventStore::in_place`].
    fn in_place(&self) -> Option<&dyn InPlaceAppend>;
    /// See [`EventStore::immediate_read`].
    fn immediate_read(&self) -> Option<&dyn ImmediateRead>;
    /// See [`EventStore::projection_store`].
    fn projection_store(&self) -> Option<&dyn DynProjectionStore>;
}

impl<S: EventStore> DynEventStore for S {
    fn append<'a>(&'a self, commit: &'a Commit) -> Answer<'a, Result<Appended, AppendError>> {
        Box::pin(EventStore::append(self, commit))
    }

    fn append_chain<'a>(
        &'a self,
        commits: &'a [Commit],
    ) -> Answer<'a, Vec<Result<Appended, AppendError>>> {
        Box::pin(EventStore::append_chain(self, commits))
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        range: StreamRange,
    ) -> Answer<'a, Result<StreamPage, ReadError>> {
        Box::pin(EventStore::read_stream(self, stream, range))
    }

    fn read_live<'a>(
        &'a self,
        stream: &'a StreamId,
        range: StreamRange,
    ) -> Answer<'a, Result<StreamPage, ReadError>> {
        Box::pin(EventStore::read_live(self, stream, range))
    }

    fn read<'a>(
        &'a self,
        query: &'a Query,
        range: QueryRange,
    ) -> Answer<'a, Result<QueryPage, ReadError>> {
        Box::pin(EventStore::read(self, query, range))
    }

    fn find(&self, event_id: EventId) -> Answer<'_, Result<Option<RecordedEvent>, ReadError>> {
        Box::pin(EventStore::find(self, event_id))
    }

    fn head(&self) -> Answer<'_, Result<Position, ReadError>> {
        Box::pin(EventStore::head(self))
    }

    fn wait_beyond(&self, position: Position) -> Answer<'_, Result<Position, ReadError>> {
        Box::pin(EventStore::wait_beyond(self, position))
    }

    fn immediate(&self) -> Option<&dyn ImmediateAppend> {
        EventStore::immediate(self)
    }

    fn in_place(&self) -> Option<&dyn InPlaceAppend> {
        EventStore::in_place(self)
    }

    fn immediate_read(&self) -> Option<&dyn ImmediateRead> {
        EventStore::immediate_read(self)
    }

    fn projection_store(&self) -> Option<&dyn DynProjectionStore> {
        EventStore::projection_store(self)
    }
}

/// An event store of any type, shared. It is an [`EventStore`] itself.
#[derive(Clone)]
pub struct SharedEventStore(Arc<dyn DynEventStore>);

impl SharedEventStore {
    /// Forgets the type of a store.
    pub fn new(store: Arc<impl EventStore>) -> Self {
        Self(store)
    }
}

impl EventStore for SharedEventStore {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        self.0.append(commit).await
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

    async fn read_live(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        self.0.read_live(stream, range).await
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

    fn immediate(&self) -> Option<&dyn ImmediateAppend> {
        self.0.immediate()
    }

    fn in_place(&self) -> Option<&dyn InPlaceAppend> {
        self.0.in_place()
    }

    fn immediate_read(&self) -> Option<&dyn ImmediateRead> {
        self.0.immediate_read()
    }

    fn projection_store(&self) -> Option<&dyn DynProjectionStore> {
        self.0.projection_store()
    }
}
