//! A store in which others act at the worst moment.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use es_core::{
    AppendError, Appended, Commit, EventId, EventStore, Position, Query, QueryPage, QueryRange,
    ReadError, RecordedEvent, StoreFailure, StreamId, StreamPage, StreamRange,
};
use es_memory_store::MemoryStore;

/// What somebody else does at the worst moment.
type Act = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A memory store in which others act between two calls, and which can not always be read.
#[derive(Default)]
pub(crate) struct Worst {
    pub(crate) inner: Arc<MemoryStore>,
    after_find: Mutex<VecDeque<Act>>,
    before_append: Mutex<VecDeque<Act>>,
    pub(crate) failing_reads: AtomicU64,
    pub(crate) loses_the_tail: AtomicBool,
}

impl Worst {
    pub(crate) fn over(inner: &Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(inner), ..Self::default() })
    }

    pub(crate) fn after_find(&self, act: impl Future<Output = ()> + Send + 'static) {
        self.after_find.lock().unwrap().push_back(Box::pin(act));
    }

    pub(crate) fn before_append(&self, act: impl Future<Output = ()> + Send + 'static) {
        self.before_append.lock().unwrap().push_back(Box::pin(act));
    }

    fn read_or_fail(&self) -> Result<(), ReadError> {
        let left = |left: u64| left.checked_sub(1);
        match self.failing_reads.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left) {
            Ok(_) => Err(ReadError::Transient(StoreFailure::new("the store is busy"))),
            Err(_) => Ok(()),
        }
    }
}

async fn next_of(acts: &Mutex<VecDeque<Act>>) {
    let act = acts.lock().unwrap().pop_front();
    if let Some(act) = act {
        act.await;
    }
}

impl EventStore for Worst {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        next_of(&self.before_append).await;
        self.inner.append(commit).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        self.read_or_fail()?;
        let mut page = self.inner.read_stream(stream, range).await?;
        if self.loses_the_tail.load(Ordering::SeqCst) {
            let kept = page.events.len().saturating_sub(1);
            page.events = page.events.iter().take(kept).collect();
        }
        Ok(page)
    }

    async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        self.read_or_fail()?;
        self.inner.read(query, range).await
    }

    async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        self.read_or_fail()?;
        let found = self.inner.find(event_id).await;
        next_of(&self.after_find).await;
        found
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.read_or_fail()?;
        self.inner.head().await
    }

    async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
        self.inner.wait_beyond(position).await
    }
}
