//! What is stored of a generation beside its documents and rows, and the commits that move it on.

mod entry;
mod opening;
mod standby;
mod swap;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

pub(crate) use self::entry::Entry;
use crate::projection::ProjectionState;
use crate::projection::dead_letter::DeadLetter;
use crate::projection::generation::{
    Checkpoint, Generations, dead_letter_key, document_key, document_space, request_key, stop_key,
    written,
};
use crate::projection::handover::Handover;
use crate::projection::host::ProjectionType;
use crate::projection::lease::Lease;
use crate::projection::partition::Partition;
use crate::projection::records::skips;
use crate::projection::session::{Changes, Failure};
use crate::projection::standing::Standing;
use crate::projection::workplace::{Exit, Workplace};
use crate::store::{
    DynProjectionStore, EventStore, ExpectedRevision, Revision, StateCommit, StateError, StateKey,
};
use crate::version::Position;

/// More keys than this do not park one by one: the projection does.
const MOST_PARKED_KEYS: usize = 1_000;

/// The records of a generation, or of one partition of it, held under its lease.
pub(crate) struct Ledger {
    projection: ProjectionType,
    generation: u64,
    partition: Partition,
    lease: Lease,
    standing: Standing,
    checkpoint: Checkpoint,
    checkpoint_revision: Revision,
    /// Up to where everything was seen; beyond the checkpoint when nothing that it wants followed.
    seen: Position,
    parked: Arc<BTreeMap<String, DeadLetter>>,
    /// The event before which the projection stands still.
    stop: Option<DeadLetter>,
    /// Whether `stop` is stored, also after it was tried again.
    stop_is_stored: bool,
    skips: Arc<BTreeSet<Position>>,
    /// The revision of the last request that was heard.
    heard: Option<Revision>,
    /// What side effects have done in other numbers of partitions.
    handover: Arc<Handover>,
}

impl Ledger {
    pub(crate) fn position(&self) -> Position {
        self.seen
    }

    pub(crate) fn events(&self) -> u64 {
        self.checkpoint.events
    }

    pub(crate) fn applied_until(&self) -> Option<Timestamp> {
        self.checkpoint.applied_until
    }

    pub(crate) fn skips(&self) -> Arc<BTreeSet<Position>> {
        Arc::clone(&self.skips)
    }

    pub(crate) fn handover(&self) -> &Arc<Handover> {
        &self.handover
    }

    /// Nothing up to here was wanted.
    pub(crate) fn see(&mut self, position: Position) {
        self.seen = self.seen.max(position);
    }

    /// The keys that are parked, and those that park in the entry.
    pub(crate) fn parked_with(&self, entry: &Entry) -> Arc<BTreeMap<String, DeadLetter>> {
        if entry.letters.is_empty() {
            return Arc::clone(&self.parked);
        }
        let mut all = (*self.parked).clone();
        for letter in &entry.letters {
            if let Some(key) = &letter.key {
                all.insert(key.clone(), letter.clone());
            }
        }
        Arc::new(all)
    }

    /// Parks the key that a failure is about, or the projection, when the entry is committed.
    pub(crate) fn park(&self, entry: &mut Entry, failure: Failure, attempts: u32) {
        let index = failure.index;
        let mut letter =
            failure.letter(self.projection.name, Some(self.generation), self.partition, attempts);
        if letter.key.is_some() && self.parked.len() + entry.letters.len() < MOST_PARKED_KEYS {
            entry.letters.push(letter);
        } else {
            letter.key = None;
            entry.end = index;
            entry.letters.retain(|parked| parked.position < letter.position);
            entry.stop = Some(letter);
        }
    }

    /// The documents with these keys, as they are stored.
    pub(crate) async fn documents<S: EventStore>(
        &self,
        place: &Workplace<S>,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Bytes>)>, Exit> {
        if self.checkpoint.position == Position::ZERO {
            // Nothing is stored before the first events.
            return Ok(keys.into_iter().map(|key| (key, None)).collect());
        }
        let store = place.durable()?;
        let key = |key: &String| document_key(self.projection.name, self.generation, key);
        let state_keys: Vec<_> = keys.iter().map(key).collect();
        let records = place.patiently(|| store.dyn_get_many(&state_keys)).await?;
        let values = records.into_iter().map(|record| record.map(|record| record.value));
        Ok(keys.into_iter().zip(values).collect())
    }

    /// Stores what a batch changes, with the checkpoint.
    pub(crate) async fn commit(
        &mut self,
        store: &dyn DynProjectionStore,
        entry: &Entry,
        changes: Changes,
    ) -> Result<(), StateError> {
        let (name, generation) = (self.projection.name, self.generation);
        let checkpoint = Checkpoint {
            position: entry.position(),
            events: self.checkpoint.events + changes.events,
            applied_until: entry.last_recorded_at.or(self.checkpoint.applied_until),
            stuck: entry.stop.is_some() || !entry.letters.is_empty() || !self.parked.is_empty(),
            ..self.checkpoint.clone()
        };
        let mut commit = self.guarded(&checkpoint)?;
        let space: Arc<str> = document_space(name, generation).into();
        for (key, value) in changes.documents {
            let key = StateKey::new(Arc::clone(&space), key);
            match value {
                Some(value) => commit.put(key, value, ExpectedRevision::Any),
                None => commit.remove(key, ExpectedRevision::Any),
            }
        }
        for letter in entry.letters.iter().chain(&entry.stop) {
            let key = match &letter.key {
                Some(key) => dead_letter_key(name, generation, key),
                None => stop_key(name, generation, self.partition),
            };
            commit.put(key, written(letter)?, ExpectedRevision::Any);
        }
        if entry.stop.is_none() && self.stop_is_stored {
            commit.remove(stop_key(name, generation, self.partition), ExpectedRevision::Any);
        }
        let revision = store.dyn_commit(commit, changes.rows).await?;
        self.committed(checkpoint, revision);
        for letter in &entry.letters {
            if let Some(key) = &letter.key {
                Arc::make_mut(&mut self.parked).insert(key.clone(), letter.clone());
            }
        }
        self.stop_is_stored = entry.stop.is_some();
        self.stop.clone_from(&entry.stop);
        Ok(())
    }

    /// Renews the lease, and stores what was seen.
    pub(crate) async fn renew(&mut self, store: &dyn DynProjectionStore) -> Result<(), StateError> {
        let checkpoint = Checkpoint { position: self.seen, ..self.checkpoint.clone() };
        let commit = self.guarded(&checkpoint)?;
        let revision = store.dyn_commit(commit, None).await?;
        self.committed(checkpoint, revision);
        Ok(())
    }

    /// Stores up to where everything was seen, if that is not stored.
    pub(crate) async fn store_what_was_seen<S: EventStore>(
        &mut self,
        place: &Workplace<S>,
        store: &dyn DynProjectionStore,
    ) -> Result<(), Exit> {
        if self.seen > self.checkpoint.position
            && let Err(error) = self.renew(store).await
        {
            // It is seen again.
            place.endure(error.category(), &error, 1).await?;
        }
        Ok(())
    }

    /// Stores a document that has caught up, or has come to another event that fails.
    pub(crate) async fn settle(
        &mut self,
        store: &dyn DynProjectionStore,
        key: &str,
        document: Option<(String, Option<Vec<u8>>)>,
        failed: Option<DeadLetter>,
    ) -> Result<(), StateError> {
        let (name, generation) = (self.projection.name, self.generation);
        let others = self.parked.keys().any(|parked| parked != key);
        let stuck = failed.is_some() || others || self.stop.is_some();
        let checkpoint = Checkpoint { stuck, ..self.checkpoint.clone() };
        let mut commit = self.guarded(&checkpoint)?;
        if let Some((_, value)) = document {
            let key = document_key(name, generation, key);
            match value {
                Some(value) => commit.put(key, value, ExpectedRevision::Any),
                None => commit.remove(key, ExpectedRevision::Any),
            }
        }
        let letter_key = dead_letter_key(name, generation, key);
        match &failed {
            Some(letter) => commit.put(letter_key, written(letter)?, ExpectedRevision::Any),
            None => commit.remove(letter_key, ExpectedRevision::Any),
        }
        let revision = store.dyn_commit(commit, None).await?;
        let seen = self.seen;
        self.committed(checkpoint, revision);
        self.see(seen);
        let parked = Arc::make_mut(&mut self.parked);
        match failed {
            Some(letter) => parked.insert(key.to_owned(), letter),
            None => parked.remove(key),
        };
        Ok(())
    }

    /// Gives the lease back, and stores nothing: somebody else may have moved the checkpoint.
    pub(crate) async fn leave(self, store: &dyn DynProjectionStore) -> Result<(), StateError> {
        self.lease.give_back(store).await
    }

    /// Whether nothing of it stands still.
    pub(crate) fn is_sound(&self) -> bool {
        self.stop.is_none() && !self.stop_is_stored && self.parked.is_empty()
    }

    /// Gives the lease back.
    pub(crate) async fn close(mut self, store: &dyn DynProjectionStore) -> Result<(), StateError> {
        if self.seen > self.checkpoint.position {
            self.renew(store).await?;
        }
        self.lease.give_back(store).await
    }

    /// Takes note of requests that were made since the last time. Whether there were any.
    pub(crate) async fn hear<S: EventStore>(&mut self, place: &Workplace<S>) -> Result<bool, Exit> {
        let store = place.durable()?;
        let key = request_key(self.projection.name);
        let record = place.patiently(|| store.dyn_get(&key)).await?;
        let revision = record.map(|record| record.revision);
        if revision == self.heard {
            return Ok(false);
        }
        self.heard = revision;
        self.skips = Arc::new(skips(place, store).await?);
        place.host.board().set_skips(self.skips());
        Ok(true)
    }

    pub(crate) fn parked_keys(&self) -> Vec<String> {
        self.parked.keys().cloned().collect()
    }

    pub(crate) fn letter(&self, key: &str) -> Option<DeadLetter> {
        self.parked.get(key).cloned()
    }

    pub(crate) fn letters(&self) -> Vec<DeadLetter> {
        self.stop.iter().chain(self.parked.values()).cloned().collect()
    }

    pub(crate) fn is_parked(&self) -> bool {
        self.stop.is_some()
    }

    pub(crate) fn parked_state(&self) -> Option<ProjectionState> {
        let stop = self.stop.as_ref()?;
        Some(ProjectionState::Parked { position: stop.position, error: stop.error.clone() })
    }

    /// The event is tried again, or is skipped.
    pub(crate) fn unpark(&mut self) {
        self.stop = None;
    }

    /// A commit that only the holder of the lease can make, and that moves the checkpoint.
    fn guarded(&self, checkpoint: &Checkpoint) -> Result<StateCommit, StateError> {
        let mut commit = StateCommit::default();
        self.lease.guard(&mut commit)?;
        commit.check(Generations::key(self.projection.name), self.standing.revision);
        commit.put(
            Checkpoint::key(self.projection.name, self.generation, self.partition),
            written(checkpoint)?,
            ExpectedRevision::Exact(self.checkpoint_revision),
        );
        Ok(commit)
    }

    fn committed(&mut self, checkpoint: Checkpoint, revision: Revision) {
        self.lease.renewed(revision);
        self.checkpoint_revision = revision;
        self.seen = checkpoint.position;
        self.checkpoint = checkpoint;
    }
}
