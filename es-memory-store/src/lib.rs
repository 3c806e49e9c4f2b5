//! The event store and the state store of [es-core](es_core) in memory.
//!
//! For tests, demonstrations and programs that rebuild their state at every start. It is as strict
//! as a durable store: expected versions and append conditions are checked under the lock that the
//! events are added under, and a refused commit leaves nothing behind. Nothing survives the
//! process.
//!
//! ```
//! use es_core::{Commit, Direction, EventStore, ExpectedVersion, StreamId, StreamRange};
//! use es_memory_store::MemoryStore;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let stream = StreamId::new("account", 42)?;
//! let page = store.read_stream(&stream, StreamRange::all()).await?;
//! assert!(page.events.is_empty());
//! # Ok(()) }
//! ```
//!
//! # Cost
//! An event takes about 55 bytes beside its payload and 10 to 20 in the indexes of streams, names
//! and ids. Payloads of one segment of 4,096 events lie together; those above 64 KiB are kept as they come
//! and are not copied. When the last segment is half full the memory of the next one is made ready: at least
//! 208 KiB. Reads of full segments copy nothing: their pages share them. A store holds at most 4,294,967,295 events and then says so.

mod event_ids;
mod fence;
mod indexes;
mod log;
mod merge;
mod names;
mod segments;
mod states;

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use es_core::uuid::Uuid;
use es_core::{
    AppendCondition, AppendError, Appended, ChainLink, Clock, Commit, ConditionalAppend,
    DynProjectionStore, EventId, EventStore, ImmediateAppend, ImmediateRead, Moment, Position,
    Query, QueryPage, QueryRange, ReadError, Recorded, RecordedAppend, RecordedCommit,
    RecordedEvent, Removal, RemovalError, SparsePage, StreamId, StreamPage, StreamRange,
    StreamRemoval, StreamVisit, Stub, SystemClock,
};
use parking_lot::{RwLock, RwLockWriteGuard};
use tokio::sync::Notify;

use crate::log::Log;
use crate::states::States;

/// How often an append looks whether the log is free before it sleeps. Another append holds the log for
/// about a hundred nanoseconds, and who sleeps is woken many times later: one of two threads
/// would sleep most of the time.
const LOOKS: u32 = 500;

/// Events and state records in memory. See [the front page](crate) for what it promises.
pub struct MemoryStore {
    log: RwLock<Log>,
    /// Wakes those who wait for news.
    news: Notify,
    /// How many wait for news.
    waiting: AtomicUsize,
    states: States,
    identity: Uuid,
    clock: Arc<dyn Clock>,
}

impl MemoryStore {
    /// An empty store that stamps events with the time of the machine.
    pub fn new() -> Self {
        Self::with_clock(SystemClock)
    }

    /// An empty store that stamps events with the time of this clock.
    pub fn with_clock(clock: impl Clock) -> Self {
        Self {
            log: RwLock::default(),
            news: Notify::new(),
            waiting: AtomicUsize::new(0),
            states: States::default(),
            identity: *EventId::generate().as_uuid(),
            clock: Arc::new(clock),
        }
    }

    fn append_guarded(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
        moment: &Moment,
    ) -> Result<Appended, AppendError> {
        // The clock is somebody else's: it is not asked under the lock.
        let now = self.clock.at(moment);
        let mut log = self.log_to_append();
        let answer = log.append(&self.states, commit, conditions, now);
        let wanted = log.segments.wanted();
        drop(log);
        if let Some(room) = wanted {
            let next = room.make();
            self.log.write().segments.provide(next);
        }
        if answer.is_ok() {
            self.tell();
        }
        answer
    }

    fn log_to_append(&self) -> RwLockWriteGuard<'_, Log> {
        if let Some(log) = self.log.try_write() {
            return log;
        }
        for _ in 0..LOOKS {
            std::hint::spin_loop();
            if !self.log.is_locked()
                && let Some(log) = self.log.try_write()
            {
                return log;
            }
        }
        self.log.write()
    }

    /// Wakes those who wait, after something was appended.
    fn tell(&self) {
        // Who is not counted yet will look at the log after this append has let go of its lock.
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.news.notify_waiters();
        }
    }

    /// Reads where all events are found that a query asks for.
    fn finding<R>(&self, query: &Query, read: impl FnOnce(&Log) -> R) -> R {
        let log = self.log.read();
        if log.finds(query) {
            return read(&log);
        }
        drop(log);
        let mut log = self.log.write();
        log.extend_indexes();
        read(&RwLockWriteGuard::downgrade(log))
    }
}

/// Counts one who waits, also when the wait is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn count(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl EventStore for MemoryStore {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        self.append_guarded(commit, &[], &Moment::default())
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        self.log.read().read_stream(stream, range)
    }

    async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        self.finding(query, |log| log.read(query, range))
    }

    async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        self.log.read().find(event_id)
    }

    async fn head(&self) -> Result<Position, ReadError> {
        Ok(self.log.read().head())
    }

    async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
        let _waiting = Waiting::count(&self.waiting);
        loop {
            let mut news = pin!(self.news.notified());
            // Listen first and look then, or what is appended in between is not heard of.
            news.as_mut().enable();
            let head = self.log.read().head();
            if head > position {
                return Ok(head);
            }
            news.await;
        }
    }

    fn immediate(&self) -> Option<&dyn ImmediateAppend> {
        Some(self)
    }

    fn immediate_read(&self) -> Option<&dyn ImmediateRead> {
        Some(self)
    }

    fn projection_store(&self) -> Option<&dyn DynProjectionStore> {
        Some(self)
    }
}

impl ImmediateAppend for MemoryStore {
    fn append_now(&self, commit: &Commit, moment: &Moment) -> Result<Appended, AppendError> {
        self.append_guarded(commit, &[], moment)
    }
}

impl ImmediateRead for MemoryStore {
    fn visit_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
        visit: &mut dyn FnMut(&Recorded<'_>) -> ControlFlow<()>,
    ) -> Result<StreamVisit, ReadError> {
        self.log.read().visit_stream(stream, range, visit)
    }
}

impl RecordedAppend for MemoryStore {
    async fn append_recorded(
        &self,
        commits: &[RecordedCommit],
    ) -> Vec<Result<Appended, AppendError>> {
        let mut answers = Vec::with_capacity(commits.len());
        let mut link = ChainLink::default();
        {
            let mut log = self.log.write();
            for RecordedCommit { commit, recorded_at } in commits {
                let answer = match link.check(commit) {
                    Ok(()) => log.append(&self.states, commit, &[], *recorded_at),
                    Err(conflict) => Err(conflict.into()),
                };
                let refused = answer.is_err();
                if let Ok(appended) = &answer {
                    link.extend(commit, appended);
                }
                answers.push(answer);
                if refused {
                    break;
                }
            }
        }
        self.tell();
        answers
    }
}

impl StreamRemoval for MemoryStore {
    async fn remove(&self, removal: &Removal) -> Result<(), RemovalError> {
        self.log.write().remove(removal)
    }

    async fn put_back(
        &self,
        stream: &StreamId,
        events: &[RecordedEvent],
    ) -> Result<(), RemovalError> {
        self.log.write().put_back(stream, events)
    }

    async fn stub(&self, stream: &StreamId) -> Result<Option<Stub>, ReadError> {
        Ok(self.log.read().stub(stream))
    }

    async fn stubs(&self, after: Option<&StreamId>, limit: usize) -> Result<Vec<Stub>, ReadError> {
        Ok(self.log.read().stubs(after, limit))
    }

    async fn read_sparse(&self, query: &Query, range: QueryRange) -> Result<SparsePage, ReadError> {
        Ok(self.finding(query, |log| log.read_sparse(query, range)))
    }
}

impl ConditionalAppend for MemoryStore {
    async fn append_if(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        self.append_guarded(commit, conditions, &Moment::default())
    }
}

#[cfg(test)]
mod tests;
