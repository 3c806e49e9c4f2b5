//! The writer: whoever has its turn stores everything that waits in one transaction.
//!
//! A transaction costs an fsync, and an fsync costs as much for many commits as for one. While one
//! runs, the next commits queue, and share the next. Everybody is answered after the fsync.
//!
//! [`Turns`](crate::turns::Turns) says whose turn it is.

mod checkpoint;

use std::sync::Arc;
use std::sync::atomic::AtomicI32;
use std::time::{Duration, Instant};

use es_core::{AppendError, Appended, Clock, Commit, Position, StoreFailure};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::watch;

use crate::commits::{Inlines, Log};
use crate::error::Failure;
use crate::event_ids::RecentIds;
use crate::job::{Job, Outcome, size};
use crate::news::raise;
use crate::others::Others;
use crate::presence::Presence;
use crate::state_records;

/// What is appended in place is at most so large.
const IN_PLACE_EVENTS: usize = 64;
const IN_PLACE_BYTES: usize = 256 * 1024;

/// Nothing is appended in place while the disk takes longer than this: a thread that could do other
/// work would wait for it, and against that what it costs to wake another one is little.
const IN_PLACE_SYNC: Duration = Duration::from_millis(2);

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
    pub(crate) fn append_in_place(
        &mut self,
        commit: &Commit,
    ) -> Option<Result<Appended, AppendError>> {
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

    pub(crate) fn carry_out(&mut self, jobs: Vec<Job>) {
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
            others.make_way();
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
}

fn unknown(failure: Failure) -> StoreFailure {
    let failure = failure.explained();
    tracing::error!(%failure, "a commit failed, and it is not known whether it is stored");
    failure
}

/// A number that changes when another connection has changed the file.
pub(crate) fn data_version(connection: &Connection) -> Result<i64, Failure> {
    Ok(connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}
