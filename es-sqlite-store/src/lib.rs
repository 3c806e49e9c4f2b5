//! The event store and the state store of [es-core](es_core) in one SQLite file.
//!
//! ```
//! use es_core::{EventStore, StreamId, StreamRange};
//! use es_sqlite_store::SqliteStore;
//!
//! # async fn example(directory: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! let store = SqliteStore::open(directory.join("bank.db"))?;
//! let stream = StreamId::new("account", 42)?;
//! let page = store.read_stream(&stream, StreamRange::all()).await?;
//! assert!(page.events.is_empty());
//! # Ok(()) }
//! ```
//!
//! # Guarantees
//!
//! - **An acknowledged append survives** `kill -9` and power loss: it is answered after the fsync. See
//!   [`Durability`] for the other choice.
//! - **Concurrent appends share an fsync.** One thread writes everything that waits in one
//!   transaction. A refused commit never fails its neighbours.
//! - **Reads never wait for the writer**, and the writer never for reads.
//! - **Positions have no gaps** in this store: 1, 2, 3 and so on over the whole log. Versions of a
//!   stream never have any.
//! - **What is read is what was written.** Every event carries a checksum over all of it, which is
//!   checked by every read, and reads in sequence notice a record that is missing. [`Damage`] says
//!   what was found.
//! - **One store writes to a file.** A second one, in this process or another, gets
//!   [`OpenError::InUse`], unless all of them share it: see
//!   [`shared`](SqliteStoreBuilder::shared). Other programs may read the file at any time.
//!
//! The file is an ordinary SQLite database: `sqlite3 bank.db 'SELECT * FROM events'`.
//!
//! # Threads
//!
//! A store has a thread that writes and a few that read. Its futures only wait for them and run on
//! any executor. Only what is appended through [`InPlaceAppend`], as a runtime does with a command that
//! is alone, is written on the thread that asks. Dropping a store waits until everything that was appended is written; share a store
//! as an `Arc`.

mod builder;
mod commits;
mod error;
mod event_ids;
mod event_types;
mod fence;
mod head;
mod job;
mod lock;
mod maintenance;
mod matches;
mod names;
mod news;
mod others;
mod pages;
mod presence;
mod read_ahead;
mod readers;
mod record;
mod removed;
mod rows;
mod schema;
mod state_records;
mod step_records;
mod turns;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use es_core::bytes::Bytes;
use es_core::uuid::Uuid;
use es_core::{
    AppendCondition, AppendError, Appended, Commit, ConditionalAppend, DynInlineStore,
    DynProjectionStore, EventId, EventStore, ExpectedRevision, Fence, FenceError, FencedStore,
    InPlaceAppend, Inline, InlineStore, Position, ProjectionStore, Query, QueryPage, QueryRange,
    ReadError, RecordedAppend, RecordedCommit, RecordedEvent, Removal, RemovalError, Revision,
    RowWork, SparsePage, StateCommit, StateError, StateKey, StatePage, StateRecord, StateStore,
    StoreFailure, StreamId, StreamPage, StreamRange, StreamRemoval, Stub,
};
use tokio::runtime::RuntimeFlavor;
use tokio::sync::{mpsc, oneshot};

pub use crate::builder::SqliteStoreBuilder;
use crate::error::Failure;
pub use crate::error::{Damage, MaintenanceError, OpenError};
use crate::event_ids::RecentIds;
use crate::head::{Head, Settling};
pub use crate::job::Checkpointed;
use crate::job::Job;
use crate::lock::WriterLock;
pub use crate::maintenance::{MAX_DAMAGE, Size, Verified};
use crate::news::News;
use crate::pages::Reader;
use crate::read_ahead::ReadAhead;
use crate::readers::Readers;
pub use crate::rows::{Sqlite, SqliteTransaction};
use crate::turns::Turns;
pub use rusqlite;

/// Events and state records in one SQLite file. See [the front page](crate) for what it promises.
pub struct SqliteStore {
    // Taken when the store is dropped, in the order of that.
    readers: Option<Readers>,
    news: Option<News>,
    queue: Option<mpsc::Sender<Job>>,
    turns: Arc<Turns>,
    writer: Option<JoinHandle<()>>,
    head: Head,
    settling: Settling,
    read_ahead: ReadAhead,
    recent_ids: Arc<RecentIds>,
    identity: Uuid,
    /// Drawn at every opening.
    opening: Uuid,
    path: PathBuf,
    busy: Duration,
    _lock: WriterLock,
}

/// What an acknowledged append survives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Durability {
    /// The end of the process, a crash of the system and the loss of power: every transaction is
    /// synced before it is answered (`synchronous = FULL`).
    #[default]
    Full,
    /// The end of the process. After a crash of the system or the loss of power the last
    /// acknowledged commits may be missing, as a whole and from the end: the log is synced only when it is
    /// copied into the database file (`synchronous = NORMAL`). Many times faster for one writer at a
    /// time; for data that can be imported again.
    Process,
}

impl Durability {
    fn synchronous(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Process => "normal",
        }
    }
}

impl SqliteStore {
    /// Opens the store in a file, and makes it if it is not there.
    ///
    /// # Errors
    /// See [`SqliteStoreBuilder::open`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        Self::builder(path).open()
    }

    /// Opens a store with options.
    ///
    /// ```
    /// use es_sqlite_store::{Durability, SqliteStore};
    ///
    /// # fn example(directory: &std::path::Path) -> Result<(), es_sqlite_store::OpenError> {
    /// let store = SqliteStore::builder(directory.join("cache.db"))
    ///     .durability(Durability::Process)
    ///     .open()?;
    /// # Ok(()) }
    /// ```
    pub fn builder(path: impl Into<PathBuf>) -> SqliteStoreBuilder {
        SqliteStoreBuilder::new(path.into())
    }

    /// Which store this is: an id that was drawn when the file was made, and that its copies share.
    pub fn identity(&self) -> Uuid {
        self.identity
    }

    /// The file, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads everything, and checks that it is what was written and that all indexes agree with it.
    ///
    /// It sees one snapshot; appends go on meanwhile, and the write-ahead log can not begin anew until
    /// it is done.
    ///
    /// # Errors
    /// [`MaintenanceError::Damaged`] with what was found.
    pub async fn verify(&self) -> Result<Verified, MaintenanceError> {
        let (path, busy) = (self.path.clone(), self.busy);
        in_a_thread("es-sqlite-verify", move || maintenance::verify(&path, busy)).await
    }

    /// Copies the store as it is now to a file that is not there yet. The file appears when it is
    /// whole and on disk. It is a store with the same identity.
    ///
    /// Appends go on meanwhile, and the write-ahead log can not begin anew until it is done.
    ///
    /// # Errors
    /// When the file exists or can not be written.
    pub async fn back_up(&self, to: impl Into<PathBuf>) -> Result<(), MaintenanceError> {
        let (path, busy, to) = (self.path.clone(), self.busy, to.into());
        in_a_thread("es-sqlite-backup", move || maintenance::back_up(&path, busy, &to)).await
    }

    /// Copies the write-ahead log into the database file now and gives its room back. The store does
    /// it by itself when the log has the length of
    /// [`checkpoint_at`](SqliteStoreBuilder::checkpoint_at).
    ///
    /// # Errors
    /// When the file can not be written. That somebody still reads an older state is no error, see
    /// [`Checkpointed::complete`].
    pub async fn checkpoint(&self) -> Result<Checkpointed, MaintenanceError> {
        let (answer, answered) = oneshot::channel();
        let stopped = |_| MaintenanceError::from(Failure::Stopped);
        match self.enqueue(Job::Checkpoint { answer }).await {
            Ok(()) => answered.await.unwrap_or_else(|_| Err(Failure::Stopped.into())),
            Err(error) => Err(stopped(error)),
        }
    }

    /// How much room the store takes on disk.
    ///
    /// # Errors
    /// When a file is not there any more.
    pub fn size(&self) -> Result<Size, MaintenanceError> {
        maintenance::size(&self.path)
    }

    async fn enqueue(&self, job: Job) -> Result<(), Failure> {
        match &self.queue {
            Some(queue) => queue.send(job).await.map_err(|_| Failure::Stopped),
            None => Err(Failure::Stopped),
        }
    }

    async fn append_all(
        &self,
        commits: Vec<Commit>,
        conditions: Vec<AppendCondition>,
    ) -> Vec<Result<Appended, AppendError>> {
        let (answer, answered) = oneshot::channel();
        if let Err(failure) = self.enqueue(Job::Append { commits, conditions, answer }).await {
            return vec![Err(failure.into())];
        }
        answered.await.unwrap_or_else(|_| vec![Err(AppendError::OutcomeUnknown(lost_answer()))])
    }

    async fn append_one(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        let mut answers = self.append_all(vec![commit.clone()], conditions.to_vec()).await;
        answers.pop().unwrap_or_else(|| Err(AppendError::OutcomeUnknown(lost_answer())))
    }

    /// Reads rows that projections have written, or whatever else is in the file, in one snapshot on
    /// a connection that can not write. Read the tables of projections under their plain names.
    ///
    /// # Errors
    /// When SQLite refuses it.
    pub async fn read_rows<T: Send + 'static>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let read = self.settling.read(self.readers()?, move |reader| {
            let snapshot = reader.connection.unchecked_transaction()?;
            Ok(read(&snapshot)?)
        });
        Ok(read.await?)
    }

    fn readers(&self) -> Result<&Readers, Failure> {
        self.readers.as_ref().ok_or(Failure::Stopped)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // The writer's connection goes last, because it can empty the log.
        self.readers = None;
        self.news = None;
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // Its panic was told to those who waited for it.
            let _ = writer.join();
        }
    }
}

fn lost_answer() -> StoreFailure {
    StoreFailure::new("the thread that writes has ended before it answered; open the store again")
}

/// Runs something long where it holds up nobody.
async fn in_a_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T, MaintenanceError> + Send + 'static,
) -> Result<T, MaintenanceError> {
    let (answer, answered) = oneshot::channel();
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody may wait any more.
        let _ = answer.send(work());
    });
    match thread {
        Ok(_) => answered.await.unwrap_or_else(|_| Err(Failure::Stopped.into())),
        Err(error) => Err(MaintenanceError::Database(StoreFailure::caused_by(
            "no thread could be started",
            error,
        ))),
    }
}

impl EventStore for SqliteStore {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        self.append_one(commit, &[]).await
    }

    async fn append_chain(&self, commits: &[Commit]) -> Vec<Result<Appended, AppendError>> {
        if commits.is_empty() {
            return Vec::new();
        }
        self.append_all(commits.to_vec(), Vec::new()).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        let readers = self.readers()?;
        Ok(self.read_ahead.read_stream(readers, &self.head, stream, range).await?)
    }

    async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        Ok(self.read_ahead.read(self.readers()?, &self.head, query, range).await?)
    }

    async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        let (readers, recent) = (self.readers()?, Arc::clone(&self.recent_ids));
        if self.head.is_shared() {
            return Ok(readers.read(move |reader| reader.find_shared(event_id, &recent)).await?);
        }
        let (head, recent) = (self.head.now(readers).await?, recent.position(event_id));
        Ok(readers.read(move |reader| reader.find(event_id, recent, head)).await?)
    }

    async fn head(&self) -> Result<Position, ReadError> {
        Ok(self.head.now(self.readers()?).await?)
    }

    async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
        Ok(self.head.beyond(position, self.readers()?).await?)
    }

    fn in_place(&self) -> Option<&dyn InPlaceAppend> {
        Some(self)
    }

    fn projection_store(&self) -> Option<&dyn DynProjectionStore> {
        Some(self)
    }
}

impl InPlaceAppend for SqliteStore {
    /// On a thread of a tokio runtime with several workers: the others go on while this one waits
    /// for the disk.
    fn try_append(&self, commit: &Commit) -> Option<Result<Appended, AppendError>> {
        let queue = self.queue.as_ref()?;
        // Who waits in the queue was here before.
        if queue.capacity() < queue.max_capacity() || !others_go_on() {
            return None;
        }
        self.turns.append_in_place(commit)
    }
}

/// Whether this thread may wait for the disk without keeping a whole program from its work.
fn others_go_on() -> bool {
    let current = tokio::runtime::Handle::try_current();
    current.is_ok_and(|tokio| {
        tokio.runtime_flavor() == RuntimeFlavor::MultiThread && tokio.metrics().num_workers() > 1
    })
}

impl ProjectionStore for SqliteStore {
    type Rows = Sqlite;

    async fn identity(&self) -> Result<Uuid, StateError> {
        Ok(self.identity)
    }

    fn opening(&self) -> Option<Uuid> {
        // Who shares the file may have taken a lease before this opening, and hold it still.
        if self.head.is_shared() { None } else { Some(self.opening) }
    }

    fn inline_store(&self) -> Option<&dyn DynInlineStore> {
        Some(self)
    }

    async fn get_many(&self, keys: &[StateKey]) -> Result<Vec<Option<StateRecord>>, StateError> {
        let keys = keys.to_vec();
        let read = self.settling.read(self.readers()?, move |reader| {
            // One snapshot for all of them.
            let snapshot = reader.connection.unchecked_transaction()?;
            keys.iter().map(|key| state_records::get(&snapshot, key)).collect()
        });
        Ok(read.await?)
    }

    async fn commit(
        &self,
        commit: StateCommit,
        rows: Option<RowWork<Sqlite>>,
    ) -> Result<Revision, StateError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::Commit { commit, rows, answer }).await?;
        answered.await.unwrap_or_else(|_| Err(StateError::OutcomeUnknown(lost_answer())))
    }
}

impl InlineStore for SqliteStore {
    async fn enlist(&self, inline: Inline, stay: bool) -> Result<(), StateError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::Enlist { inline, stay, answer }).await?;
        answered.await.unwrap_or_else(|_| Err(StateError::OutcomeUnknown(lost_answer())))
    }
}

impl RecordedAppend for SqliteStore {
    async fn append_recorded(
        &self,
        commits: &[RecordedCommit],
    ) -> Vec<Result<Appended, AppendError>> {
        if commits.is_empty() {
            return Vec::new();
        }
        let (answer, answered) = oneshot::channel();
        let job = Job::AppendRecorded { commits: commits.to_vec(), answer };
        if let Err(failure) = self.enqueue(job).await {
            return vec![Err(failure.into())];
        }
        answered.await.unwrap_or_else(|_| vec![Err(AppendError::OutcomeUnknown(lost_answer()))])
    }
}

impl FencedStore for SqliteStore {
    async fn fence(&self, successor: &str) -> Result<(Fence, Position), FenceError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::Fence { successor: successor.to_owned(), answer }).await?;
        answered.await.unwrap_or_else(|_| Err(FenceError::OutcomeUnknown(lost_answer())))
    }

    async fn fenced(&self) -> Result<Option<Fence>, ReadError> {
        Ok(self.readers()?.read(|reader| fence::read(reader.connection)).await?)
    }

    async fn lift_fence(&self) -> Result<Option<Fence>, FenceError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::LiftFence { answer }).await?;
        answered.await.unwrap_or_else(|_| Err(FenceError::OutcomeUnknown(lost_answer())))
    }
}

impl StreamRemoval for SqliteStore {
    async fn remove(&self, removal: &Removal) -> Result<(), RemovalError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::RemoveEvents { removal: removal.clone(), answer }).await?;
        let done = answered.await;
        self.read_ahead.clear();
        done.unwrap_or_else(|_| Err(RemovalError::OutcomeUnknown(lost_answer())))
    }

    async fn put_back(
        &self,
        stream: &StreamId,
        events: &[RecordedEvent],
    ) -> Result<(), RemovalError> {
        let (answer, answered) = oneshot::channel();
        let (stream, events) = (stream.clone(), events.to_vec());
        self.enqueue(Job::PutBack { stream, events, answer }).await?;
        let done = answered.await;
        self.read_ahead.clear();
        done.unwrap_or_else(|_| Err(RemovalError::OutcomeUnknown(lost_answer())))
    }

    async fn stub(&self, stream: &StreamId) -> Result<Option<Stub>, ReadError> {
        let (stream, head) = (stream.clone(), self.head.clone());
        let read = move |reader: &mut Reader<'_>| {
            // One snapshot of the version and the parts.
            let snapshot = reader.connection.unchecked_transaction()?;
            let head = head.of(&snapshot)?;
            removed::stub(&snapshot, &stream, head)
        };
        Ok(self.readers()?.read(read).await?)
    }

    async fn stubs(&self, after: Option<&StreamId>, limit: usize) -> Result<Vec<Stub>, ReadError> {
        let (after, head) = (after.cloned(), self.head.clone());
        let read = move |reader: &mut Reader<'_>| {
            let snapshot = reader.connection.unchecked_transaction()?;
            let head = head.of(&snapshot)?;
            removed::stubs(&snapshot, after.as_ref(), limit, head)
        };
        Ok(self.readers()?.read(read).await?)
    }

    async fn read_sparse(&self, query: &Query, range: QueryRange) -> Result<SparsePage, ReadError> {
        let (query, head) = (query.clone(), self.head.clone());
        let read = move |reader: &mut Reader<'_>| {
            let head = head.of(reader.connection)?;
            reader.read_sparse(&query, range, head)
        };
        Ok(self.readers()?.read(read).await?)
    }
}

impl ConditionalAppend for SqliteStore {
    async fn append_if(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        self.append_one(commit, conditions).await
    }
}

impl StateStore for SqliteStore {
    async fn get(&self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
        let key = key.clone();
        let read = move |reader: &mut Reader<'_>| state_records::get(reader.connection, &key);
        Ok(self.settling.read(self.readers()?, read).await?)
    }

    async fn put(
        &self,
        key: &StateKey,
        value: Bytes,
        expected: ExpectedRevision,
    ) -> Result<Revision, StateError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::Put { key: key.clone(), value, expected, answer }).await?;
        answered.await.unwrap_or_else(|_| Err(StateError::OutcomeUnknown(lost_answer())))
    }

    async fn remove(&self, key: &StateKey, expected: ExpectedRevision) -> Result<(), StateError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::Remove { key: key.clone(), expected, answer }).await?;
        answered.await.unwrap_or_else(|_| Err(StateError::OutcomeUnknown(lost_answer())))
    }

    async fn list(
        &self,
        space: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<StatePage, StateError> {
        let (space, after) = (space.to_owned(), after.map(str::to_owned));
        let read = move |reader: &mut Reader<'_>| {
            state_records::list(reader.connection, &space, after.as_deref(), limit)
        };
        Ok(self.settling.read(self.readers()?, read).await?)
    }
}
