//! The writer: whoever has its turn stores everything that waits in one transaction.
//!
//! A transaction costs an fsync, and an fsync costs as much for many commits as for one. While one
//! runs, the next commits queue, and share the next. Everybody is answered after the fsync.
//!
//! The turn is that of a thread. To wake it and to be woken by it takes longer than a fast disk
//! needs, so that an append which finds the writer idle can have the turn [in place](Turns::append_in_place).

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use es_core::bytes::Bytes;
use es_core::{
    AppendCondition, AppendError, Appended, Clock, Commit, ExpectedRevision, Fence, FenceError,
    Inline, Position, RecordedCommit, RecordedEvent, Removal, RemovalError, Revision, RowWork,
    StateCommit, StateError, StateKey, StoreFailure, StreamId,
};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot, watch};

use crate::commits::{Inlines, Log};
use crate::error::{Failure, MaintenanceError};
use crate::event_ids::RecentIds;
use crate::news::raise;
use crate::presence::Presence;
use crate::rows::Sqlite;
use crate::state_records;

/// A transaction takes no more commits when it has so many events or so many bytes.
const MOST_EVENTS: usize = 8_192;
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// So many are taken from the queue at once.
const TAKEN_TOGETHER: usize = 256;

/// What is appended in place is at most so large.
const IN_PLACE_EVENTS: usize = 64;
const IN_PLACE_BYTES: usize = 256 * 1024;

/// Nothing is appended in place while the disk takes longer than this: a thread that could do other
/// work would wait for it, and against that what it costs to wake another one is little.
const IN_PLACE_SYNC: Duration = Duration::from_millis(2);

/// What is asked of the writer.
pub(crate) enum Job {
    Append {
        commits: Vec<Commit>,
        conditions: Vec<AppendCondition>,
        answer: oneshot::Sender<Vec<Result<Appended, AppendError>>>,
    },
    AppendRecorded {
        commits: Vec<RecordedCommit>,
        answer: oneshot::Sender<Vec<Result<Appended, AppendError>>>,
    },
    Put {
        key: StateKey,
        value: Bytes,
        expected: ExpectedRevision,
        answer: oneshot::Sender<Result<Revision, StateError>>,
    },
    Remove {
        key: StateKey,
        expected: ExpectedRevision,
        answer: oneshot::Sender<Result<(), StateError>>,
    },
    Commit {
        commit: StateCommit,
        rows: Option<RowWork<Sqlite>>,
        answer: oneshot::Sender<Result<Revision, StateError>>,
    },
    Enlist {
        inline: Inline,
        stay: bool,
        answer: oneshot::Sender<Result<(), StateError>>,
    },
    Fence {
        successor: String,
        answer: oneshot::Sender<Result<(Fence, Position), FenceError>>,
    },
    LiftFence {
        answer: oneshot::Sender<Result<Option<Fence>, FenceError>>,
    },
    /// Events go.
    RemoveEvents {
        removal: Removal,
        answer: oneshot::Sender<Result<(), RemovalError>>,
    },
    /// Events come back.
    PutBack {
        stream: StreamId,
        events: Vec<RecordedEvent>,
        answer: oneshot::Sender<Result<(), RemovalError>>,
    },
    Checkpoint {
        answer: oneshot::Sender<Result<Checkpointed, MaintenanceError>>,
    },
}

/// What a job came to, if the transaction is committed.
enum Outcome {
    Append(Vec<Result<Appended, AppendError>>),
    Put(Result<Revision, StateError>),
    Remove(Result<(), StateError>),
    Commit(Result<Revision, StateError>),
    Enlist(Result<(), StateError>),
    Fence(Result<(Fence, Position), FenceError>),
    LiftFence(Option<Fence>),
    Removal(Result<(), RemovalError>),
    /// Is done between transactions.
    Checkpoint,
}

/// How far a checkpoint came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Checkpointed {
    /// Whether everything was copied into the database file and the log was emptied. It is not when
    /// somebody still reads an older state.
    pub complete: bool,
    /// How many pages the log holds.
    pub log_pages: u64,
    /// How many of them are copied.
    pub copied_pages: u64,
}

impl Job {
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Append { commits, .. } => total(commits.iter().map(size)),
            Self::AppendRecorded { commits, .. } => {
                total(commits.iter().map(|recorded| size(&recorded.commit)))
            }
            Self::Put { value, .. } => (1, value.len()),
            Self::Commit { commit, .. } => {
                let values = commit.changes.iter().filter_map(|change| change.value.as_ref());
                (commit.changes.len().max(1), values.map(Bytes::len).sum())
            }
            Self::RemoveEvents { removal: Removal { part, .. }, .. } => {
                let events = part.to.get().saturating_sub(part.from.get());
                (usize::try_from(events).unwrap_or(MOST_EVENTS), 0)
            }
            Self::PutBack { events, .. } => {
                (events.len(), events.iter().map(|event| event.payload.len()).sum())
            }
            Self::Remove { .. }
            | Self::Enlist { .. }
            | Self::Fence { .. }
            | Self::LiftFence { .. }
            | Self::Checkpoint { .. } => (1, 0),
        }
    }

    // Whoever waited may be gone.
    fn answer(self, outcome: Outcome) {
        match (self, outcome) {
            (
                Self::Append { answer, .. } | Self::AppendRecorded { answer, .. },
                Outcome::Append(answers),
            ) => {
                let _ = answer.send(answers);
            }
            (Self::Put { answer, .. }, Outcome::Put(result)) => {
                let _ = answer.send(result);
            }
            (Self::Remove { answer, .. }, Outcome::Remove(result))
            | (Self::Enlist { answer, .. }, Outcome::Enlist(result)) => {
                let _ = answer.send(result);
            }
            (Self::Commit { answer, .. }, Outcome::Commit(result)) => {
                let _ = answer.send(result);
            }
            (Self::Fence { answer, .. }, Outcome::Fence(result)) => {
                let _ = answer.send(result);
            }
            (Self::LiftFence { answer }, Outcome::LiftFence(fence)) => {
                let _ = answer.send(Ok(fence));
            }
            (
                Self::RemoveEvents { answer, .. } | Self::PutBack { answer, .. },
                Outcome::Removal(result),
            ) => {
                let _ = answer.send(result);
            }
            // An outcome is made from its own job. Whoever waits is told that nothing was answered.
            _ => {}
        }
    }

    /// Answers that nothing was stored.
    fn fail(self, failure: Failure) {
        match self {
            Self::Append { answer, .. } | Self::AppendRecorded { answer, .. } => {
                let _ = answer.send(vec![Err(failure.into())]);
            }
            Self::Put { answer, .. } | Self::Commit { answer, .. } => {
                let _ = answer.send(Err(failure.into()));
            }
            Self::Remove { answer, .. } | Self::Enlist { answer, .. } => {
                let _ = answer.send(Err(failure.into()));
            }
            Self::Fence { answer, .. } => {
                let _ = answer.send(Err(failure.into()));
            }
            Self::LiftFence { answer } => {
                let _ = answer.send(Err(failure.into()));
            }
            Self::RemoveEvents { answer, .. } | Self::PutBack { answer, .. } => {
                let _ = answer.send(Err(failure.into()));
            }
            Self::Checkpoint { answer } => {
                let _ = answer.send(Err(failure.into()));
            }
        }
    }

    /// Answers that it is not known what was stored.
    fn leave_open(self, failure: StoreFailure) {
        match self {
            Self::Append { answer, .. } | Self::AppendRecorded { answer, .. } => {
                let _ = answer.send(vec![Err(AppendError::OutcomeUnknown(failure))]);
            }
            Self::Put { answer, .. } | Self::Commit { answer, .. } => {
                let _ = answer.send(Err(StateError::OutcomeUnknown(failure)));
            }
            Self::Remove { answer, .. } | Self::Enlist { answer, .. } => {
                let _ = answer.send(Err(StateError::OutcomeUnknown(failure)));
            }
            Self::Fence { answer, .. } => {
                let _ = answer.send(Err(FenceError::OutcomeUnknown(failure)));
            }
            Self::LiftFence { answer } => {
                let _ = answer.send(Err(FenceError::OutcomeUnknown(failure)));
            }
            Self::RemoveEvents { answer, .. } | Self::PutBack { answer, .. } => {
                let _ = answer.send(Err(RemovalError::OutcomeUnknown(failure)));
            }
            Self::Checkpoint { .. } => {}
        }
    }
}

/// The writer, for whoever has its turn. It is gone when its thread has ended, or when somebody
/// panicked in the middle of a transaction.
pub(crate) struct Turns(Mutex<Option<Box<Writer>>>);

impl Turns {
    pub(crate) fn new(writer: Writer) -> Self {
        Self(Mutex::new(Some(Box::new(writer))))
    }

    /// Starts the thread that has the turn when somebody is in the queue.
    pub(crate) fn start(
        self: &Arc<Self>,
        jobs: mpsc::Receiver<Job>,
    ) -> std::io::Result<JoinHandle<()>> {
        let turns = Ending(Arc::clone(self));
        let thread = std::thread::Builder::new().name("es-sqlite-writer".to_owned());
        thread.spawn(move || turns.0.serve(jobs))
    }

    fn serve(&self, mut jobs: mpsc::Receiver<Job>) {
        let mut company = 1;
        let mut taken = Vec::new();
        while jobs.blocking_recv_many(&mut taken, TAKEN_TOGETHER) > 0 {
            let place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let served = have(place, |writer| {
                gather(&mut jobs, &mut taken, company);
                company = taken.len();
                writer.carry_out(std::mem::take(&mut taken));
                writer.checkpoint_when_due();
            });
            if served.is_none() {
                return;
            }
        }
    }

    /// Appends a commit on this thread if that is soon done: nobody has the turn, the disk is fast
    /// and the commit small.
    pub(crate) fn append_in_place(&self, commit: &Commit) -> Option<Result<Appended, AppendError>> {
        let place = match self.0.try_lock() {
            Ok(place) => place,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        have(place, |writer| writer.append_in_place(commit)).flatten()
    }
}

/// The turn. Who panics in it takes the writer along.
fn have<T>(
    mut place: MutexGuard<'_, Option<Box<Writer>>>,
    work: impl FnOnce(&mut Writer) -> T,
) -> Option<T> {
    let mut writer = place.take()?;
    let done = work(&mut writer);
    *place = Some(writer);
    Some(done)
}

/// The end of the writer's thread, however that ends: those who wait for news are told.
struct Ending(Arc<Turns>);

impl Drop for Ending {
    fn drop(&mut self) {
        drop(self.0.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Takes what waits. After a round of many, those who were answered are about to come back: it is
/// worth a moment to let them.
fn gather(queue: &mut mpsc::Receiver<Job>, jobs: &mut Vec<Job>, company: usize) {
    let (mut events, mut bytes, mut sized) = (0, 0, 0);
    let mut patience = if company > 1 { PATIENCE } else { 0 };
    loop {
        for job in &jobs[sized..] {
            let (more_events, more_bytes) = job.size();
            (events, bytes) = (events + more_events, bytes + more_bytes);
        }
        sized = jobs.len();
        if events >= MOST_EVENTS || bytes >= MOST_BYTES {
            return;
        }
        while let Ok(job) = queue.try_recv() {
            jobs.push(job);
            if jobs.len() - sized >= TAKEN_TOGETHER {
                break;
            }
        }
        if jobs.len() == sized {
            if patience == 0 || jobs.len() >= company {
                return;
            }
            patience -= 1;
            std::thread::yield_now();
        }
    }
}

pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) log: Log,
    pub(crate) recent_ids: Arc<RecentIds>,
    pub(crate) head: Arc<watch::Sender<Position>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) presence: Presence,
    /// How many pages the write-ahead log has, as SQLite says after each commit.
    pub(crate) log_pages: Arc<AtomicI32>,
    /// At how many of them they are copied into the database file.
    pub(crate) checkpoint_pages: i32,
    /// At how many of them that is due next.
    pub(crate) next_checkpoint: i32,
    /// How long the last transaction took to be on disk.
    pub(crate) synced_in: Duration,
    /// How long to wait for another program's lock.
    pub(crate) busy: Duration,
    pub(crate) data_version: i64,
    /// The log is not what the file holds, and must be loaded again.
    pub(crate) stale: bool,
    /// What is known of others who write to the file, if it is shared.
    pub(crate) others: Option<Others>,
    pub(crate) inlines: Inlines,
    /// The head that is about to be stored with what they have changed.
    pub(crate) storing: watch::Sender<Option<Position>>,
}

/// Others who share the file: they must get their turn too.
pub(crate) struct Others {
    /// When one of them was last seen to have written.
    seen: Option<Instant>,
    /// Since when it is this writer's turn.
    turn_since: Instant,
}

impl Others {
    pub(crate) fn unknown() -> Self {
        Self { seen: None, turn_since: Instant::now() }
    }

    fn have_written(&mut self) {
        let now = Instant::now();
        (self.seen, self.turn_since) = (Some(now), now);
    }

    /// Whether others may wait, and have for long.
    fn are_due(&self) -> bool {
        self.seen.is_some_and(|seen| seen.elapsed() < COMPANY) && self.turn_since.elapsed() >= TURN
    }
}

/// How long a writer goes on while others may wait, and how long it then lets them: longer than they
/// pause between two looks at the lock.
const TURN: Duration = Duration::from_millis(20);
const REST: Duration = Duration::from_millis(3);

/// Who was not seen to write for so long is not waited for.
const COMPANY: Duration = Duration::from_secs(1);

/// How long a writer pauses between two looks at a lock that is taken: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(2);

/// Why a transaction did not come to its end.
enum Ended {
    /// Nothing of it is stored.
    RolledBack(Failure),
    /// It is stored or not.
    Unknown(Failure),
}

impl Writer {
    /// Appends a commit in a transaction of its own, unless that may take long. Then nothing has
    /// happened.
    fn append_in_place(&mut self, commit: &Commit) -> Option<Result<Appended, AppendError>> {
        let (events, bytes) = size(commit);
        let short = events <= IN_PLACE_EVENTS && bytes <= IN_PLACE_BYTES;
        let others_are_due = self.others.as_ref().is_some_and(Others::are_due);
        if !short || self.synced_in > IN_PLACE_SYNC || self.checkpoint_is_due() || others_are_due {
            return None;
        }
        // What keeps it from that is for the thread to find out and to wait for.
        self.try_begin().ok()?;
        let appended = self.write(|writer| {
            let Self { connection, log, clock, inlines, .. } = writer;
            log.append(connection, inlines, commit, &[], clock.now())
        });
        Some(match appended {
            Ok(answer) => {
                self.publish();
                answer
            }
            Err(Ended::RolledBack(failure)) => Err(failure.into()),
            Err(Ended::Unknown(failure)) => Err(AppendError::OutcomeUnknown(unknown(failure))),
        })
    }

    fn carry_out(&mut self, jobs: Vec<Job>) {
        let done = match self.begin() {
            Ok(()) => self.write(|writer| writer.outcomes(&jobs)),
            Err(failure) => Err(Ended::RolledBack(failure)),
        };
        match done {
            Ok(outcomes) => {
                self.publish();
                for (job, outcome) in jobs.into_iter().zip(outcomes) {
                    match job {
                        Job::Checkpoint { answer } => {
                            let _ = answer.send(self.checkpoint("TRUNCATE"));
                        }
                        job => job.answer(outcome),
                    }
                }
            }
            // Whatever it was, it is not the fault of all of them: each gets a transaction of its own.
            Err(Ended::RolledBack(_)) if jobs.len() > 1 => {
                for job in jobs {
                    self.carry_out(vec![job]);
                }
            }
            Err(Ended::RolledBack(failure)) => {
                let mut failure = Some(failure);
                for job in jobs {
                    job.fail(failure.take().unwrap_or(Failure::Stopped));
                }
            }
            Err(Ended::Unknown(failure)) => {
                let failure = unknown(failure);
                for job in jobs {
                    job.leave_open(failure.clone());
                }
            }
        }
    }

    /// Writes in the transaction that has begun, and waits until it is on disk.
    fn write<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Ended> {
        let done = work(self).and_then(|done| {
            self.inlines.records.write(&self.connection)?;
            Ok(done)
        });
        match done {
            Ok(done) => self.commit().map(|()| done),
            Err(failure) => {
                self.roll_back();
                Err(Ended::RolledBack(failure))
            }
        }
    }

    /// Shows what was committed.
    fn publish(&mut self) {
        self.log.committed();
        self.inlines.set.committed();
        raise(&self.head, self.log.head());
        self.is_settled();
    }

    /// Begins a transaction, and waits for others who hold SQLite's lock.
    fn begin(&mut self) -> Result<(), Failure> {
        if let Some(others) = &mut self.others
            && others.are_due()
        {
            std::thread::sleep(REST);
            others.turn_since = Instant::now();
        }
        let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            match self.try_begin() {
                Err(failure) if failure.is_busy() && begun.elapsed() < self.busy => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                begun_or_failed => return begun_or_failed,
            }
        }
    }

    fn try_begin(&mut self) -> Result<(), Failure> {
        // Who removes the file from now on takes along what is stored here, as at any later time.
        self.presence.check()?;
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let prepared = self.refresh();
        if prepared.is_err() {
            self.roll_back();
        }
        prepared
    }

    /// Takes over what somebody else has done to the file, if anybody has.
    fn refresh(&mut self) -> Result<(), Failure> {
        let version = data_version(&self.connection)?;
        if self.stale || version != self.data_version {
            let caught_up = match &mut self.others {
                Some(others) => {
                    others.have_written();
                    !self.stale && self.log.catch_up(&self.connection)?
                }
                // A hand at the file: whatever it has done.
                None => false,
            };
            self.inlines.records.forget();
            if !caught_up {
                self.log = Log::load(&self.connection, Arc::clone(&self.recent_ids))?;
            }
            (self.data_version, self.stale) = (version, false);
        }
        self.log.begin(&self.connection)
    }

    fn outcomes(&mut self, jobs: &[Job]) -> Result<Vec<Outcome>, Failure> {
        let Self { connection, log, clock, inlines, .. } = self;
        let now = clock.now();
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            if let Job::Put { .. } | Job::Remove { .. } | Job::Commit { .. } = job {
                // It reads and writes records itself.
                inlines.records.write(connection)?;
                inlines.records.forget();
            }
            outcomes.push(match job {
                Job::Append { commits, conditions, .. } => Outcome::Append(
                    log.append_chain(connection, inlines, commits, conditions, now)?,
                ),
                Job::AppendRecorded { commits, .. } => {
                    Outcome::Append(log.append_recorded(connection, inlines, commits)?)
                }
                Job::Put { key, value, expected, .. } => {
                    Outcome::Put(state_records::put(connection, key, value, *expected)?)
                }
                Job::Remove { key, expected, .. } => {
                    Outcome::Remove(state_records::remove(connection, key, *expected)?)
                }
                Job::Commit { commit, rows, .. } => Outcome::Commit(state_records::commit(
                    connection,
                    commit,
                    rows.as_ref(),
                    &mut inlines.texts,
                )?),
                Job::Enlist { inline, stay, .. } => {
                    Outcome::Enlist(log.enlist(connection, inlines, inline, *stay)?)
                }
                Job::Fence { successor, .. } => {
                    Outcome::Fence(log.fence(connection, successor, now)?)
                }
                Job::LiftFence { .. } => Outcome::LiftFence(log.lift_fence(connection)?),
                Job::RemoveEvents { removal, .. } => {
                    Outcome::Removal(log.remove(connection, removal)?)
                }
                Job::PutBack { stream, events, .. } => {
                    Outcome::Removal(log.put_back(connection, stream, events)?)
                }
                Job::Checkpoint { .. } => Outcome::Checkpoint,
            });
        }
        Ok(outcomes)
    }

    fn commit(&mut self) -> Result<(), Ended> {
        if !self.inlines.set.is_empty() {
            self.storing.send_replace(Some(self.log.head()));
        }
        let begun = Instant::now();
        let committed =
            self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        self.synced_in = begun.elapsed();
        let Err(error) = committed else { return Ok(()) };
        // A transaction that is still open was not committed. One that SQLite has ended itself was
        // rolled back in its eyes; after a failed write or sync nobody knows what the disk has.
        let certain = !self.connection.is_autocommit()
            || matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::ReadOnly)
            );
        self.roll_back();
        Err(if certain { Ended::RolledBack(error.into()) } else { Ended::Unknown(error.into()) })
    }

    /// What is in the file is published, or nothing of it is known to be there.
    fn is_settled(&self) {
        self.storing.send_if_modified(|head| head.take().is_some());
    }

    fn roll_back(&mut self) {
        self.is_settled();
        self.stale = true;
        self.inlines.set.rolled_back();
        self.inlines.records.forget();
        // After some errors SQLite has done it itself.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }

    fn checkpoint_is_due(&self) -> bool {
        self.log_pages.load(Ordering::Relaxed) >= self.next_checkpoint
    }

    /// Copies the write-ahead log into the database file when it is long, after everybody was
    /// answered.
    fn checkpoint_when_due(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if !self.checkpoint_is_due() {
            // It begins anew after it was copied whole.
            if pages < self.next_checkpoint - self.checkpoint_pages {
                self.next_checkpoint = self.checkpoint_pages;
            }
            return;
        }
        self.next_checkpoint = match self.checkpoint("PASSIVE") {
            Ok(Checkpointed { log_pages, copied_pages, .. }) if log_pages == copied_pages => {
                self.checkpoint_pages
            }
            // Somebody reads an old state: what comes after it can not be copied yet.
            Ok(_) => pages.saturating_add(self.checkpoint_pages),
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be copied into the database");
                pages.saturating_add(self.checkpoint_pages)
            }
        };
    }

    fn checkpoint(&self, mode: &str) -> Result<Checkpointed, MaintenanceError> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        // Only here SQLite itself may wait for somebody.
        self.connection.busy_timeout(self.busy).map_err(Failure::from)?;
        let done = self.connection.query_row(&sql, [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        self.connection.busy_timeout(Duration::ZERO).map_err(Failure::from)?;
        let (busy, log, copied) = done.map_err(Failure::from)?;
        Ok(Checkpointed {
            complete: busy == 0 && log == copied,
            log_pages: u64::try_from(log).unwrap_or(0),
            copied_pages: u64::try_from(copied).unwrap_or(0),
        })
    }
}

fn unknown(failure: Failure) -> StoreFailure {
    let failure = failure.explained();
    tracing::error!(%failure, "a commit failed, and it is not known whether it is stored");
    failure
}

fn total(sizes: impl Iterator<Item = (usize, usize)>) -> (usize, usize) {
    sizes.fold((0, 0), |(events, bytes), size| (events + size.0, bytes + size.1))
}

/// How many events and how many bytes of payloads a commit has.
fn size(commit: &Commit) -> (usize, usize) {
    let events = commit.streams().flat_map(|append| &append.events);
    events.fold((0, 0), |(events, bytes), event| (events + 1, bytes + event.payload.len()))
}

/// How often the writer yields to those who are about to append again.
const PATIENCE: usize = 32;

/// A number that changes when another connection has changed the file.
pub(crate) fn data_version(connection: &Connection) -> Result<i64, Failure> {
    Ok(connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}
