//! Events for a worker: read in pages ahead of it, and decoded on all cores.

use std::sync::Arc;
use std::thread::available_parallelism;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::projection::batch::{Batch, Chunk};
use crate::projection::host::Host;
use crate::projection::prefetch::Prefetch;
use crate::query::Query;
use crate::recorded::Page;
use crate::store::{EventStore, QueryRange, ReadError};
use crate::version::Position;

/// The most events of a page, and so of a commit.
const PAGE_EVENTS: usize = 4096;

/// Payloads of fewer bytes than this are decoded faster than other threads are woken for it.
const FEW_BYTES: usize = 256 * 1024;

/// So many events are decoded before somebody looks whether they are wanted.
const SOME_EVENTS: usize = 256;

/// So many events are worth a thread that reads ahead, in a store that answers at once.
const FAR_BEHIND: u64 = 4 * PAGE_EVENTS as u64;

/// Reads the events of a projection in order. While a page is applied the next one is read and
/// decoded, or few more, but never more than that.
pub(crate) struct Feed<S> {
    reader: Reader<S>,
    ahead: Ahead,
    /// Whoever has all of its permits knows that nothing is read ahead any more.
    readers: Arc<Semaphore>,
}

/// How many permits readers have.
pub(crate) const READERS: u32 = 1_000;

/// What is read while a page is applied.
enum Ahead {
    Nothing,
    Page(AheadPage),
    /// In a store that answers at once.
    Pages(Prefetch),
}

struct AheadPage {
    after: Position,
    task: JoinHandle<Result<Fetched, ReadError>>,
}

impl Drop for AheadPage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A page, decoded as far as that was done.
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
        let reader = Reader {
            store: Arc::clone(store),
            host: Arc::clone(host),
            query: Arc::new(host.query()),
            up_to,
        };
        Self { reader, ahead: Ahead::Nothing, readers: Arc::clone(readers) }
    }

    /// The page that follows a position.
    pub(crate) async fn next(&mut self, after: Position) -> Result<Fetched, ReadError> {
        let fetched = match std::mem::replace(&mut self.ahead, Ahead::Nothing) {
            Ahead::Page(mut page) if page.after == after => match (&mut page.task).await {
                Ok(fetched) => fetched?,
                // It panicked in the store or was aborted with its tokio runtime: this task sees why.
                Err(_) => self.reader.clone().read(after).await?,
            },
            Ahead::Pages(mut pages) => match pages.next(after).await {
                Some(fetched) => {
                    self.ahead = Ahead::Pages(pages);
                    fetched?
                }
                None => self.reader.clone().read(after).await?,
            },
            _ => self.reader.clone().read(after).await?,
        };
        if fetched.more && !matches!(self.ahead, Ahead::Pages(_)) {
            self.ahead = self.read_ahead(&fetched);
        }
        Ok(fetched)
    }

    fn read_ahead(&self, fetched: &Fetched) -> Ahead {
        let Fetched { token: after, head, .. } = *fetched;
        let permit = Arc::clone(&self.readers).try_acquire_owned().ok();
        let reader = self.reader.clone();
        if reader.store.immediate_read().is_some() {
            let behind = head.min(reader.up_to).get().saturating_sub(after.get());
            return if behind < FAR_BEHIND || cores() == 1 {
                Ahead::Nothing
            } else {
                Ahead::Pages(Prefetch::start(reader, after, permit))
            };
        }
        // In this order they are dropped: the permit outlives what the read has of the store.
        let held = (reader.read(after), permit);
        let task = async move {
            let (read, _permit) = held;
            read.await
        };
        Ahead::Page(AheadPage { after, task: tokio::spawn(task) })
    }
}

/// Reads pages.
pub(crate) struct Reader<S> {
    store: Arc<S>,
    host: Arc<dyn Host>,
    query: Arc<Query>,
    /// Events above it are left out.
    up_to: Position,
}

impl<S> Clone for Reader<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            host: Arc::clone(&self.host),
            query: Arc::clone(&self.query),
            up_to: self.up_to,
        }
    }
}

impl<S: EventStore> Reader<S> {
    /// Reads the page that follows a position, and decodes it, or leaves that to whoever applies it.
    async fn read(self, after: Position) -> Result<Fetched, ReadError> {
        let (read, page) = self.page(after).await?;
        let batch = if page.payload_bytes() >= FEW_BYTES {
            decode_on_all_cores(self.host, page).await
        } else if self.host.decodes_when_applied() {
            Batch::new(page, Vec::new())
        } else {
            let chunk = self.host.decode(&page, 0..page.len());
            Batch::new(page, vec![chunk])
        };
        Ok(Fetched { batch: Arc::new(batch), ..read })
    }

    /// Reads the page that follows a position, and decodes it until it is wanted, if whoever applies
    /// it can go on with that.
    pub(crate) async fn read_until_wanted(
        &self,
        after: Position,
        is_wanted: impl Fn() -> bool,
    ) -> Result<Fetched, ReadError> {
        let (read, page) = self.page(after).await?;
        let batch = if page.payload_bytes() >= FEW_BYTES {
            decode_on_all_cores(Arc::clone(&self.host), page).await
        } else {
            let events = page.len();
            let mut chunks = Vec::with_capacity(events.div_ceil(SOME_EVENTS));
            for at in (0..events).step_by(SOME_EVENTS) {
                if self.host.decodes_when_applied() && is_wanted() {
                    break;
                }
                chunks.push(self.host.decode(&page, at..(at + SOME_EVENTS).min(events)));
            }
            Batch::new(page, chunks)
        };
        Ok(Fetched { batch: Arc::new(batch), ..read })
    }

    /// The page that follows a position, and what is known of it beside its events.
    async fn page(&self, after: Position) -> Result<(Fetched, Page), ReadError> {
        let range =
            QueryRange { up_to: self.up_to, limit: PAGE_EVENTS, ..QueryRange::after(after) };
        let page = self.store.read(&self.query, range).await?;
        let read = Fetched {
            batch: Arc::default(),
            token: page.token(&range),
            more: page.more,
            head: page.head,
            last_recorded_at: page.events.last().map(|last| last.recorded_at),
        };
        Ok((read, page.events))
    }
}

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

async fn decode_on_all_cores(host: Arc<dyn Host>, page: Page) -> Batch {
    let (cores, events) = (cores(), page.len());
    if cores == 1 {
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
