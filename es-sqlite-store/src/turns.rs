//! Who has the turn to write: the thread of the writer, or an append that finds it idle.
//!
//! To wake a thread and to be woken by it takes longer than a fast disk needs, so that an append which
//! finds the writer idle can have the turn [in place](Turns::append_in_place).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;

use es_core::{AppendError, Appended, Commit};
use tokio::sync::mpsc;

use crate::job::{Job, MOST_BYTES, MOST_EVENTS};
use crate::writer::Writer;

/// So many are taken from the queue at once.
const TAKEN_TOGETHER: usize = 256;

/// How often the writer yields to those who are about to append again.
const PATIENCE: usize = 32;

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
