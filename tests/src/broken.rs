//! A store that breaks one rule, as shipped stores do: the conformance suite must reject each.

mod appending;
mod bug;
mod copies;
mod fences;
mod inline;
mod log;
mod reading;
mod records;
mod rows;
mod state_commits;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use es_core::conformance::{Fixture, Reopen};
use es_core::jiff::Timestamp;
use es_core::uuid::Uuid;
use es_core::{EventId, Position, StreamId};
use tokio::sync::watch;

pub use self::bug::Bug;
use self::log::{Log, microseconds};
use self::records::Records;
use self::rows::Tables;

#[derive(Default)]
pub struct BrokenStore {
    bug: Option<Bug>,
    log: Mutex<Log>,
    head: watch::Sender<Position>,
    records: Mutex<Records>,
    tables: Mutex<Tables>,
    /// Whose turn it is to commit, in a store that has something like it.
    turn: tokio::sync::Mutex<()>,
    /// A lock for each stream, in a store that has something like it.
    locks: Mutex<HashMap<StreamId, Arc<tokio::sync::Mutex<()>>>>,
    identity: Uuid,
    opening: Uuid,
}

impl BrokenStore {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes stores with a bug, or without any.
pub struct Broken(pub Option<Bug>);

impl Fixture for Broken {
    type Store = BrokenStore;

    async fn empty(&self) -> BrokenStore {
        let log = Log { bug: self.0, ..Log::default() };
        let shared = |bug| if self.0 == Some(bug) { Uuid::nil() } else { draw() };
        BrokenStore {
            bug: self.0,
            log: Mutex::new(log),
            identity: shared(Bug::IdentityOfAll),
            opening: shared(Bug::OpeningOfAll),
            ..BrokenStore::default()
        }
    }
}

impl Reopen for Broken {
    async fn reopen(&self, mut store: BrokenStore) -> BrokenStore {
        {
            let mut log = lock(&store.log);
            inline::forget(&mut log);
            match self.0 {
                Some(Bug::LastCommitLost) => {
                    if let Some(last) = log.events.pop() {
                        log.by_id.remove(&last.event_id);
                    }
                }
                Some(Bug::EventIdsForgotten | Bug::CopiedIdsForgotten) => log.by_id.clear(),
                Some(Bug::RecordedTimesLost) => {
                    let now = microseconds(Timestamp::now());
                    log.events.iter_mut().for_each(|event| event.recorded_at = now);
                }
                Some(Bug::LastTimeForgotten) => log.last_time_forgotten = true,
                Some(Bug::EmptyStoreNotOpened) => log.is_unusable = log.events.is_empty(),
                Some(Bug::FenceForgotten) => log.fence = None,
                Some(Bug::FenceComesBack) => {
                    let lifted = log.lifted.take();
                    log.fence = log.fence.take().or(lifted);
                }
                _ => {}
            }
        }
        {
            let mut records = lock(&store.records);
            match self.0 {
                Some(Bug::RecordsLost | Bug::InlineRecordsLost) => records.by_key.clear(),
                Some(Bug::LastStateCommitTorn) => _ = records.by_key.pop_last(),
                Some(Bug::RevisionsForgotten | Bug::CommitRevisionsForgotten) => {
                    let revisions = records.by_key.values().map(|record| record.revision.get());
                    records.last_revision = revisions.max().unwrap_or_default();
                }
                _ => {}
            }
        }
        if self.0 == Some(Bug::RowsLost) {
            *lock(&store.tables) = Tables::default();
        }
        if self.0 != Some(Bug::OpeningKept) {
            store.opening = draw();
        }
        if self.0 == Some(Bug::IdentityDrawnAtOpening) {
            store.identity = draw();
        }
        store
    }
}

fn draw() -> Uuid {
    *EventId::generate().as_uuid()
}
