//! The pool of read connections: threads that each own one and take turns at what is asked.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use crate::error::Failure;
use crate::names::Names;
use crate::pages::Reader;

type Job = Box<dyn FnOnce(&mut Reader<'_>) + Send>;

/// Threads that read. A read never waits for the writer: the write-ahead log shows every
/// connection the last commit before it began.
pub(crate) struct Readers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    jobs: Mutex<Jobs>,
    news: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    // Nothing panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Job> {
        let mut jobs = self.lock();
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            jobs = self.news.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Readers {
    pub(crate) fn start(connections: Vec<Connection>) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let mut readers = Self { queue, threads: Vec::new() };
        for connection in connections {
            let queue = Arc::clone(&readers.queue);
            let thread = std::thread::Builder::new().name("es-sqlite-reader".to_owned());
            readers.threads.push(thread.spawn(move || serve(&connection, &queue))?);
        }
        Ok(readers)
    }

    /// Lets a thread of the pool read. Dropping the future lets the read run on for nobody.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        self.queue.lock().waiting.push_back(job(answer, read));
        self.queue.news.notify_one();
        // A thread that ends without an answer has panicked.
        answered.await.unwrap_or(Err(Failure::Stopped))
    }
}

impl Readers {
    /// Lets a thread of the pool read if there are more of them than those who wait for one; else the
    /// answer is dropped. Whether it is read.
    pub(crate) fn read_if_idle<T: Send + 'static>(
        &self,
        answer: oneshot::Sender<Result<T, Failure>>,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> bool {
        let mut jobs = self.queue.lock();
        let idle = jobs.waiting.len() < self.threads.len();
        if idle {
            jobs.waiting.push_back(job(answer, read));
            drop(jobs);
            self.queue.news.notify_one();
        }
        idle
    }
}

fn job<T: Send + 'static>(
    answer: oneshot::Sender<Result<T, Failure>>,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Failure> + Send + 'static,
) -> Job {
    Box::new(move |reader| {
        if !answer.is_closed() {
            // Nobody may wait any more.
            let _ = answer.send(read(reader));
        }
    })
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.news.notify_all();
        for thread in self.threads.drain(..) {
            // Its panic was told to the one who waited for it.
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, queue: &Queue) {
    let mut names = Names::default();
    while let Some(job) = queue.next() {
        job(&mut Reader { connection, names: &mut names });
    }
}

/// A connection that can not change anything, nor make a file that is not there.
pub(crate) fn connect(database: &Path, busy: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.busy_timeout(busy)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "cache_size", -16_384)?;
    Ok(connection)
}
