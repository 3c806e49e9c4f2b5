//! A store that fails as it is told.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use es_core::{
    AppendError, Appended, Commit, EventId, EventStore, ExpectedVersion, ImmediateAppend, Moment,
    Position, Query, QueryPage, QueryRange, ReadError, RecordedEvent, StoreFailure, StreamId,
    StreamPage, StreamRange,
};
use es_memory_store::MemoryStore;
use tokio::sync::watch;

/// What happens to the next append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is not stored, and the answer says so.
    Transient,
    /// It is not stored, and will not be.
    Permanent,
    /// It is not stored, and the answer is lost.
    LostCommit,
    /// It is stored, and the answer is lost.
    LostAnswer,
    /// Somebody else repeats the last event of the stream first, under an id of its own.
    LostRace,
}

/// A memory store whose appends fail in a given order, and can be held up.
pub struct FaultyStore {
    inner: Arc<MemoryStore>,
    immediate: bool,
    faults: Mutex<VecDeque<Fault>>,
    open: watch::Sender<bool>,
    waiting: AtomicU64,
    reads: AtomicU64,
    events_read: AtomicU64,
    chains: Mutex<Vec<usize>>,
}

impl FaultyStore {
    pub fn new(inner: Arc<MemoryStore>) -> Self {
        Self {
            inner,
            immediate: false,
            faults: Mutex::default(),
            open: watch::Sender::new(true),
            waiting: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            events_read: AtomicU64::new(0),
            chains: Mutex::default(),
        }
    }

    /// One that can be appended to at once, and then is never held up.
    pub fn immediate(inner: Arc<MemoryStore>) -> Self {
        Self { immediate: true, ..Self::new(inner) }
    }

    /// What happens to the next appends, in order. After that nothing does.
    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.faults).extend(faults);
    }

    /// Holds up all appends until [`open`](Self::open).
    pub fn close(&self) {
        self.open.send_replace(false);
    }

    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// How many appends are held up.
    pub fn held_up(&self) -> u64 {
        self.waiting.load(Ordering::SeqCst)
    }

    /// How often a stream was read.
    pub fn stream_reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// How many events were read by queries.
    pub fn events_read(&self) -> u64 {
        self.events_read.load(Ordering::SeqCst)
    }

    /// How many commits each chain had.
    pub fn chains(&self) -> Vec<usize> {
        lock(&self.chains).clone()
    }

    async fn fail_or(&self, commit: &Commit) -> Result<Appended, AppendError> {
        let held_up = HeldUp::count(&self.waiting);
        // An error would mean that the sender is gone, which is borrowed here.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
        drop(held_up);
        self.append_now(commit, &Moment::default())
    }

    fn overtake(&self, commit: &Commit) -> Result<(), AppendError> {
        let stream = &commit.first().stream;
        let mut event = commit.first().events[0].clone();
        event.id = EventId::generate();
        match Commit::new(stream.clone(), ExpectedVersion::Any, vec![event]) {
            Ok(commit) => self.inner.append_now(&commit, &Moment::default()).map(|_| ()),
            Err(error) => Err(AppendError::Permanent(StoreFailure::caused_by("overtake", error))),
        }
    }
}

impl ImmediateAppend for FaultyStore {
    fn append_now(&self, commit: &Commit, moment: &Moment) -> Result<Appended, AppendError> {
        let fault = lock(&self.faults).pop_front().unwrap_or(Fault::None);
        let failure = StoreFailure::new("the store was told to fail");
        match fault {
            Fault::None => self.inner.append_now(commit, moment),
            Fault::Transient => Err(AppendError::Transient(failure)),
            Fault::Permanent => Err(AppendError::Permanent(failure)),
            Fault::LostCommit => Err(AppendError::OutcomeUnknown(failure)),
            Fault::LostAnswer => match self.inner.append_now(commit, moment) {
                Ok(_) => Err(AppendError::OutcomeUnknown(failure)),
                refused => refused,
            },
            Fault::LostRace => {
                self.overtake(commit)?;
                self.inner.append_now(commit, moment)
            }
        }
    }
}

/// Counts an append while it is held up, also when it is dropped there.
struct HeldUp<'a>(&'a AtomicU64);

impl<'a> HeldUp<'a> {
    fn count(waiting: &'a AtomicU64) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for HeldUp<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl EventStore for FaultyStore {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        self.fail_or(commit).await
    }

    async fn append_chain(&self, commits: &[Commit]) -> Vec<Result<Appended, AppendError>> {
        lock(&self.chains).push(commits.len());
        let mut link = es_core::ChainLink::default();
        let mut answers = Vec::new();
        for commit in commits {
            let answer = match link.check(commit) {
                Ok(()) => self.fail_or(commit).await,
                Err(conflict) => Err(conflict.into()),
            };
            if let Ok(appended) = &answer {
                link.extend(commit, appended);
            }
            answers.push(answer);
            if answers.last().is_some_and(Result::is_err) {
                break;
            }
        }
        answers
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.read_stream(stream, range).await
    }

    async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        let page = self.inner.read(query, range).await?;
        self.events_read.fetch_add(page.events.len() as u64, Ordering::SeqCst);
        Ok(page)
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

    fn immediate(&self) -> Option<&dyn ImmediateAppend> {
        self.immediate.then_some(self)
    }
}
