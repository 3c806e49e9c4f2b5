//! Events for a worker: batch by batch, read and decoded ahead of it.

use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;

use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::projection::ahead::{Ahead, Backlog, ReadPage, Task};
use crate::projection::batch::Batch;
use crate::projection::host::Host;
use crate::query::Query;
use crate::store::{EventStore, QueryRange, ReadError};
use crate::version::Position;

/// The most events of a page, and so of a commit.
pub(crate) const PAGE_EVENTS: usize = 4096;

/// Payloads of fewer bytes than this are decoded faster than other threads are woken for it.
const FEW_BYTES: usize = 256 * 1024;

/// So many events are worth a thread that reads ahead, in a store that answers at once.
const FAR_BEHIND: u64 = 4 * PAGE_EVENTS as u64;

/// The most threads that help one who applies, who is one too: more would find little to do.
const MOST_HELP: usize = 7;

/// How many permits readers have.
pub(crate) const READERS: u32 = 1_000;

/// How many threads run at once. It is looked up in files.
static CORES: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, usize::from));

/// Reads the events of a projection in order. Meanwhile the next page is read and the next events are
/// decoded, or few more, but never more than that.
pub(crate) struct Feed<S> {
    reader: Reader<S>,
    ahead: Arc<Ahead<S>>,
    /// What follows this position is ahead.
    after: Position,
    /// Whoever has all of its permits knows that nothing is read ahead any more.
    readers: Arc<Semaphore>,
}

/// A batch, decoded as far as that was done.
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
        let after = Position::ZERO;
        let ahead = Arc::new(Ahead::new(reader.clone(), after));
        Self { reader, ahead, after, readers: Arc::clone(readers) }
    }

    /// The batch that follows a position.
    pub(crate) async fn next(&mut self, after: Position) -> Result<Fetched, ReadError> {
        if self.after != after {
            self.go_to(after);
        }
        loop {
            match self.ahead.next_task() {
                Task::Take(fetched) => {
                    self.after = fetched.token;
                    return Ok(fetched);
                }
                Task::Fail(error) => return Err(error),
                Task::Wait => self.ahead.has_changed().await,
                // Whoever applies lets others run on this thread, and looks whether it is to stop: before
                // every batch, which is little. To do so here would send it from thread to thread.
                Task::Decode(decode) => decode.run(None),
                Task::Read(read) => {
                    read.run().await;
                    self.get_help();
                }
            }
        }
    }

    /// Lets go of what is ahead, and of the threads that wait to do more: nobody knows when it goes on.
    pub(crate) fn rest(&mut self) {
        self.go_to(self.after);
    }

    fn go_to(&mut self, after: Position) {
        self.ahead.close();
        self.ahead = Arc::new(Ahead::new(self.reader.clone(), after));
        self.after = after;
    }

    /// Has threads read and decode what is ahead, if that is worth it.
    fn get_help(&self) {
        let waits = self.reader.store.immediate_read().is_none();
        let Some(Backlog { bytes, behind, more }) = self.ahead.without_help() else { return };
        let decodes = *CORES > 1 && (bytes >= FEW_BYTES || more && behind >= FAR_BEHIND);
        // One core is not busy while a store is waited for.
        let threads = if decodes { MOST_HELP.min(*CORES - 1) } else { usize::from(waits && more) };
        for _ in 0..threads {
            let permit = Arc::clone(&self.readers).try_acquire_owned().ok();
            Ahead::help(&self.ahead, decodes, permit);
        }
    }
}

impl<S> Drop for Feed<S> {
    fn drop(&mut self) {
        self.ahead.close();
    }
}

/// Reads pages.
pub(crate) struct Reader<S> {
    store: Arc<S>,
    pub(crate) host: Arc<dyn Host>,
    query: Arc<Query>,
    /// Events above it are left out.
    pub(crate) up_to: Position,
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
    /// The page that follows a position.
    pub(crate) async fn read(&self, after: Position) -> Result<ReadPage, ReadError> {
        let range =
            QueryRange { up_to: self.up_to, limit: PAGE_EVENTS, ..QueryRange::after(after) };
        let page = self.store.read(&self.query, range).await?;
        let (token, more, head) = (page.token(&range), page.more, page.head);
        Ok(ReadPage { events: Arc::new(page.events), token, more, head })
    }
}
