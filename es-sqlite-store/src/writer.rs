//! The writer: one thread that stores everything that waits in one transaction.
//!
//! A transaction costs an fsync, and an fsync costs as much for many commits as for one. While one
//! runs, the next commits queue, and share the next. Everybody is answered after the fsync.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::JoinHandle;

use es_core::bytes::Bytes;
use es_core::{
    AppendCondition, AppendError, Appended, Clock, Commit, ExpectedRevision, Position,
    RecordedCommit, RecordedEvent, Removal, RemovalError, Revision, RowWork, StateCommit,
    StateError, StateKey, StoreFailure, StreamId,
};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot, watch};

use crate::commits::Log;
use crate::error::{Failure, MaintenanceError};
use crate::event_ids::RecentIds;
use crate::presence::Presence;
use crate::rows::{Sqlite, Texts};
use crate::state_records;

/// A transaction takes no more commits when it has so many events or so many bytes.
const MOST_EVENTS: usize = 8_192;
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// So many are taken from the queue at once.
const TAKEN_TOGETHER: usize = 256;

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
            Self::Append { commits, .. } => {
                let appends = commits.iter().flat_map(Commit::streams);
                appends.flat_map(|append| &append.events).fold((0, 0), |(events, bytes), event| {
                    (events + 1, bytes + event.payload.len())
                })
            }
            Self::AppendRecorded { commits, .. } => {
                let appends = commits.iter().flat_map(|recorded| recorded.commit.streams());
                appends.flat_map(|append| &append.events).fold((0, 0), |(events, bytes), event| {
                    (events + 1, bytes + event.payload.len())
                })
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
            Self::Remove { .. } | Self::Checkpoint { .. } => (1, 0),
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
            (Self::Remove { answer, .. }, Outcome::Remove(result)) => {
                let _ = answer.send(result);
            }
            (Self::Commit { answer, .. }, Outcome::Commit(result)) => {
                let _ = answer.send(result);
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
            Self::Remove { answer, .. } => {
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
            Self::Remove { answer, .. } => {
                let _ = answer.send(Err(StateError::OutcomeUnknown(failure)));
            }
            Self::RemoveEvents { answer, .. } | Self::PutBack { answer, .. } => {
                let _ = answer.send(Err(RemovalError::OutcomeUnknown(failure)));
            }
            Self::Checkpoint { .. } => {}
        }
    }
}

pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) log: Log,
    pub(crate) recent_ids: Arc<RecentIds>,
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) head: watch::Sender<Position>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) presence: Presence,
    /// How many pages the write-ahead log has, as SQLite says after each commit.
    pub(crate) log_pages: Arc<AtomicI32>,
    /// At how many of them they are copied into the database file.
    pub(crate) checkpoint_pages: i32,
    pub(crate) data_version: i64,
    /// The log is not what the file holds, and must be loaded again.
    pub(crate) stale: bool,
    pub(crate) texts: Texts,
}

/// Why a transaction did not come to its end.
enum Ended {
    /// Nothing of it is stored.
    RolledBack(Failure),
    /// It is stored or not.
    Unknown(Failure),
}

impl Writer {
    pub(crate) fn start(self) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("es-sqlite-writer".to_owned()).spawn(move || self.run())
    }

    fn run(mut self) {
        let mut next_checkpoint = self.checkpoint_pages;
        let mut company = 1;
        let mut jobs = Vec::new();
        while self.jobs.blocking_recv_many(&mut jobs, TAKEN_TOGETHER) > 0 {
            self.gather(&mut jobs, company);
            company = jobs.len();
            let jobs = std::mem::take(&mut jobs);
            self.carry_out(jobs);
            next_checkpoint = self.checkpoint_when_due(next_checkpoint);
        }
    }

    /// Takes what waits. After a round of many, those who were answered are about to come back: it
    /// is worth a moment to let them.
    fn gather(&mut self, jobs: &mut Vec<Job>, company: usize) {
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
            while let Ok(job) = self.jobs.try_recv() {
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

    fn carry_out(&mut self, jobs: Vec<Job>) {
        match self.transaction(&jobs) {
            Ok(outcomes) => {
                self.log.committed();
                self.head.send_if_modified(|head| {
                    let moved = *head != self.log.head();
                    *head = self.log.head();
                    moved
                });
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
                let failure = failure.explained();
                tracing::error!(%failure, "a commit failed, and it is not known whether it is stored");
                for job in jobs {
                    job.leave_open(failure.clone());
                }
            }
        }
    }

    /// Carries out jobs in one transaction and waits until it is on disk.
    fn transaction(&mut self, jobs: &[Job]) -> Result<Vec<Outcome>, Ended> {
        self.presence.check().map_err(Ended::RolledBack)?;
        self.begin().map_err(Ended::RolledBack)?;
        match self.outcomes(jobs) {
            Ok(outcomes) => self.commit().map(|()| outcomes),
            Err(failure) => {
                self.roll_back();
                Err(Ended::RolledBack(failure))
            }
        }
    }

    fn begin(&mut self) -> Result<(), Failure> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let prepared = self.refresh();
        if prepared.is_err() {
            self.roll_back();
        }
        prepared
    }

    /// Forgets what is known of the log if somebody else has changed the file.
    fn refresh(&mut self) -> Result<(), Failure> {
        let version = data_version(&self.connection)?;
        if self.stale || version != self.data_version {
            self.log = Log::load(&self.connection, Arc::clone(&self.recent_ids))?;
            (self.data_version, self.stale) = (version, false);
        }
        self.log.begin(&self.connection)
    }

    fn outcomes(&mut self, jobs: &[Job]) -> Result<Vec<Outcome>, Failure> {
        let Self { connection, log, clock, texts, .. } = self;
        let now = clock.now();
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.push(match job {
                Job::Append { commits, conditions, .. } => {
                    Outcome::Append(log.append_chain(connection, commits, conditions, now)?)
                }
                Job::AppendRecorded { commits, .. } => {
                    Outcome::Append(log.append_recorded(connection, commits)?)
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
                    texts,
                )?),
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
        let committed =
            self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        let Err(error) = committed else {
            return self.presence.check().map_err(|removed| {
                self.stale = true;
                Ended::Unknown(removed)
            });
        };
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

    fn roll_back(&mut self) {
        self.stale = true;
        // After some errors SQLite has done it itself.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }

    /// Copies the write-ahead log into the database file when it is long, after everybody was
    /// answered. Answers with the length at which to do it again.
    fn checkpoint_when_due(&self, due: i32) -> i32 {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages < due {
            // It begins anew after it was copied whole.
            return if pages < due - self.checkpoint_pages { self.checkpoint_pages } else { due };
        }
        match self.checkpoint("PASSIVE") {
            Ok(Checkpointed { log_pages, copied_pages, .. }) if log_pages == copied_pages => {
                self.checkpoint_pages
            }
            // Somebody reads an old state: what comes after it can not be copied yet.
            Ok(_) => pages.saturating_add(self.checkpoint_pages),
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be copied into the database");
                pages.saturating_add(self.checkpoint_pages)
            }
        }
    }

    fn checkpoint(&self, mode: &str) -> Result<Checkpointed, MaintenanceError> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let (busy, log, copied) = self
            .connection
            .query_row(&sql, [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
            })
            .map_err(Failure::from)?;
        Ok(Checkpointed {
            complete: busy == 0 && log == copied,
            log_pages: u64::try_from(log).unwrap_or(0),
            copied_pages: u64::try_from(copied).unwrap_or(0),
        })
    }
}

/// How often the writer yields to those who are about to append again.
const PATIENCE: usize = 32;

/// A number that changes when another connection has changed the file.
pub(crate) fn data_version(connection: &Connection) -> Result<i64, Failure> {
    Ok(connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}
