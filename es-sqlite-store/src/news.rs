//! News of what other processes append to a file that is shared.
//!
//! Nothing wakes a process when another one has changed a file. So a thread looks, as long as the store
//! is open: at a number in memory that SQLite shares, which costs some microseconds.

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use es_core::Position;
use rusqlite::Connection;
use tokio::sync::watch;

use crate::error::Failure;
use crate::pages;
use crate::writer::data_version;

/// How often it is looked whether another process has appended something.
const EVERY: Duration = Duration::from_millis(5);

/// The thread that looks. It ends when this is dropped.
pub(crate) struct News {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl News {
    /// Looks with a connection of its own, and tells the head as long as the writer lives.
    pub(crate) fn start(
        connection: Connection,
        head: Weak<watch::Sender<Position>>,
    ) -> std::io::Result<Self> {
        let stop = Arc::<Stop>::default();
        let asked = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("es-sqlite-news".to_owned());
        let thread = thread.spawn(move || look(&connection, &head, &asked))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for News {
    fn drop(&mut self) {
        *self.stop.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell any more.
            let _ = thread.join();
        }
    }
}

fn look(connection: &Connection, head: &Weak<watch::Sender<Position>>, stop: &Stop) {
    let mut seen = None;
    loop {
        // What can not be read now is read the next time; who waits for it finds out by reading.
        if let Ok(version) = data_version(connection)
            && seen != Some(version)
        {
            let Some(head) = head.upgrade() else { return };
            if tell(connection, &head).is_ok() {
                seen = Some(version);
            }
        }
        let asked = stop.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = stop.changed.wait_timeout_while(asked, EVERY, |asked| !*asked);
        if *waited.unwrap_or_else(PoisonError::into_inner).0 {
            return;
        }
    }
}

fn tell(connection: &Connection, head: &watch::Sender<Position>) -> Result<(), Failure> {
    raise(head, pages::head(connection)?);
    Ok(())
}

/// Publishes a head unless a later one is published already.
pub(crate) fn raise(published: &watch::Sender<Position>, head: Position) {
    published.send_if_modified(|published| {
        let higher = head > *published;
        *published = head.max(*published);
        higher
    });
}
