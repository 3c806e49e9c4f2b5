//! Events for a worker: read in pages, one ahead, and decoded on all cores.

use std::sync::Arc;
use std::thread::available_parallelism;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::projection::batch::{Batch, Chunk};
use crate::projection::host::Host;
use crate::query::Query;
use crate::store::{EventStore, QueryRange, ReadError};
use crate::version::Position;

/// The most events of a page, and so of a commit.
const PAGE_EVENTS: usize = 4096;

/// Payloads of fewer bytes than this are decoded faster than other threads are woken for it.
const FEW_BYTES: usize = 256 * 1024;

/// Reads the events of a projection in order. While a page is applied the next one is read and
/// decoded, but never more than that.
pub(crate) struct Feed<S> {
    store: Arc<S>,
    host: Arc<dyn Host>,
    query: Arc<Query>,
    /// Events above it are left out.
    up_to: Position,
    ahead: Option<Ahead>,
    /// Whoever has all of its permits knows that nothing is read ahead any more.
    readers: Arc<Semaphore>,
}

/// How many permits readers have.
pub(crate) const READERS: u32 = 1_000;

struct Ahead {
    after: Position,
    task: JoinHandle<Result<Fetched, ReadError>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A page, decoded.
pub(crate) struct Fetched {
    pub(crate) batch: Arc<Batch>,
    /// Up to where everything has been seen.
    pub(crate) token: Position,
    pub(crate) more: bool,
    pub(crate) head: Position,
    pub(crate) last_recorded_at: Option<Timestamp>,
}

impl<S: EventStore> Feed<S> {
    pub(crate) fn new(
        store: &Arc<S>,
        host: &Arc<dyn Host>,
        readers: &Arc<Semaphore>,
        up_to: Position,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            host: Arc::clone(host),
            query: Arc::new(host.query()),
            up_to,
            ahead: None,
            readers: Arc::clone(readers),
        }
    }

    /// The page that follows a position.
    pub(crate) async fn next(&mut self, after: Position) -> Result<Fetched, ReadError> {
        let fetched = match self.ahead.take() {
            Some(mut ahead) if ahead.after == after => match (&mut ahead.task).await {
                Ok(fetched) => fetched?,
                // It panicked in the store or was aborted with its tokio runtime: this task sees why.
                Err(_) => self.fetch(after).await?,
            },
            _ => self.fetch(after).await?,
        };
        // A store that answers at once is read when it is wanted: while its events are in the caches.
        if fetched.more && self.store.immediate_read().is_none() {
            let after = fetched.token;
            // In this order they are dropped: the permit outlives what the fetch has of the store.
            let held = (self.fetch(after), Arc::clone(&self.readers).try_acquire_owned());
            let task = async move {
                let (fetch, _permit) = held;
                fetch.await
            };
            self.ahead = Some(Ahead { after, task: tokio::spawn(task) });
        }
        Ok(fetched)
    }

    fn fetch(
        &self,
        after: Position,
    ) -> impl Future<Output = Result<Fetched, ReadError>> + Send + 'static {
        let (store, host, query) =
            (Arc::clone(&self.store), Arc::clone(&self.host), Arc::clone(&self.query));
        let range =
            QueryRange { up_to: self.up_to, limit: PAGE_EVENTS, ..QueryRange::after(after) };
        async move {
            let page = store.read(&query, range).await?;
            let (token, more, head) = (page.token(&range), page.more, page.head);
            let last_recorded_at = page.events.last().map(|last| last.recorded_at);
            let batch = decode(host, page.events).await;
            Ok(Fetched { batch: Arc::new(batch), token, more, head, last_recorded_at })
        }
    }
}

async fn decode(host: Arc<dyn Host>, page: crate::recorded::Page) -> Batch {
    let cores = available_parallelism().map_or(1, usize::from);
    let events = page.len();
    if cores == 1 || page.payload_bytes() < FEW_BYTES {
        if host.decodes_when_applied() {
            return Batch::undecoded(page);
        }
        let chunk = host.decode(&page, 0..events);
        return Batch::new(page, vec![chunk]);
    }
    let page = Arc::new(page);
    let share = events.div_ceil(cores);
    let parts: Vec<_> = (0..events).step_by(share).map(|at| at..(at + share).min(events)).collect();
    let tasks: Vec<_> = parts
        .iter()
        .map(|part| {
            let (host, page, part) = (Arc::clone(&host), Arc::clone(&page), part.clone());
            tokio::task::spawn_blocking(move || host.decode(&page, part))
        })
        .collect();
    let mut chunks: Vec<Chunk> = Vec::with_capacity(tasks.len());
    for (task, part) in tasks.into_iter().zip(parts) {
        chunks.push(match task.await {
            Ok(chunk) => chunk,
            // The tokio runtime ends: what is left to do is little.
            Err(_) => host.decode(&page, part),
        });
    }
    Batch::new(Arc::unwrap_or_clone(page), chunks)
}
