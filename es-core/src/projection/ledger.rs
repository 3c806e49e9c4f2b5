//! What is stored of a generation beside its documents and rows, and the commits that move it on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::ignore_poison;
use crate::fingerprint::Fingerprint;
use crate::projection::dead_letter::DeadLetter;
use crate::projection::failure::ProjectionFailure;
use crate::projection::feed::Fetched;
use crate::projection::generation::{
    Checkpoint, Generations, dead_letter_key, dead_letter_space, document_key, read, request_key,
    skip_space, stop_key, written,
};
use crate::projection::handle::Skip;
use crate::projection::handover::Handover;
use crate::projection::host::{Needs, ProjectionType};
use crate::projection::inline::{Inline, Swap};
use crate::projection::lease::Lease;
use crate::projection::partition::Partition;
use crate::projection::row::Slot;
use crate::projection::session::{Changes, Failure};
use crate::projection::workplace::{Exit, Workplace};
use crate::projection::{ProjectionState, RebuildProgress};
use crate::store::{
    DynProjectionStore, EventStore, ExpectedRevision, Revision, StateCommit, StateError, StateKey,
};
use crate::version::Position;

/// More keys than this do not park one by one: the projection does.
const MOST_PARKED_KEYS: usize = 1_000;

/// So many positions are soon made up for.
const NEAR: u64 = 4_096;

/// How many records are asked for at once.
const PAGE: usize = 1_000;

/// What a worker knows of the generations of its projection.
#[derive(Clone)]
pub(crate) struct Standing {
    pub(crate) generations: Generations,
    pub(crate) revision: ExpectedRevision,
}

impl Standing {
    pub(crate) async fn load<S: EventStore>(place: &Workplace<S>) -> Result<Self, Exit> {
        let (store, name) = (place.durable()?, place.name());
        let (generations, revision) = place.patiently(|| Generations::load(store, name)).await?;
        Ok(Self { generations, revision })
    }

    /// Whether somebody has changed the generations since.
    pub(crate) async fn has_changed<S: EventStore>(
        &self,
        place: &Workplace<S>,
    ) -> Result<bool, Exit> {
        Ok(Self::load(place).await?.revision != self.revision)
    }
}

/// A batch on its way into the store.
pub(crate) struct Entry {
    /// How many of its events are applied.
    pub(crate) end: usize,
    token: Position,
    last_recorded_at: Option<Timestamp>,
    /// Keys that park in it.
    letters: Vec<DeadLetter>,
    /// The event before which the projection parks.
    stop: Option<DeadLetter>,
}

impl Entry {
    pub(crate) fn new(fetched: &Fetched) -> Self {
        Self {
            end: fetched.batch.len(),
            token: fetched.token,
            last_recorded_at: fetched.last_recorded_at,
            letters: Vec::new(),
            stop: None,
        }
    }

    /// One event of a batch.
    pub(crate) fn of_one(fetched: &Fetched, index: usize) -> Self {
        let recorded = fetched.batch.records().nth(index);
        Self {
            end: index + 1,
            token: recorded.map_or(fetched.token, |recorded| recorded.position),
            last_recorded_at: recorded.map(|recorded| recorded.recorded_at),
            letters: Vec::new(),
            stop: None,
        }
    }

    /// Up to where everything is seen when it is stored.
    pub(crate) fn token(&self) -> Position {
        self.token
    }

    /// Whether something parks in it.
    pub(crate) fn parks(&self) -> bool {
        self.stop.is_some() || !self.letters.is_empty()
    }

    fn position(&self) -> Position {
        match &self.stop {
            // Everything before the event is applied, and whatever lies between is not wanted.
            Some(stop) => Position::new(stop.position.get().saturating_sub(1)),
            None => self.token,
        }
    }
}

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
    /// Opens the records of a generation, or makes them.
    pub(crate) async fn open<S: EventStore>(
        place: &Workplace<S>,
        generation: u64,
        partition: Partition,
        mut lease: Lease,
        standing: Standing,
        live: bool,
    ) -> Result<Self, Exit> {
        let store = place.durable()?;
        let projection = place.host.projection();
        let identity = place.patiently(|| store.dyn_identity()).await?;
        let handover = Handover::load(place, &standing.generations, generation).await?;
        let key = Checkpoint::key(projection.name, generation, partition);
        let stored = place.patiently(|| store.dyn_get(&key)).await?;
        let (checkpoint, checkpoint_revision) = match stored {
            Some(record) => {
                let checkpoint: Checkpoint = read(&key, &record).map_err(unread)?;
                check_history(place, &checkpoint, identity).await?;
                (checkpoint, record.revision)
            }
            None => {
                let first = begin_at(place, generation, &standing, &handover).await?;
                let checkpoint = Checkpoint { position: first, ..Checkpoint::beginning(identity) };
                if !partition.is_only() {
                    begin(place, generation, &checkpoint, &standing, live).await?;
                }
                let mut commit = StateCommit::default();
                let failure = Slot::default();
                let begin = |commit: &mut StateCommit| {
                    lease.guard(commit)?;
                    commit.check(Generations::key(projection.name), standing.revision);
                    commit.put(key.clone(), written(&checkpoint)?, ExpectedRevision::Missing);
                    Ok::<_, StateError>(())
                };
                begin(&mut commit).map_err(unread)?;
                let create = || {
                    let tables = place.host.tables().filter(|_| partition.is_only());
                    tables.map(|tables| tables.create(generation, live, Arc::clone(&failure)))
                };
                let begun = place.patiently(|| store.dyn_commit(commit.clone(), create())).await;
                let revision = begun.map_err(|exit| explained(exit, &failure))?;
                lease.renewed(revision);
                (checkpoint, revision)
            }
        };
        let mut ledger = Self {
            projection,
            generation,
            partition,
            lease,
            standing,
            seen: checkpoint.position,
            checkpoint,
            checkpoint_revision,
            parked: Arc::default(),
            stop: None,
            stop_is_stored: false,
            skips: Arc::default(),
            heard: None,
            handover: Arc::new(handover),
        };
        for letter in letters(place, generation, partition).await? {
            match &letter.key {
                Some(key) => {
                    Arc::make_mut(&mut ledger.parked).insert(key.clone(), letter);
                }
                // It is tried again after a start.
                None => ledger.stop_is_stored = true,
            }
        }
        ledger.hear(place).await?;
        Ok(ledger)
    }

    /// Shows how far a generation is that is served and that another process works on.
    pub(crate) async fn observe<S: EventStore>(
        place: &Workplace<S>,
        generation: u64,
        partition: Partition,
    ) -> Result<(), Exit> {
        let store = place.durable()?;
        let key = Checkpoint::key(place.name(), generation, partition);
        let stored = place.patiently(|| store.dyn_get(&key)).await?;
        let letters = letters(place, generation, partition).await?;
        let checkpoint =
            stored.map(|record| read::<Checkpoint>(&key, &record)).transpose().map_err(unread)?;
        let parked = letters.iter().find(|letter| letter.key.is_none());
        let state = parked.map_or(ProjectionState::Standby, |letter| ProjectionState::Parked {
            position: letter.position,
            error: letter.error.clone(),
        });
        place.host.board().update(|status| {
            status.generation = Some(generation);
            status.show_letters(generation, partition, letters);
            let (position, applied_until) = match checkpoint {
                Some(checkpoint) => (checkpoint.position, checkpoint.applied_until),
                None => (status.of(partition).0, None),
            };
            status.head = status.head.max(position);
            status.show(partition, position, applied_until, state);
        });
        Ok(())
    }

    /// Shows how far a partition is that is built and that another process works on.
    pub(crate) async fn observe_rebuild<S: EventStore>(
        place: &Workplace<S>,
        generation: u64,
        partition: Partition,
    ) -> Result<(), Exit> {
        let store = place.durable()?;
        let key = Checkpoint::key(place.name(), generation, partition);
        let Some(record) = place.patiently(|| store.dyn_get(&key)).await? else { return Ok(()) };
        let Checkpoint { position, events, .. } = read(&key, &record).map_err(unread)?;
        place.host.board().update(|status| {
            let head = status.head;
            let ready = position >= head;
            let generation = Some(generation);
            let known =
                RebuildProgress { generation, position, head, events, ready, ..Default::default() };
            status.show_rebuild(partition, known);
        });
        Ok(())
    }

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
        let space: Arc<str> = super::generation::document_space(name, generation).into();
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

    /// Makes the generation live if no partition of it is behind the one that is live, or stands
    /// still; or if all have come to `goal`, while none is live. `false` if one has not.
    pub(crate) async fn swap<S: EventStore>(
        &mut self,
        place: &Workplace<S>,
        store: &dyn DynProjectionStore,
        live: Option<u64>,
        goal: Position,
    ) -> Result<bool, Exit> {
        let fail = unread;
        let (name, generation) = (self.projection.name, self.generation);
        let checkpoint = Checkpoint { position: self.seen, ..self.checkpoint.clone() };
        let mut standing = self.standing.clone();
        standing.generations.swap(generation, &self.projection);
        let mut commit = StateCommit::default();
        self.lease.guard(&mut commit).map_err(fail)?;
        let key = Checkpoint::key(name, generation, self.partition);
        let expected = ExpectedRevision::Exact(self.checkpoint_revision);
        commit.put(key, written(&checkpoint).map_err(fail)?, expected);
        standing.generations.put(&mut commit, name, standing.revision).map_err(fail)?;
        for partition in Partition::all(self.projection.partitions) {
            let built = if partition == self.partition {
                self.seen
            } else {
                // Others only go on; but one that stands still is not complete.
                let stop = stop_key(name, generation, partition);
                commit.check(stop, ExpectedRevision::Missing);
                match position(place, generation, partition).await? {
                    Some((built, _)) => built,
                    None => return Ok(false),
                }
            };
            let mut goal = goal;
            if let Some(live) = live {
                let served = position(place, live, partition).await?;
                goal = served.map_or(Position::ZERO, |(served, _)| served);
                let expected = served.map_or(ExpectedRevision::Missing, |(_, revision)| {
                    ExpectedRevision::Exact(revision)
                });
                commit.check(Checkpoint::key(name, live, partition), expected);
            }
            if built < goal {
                return Ok(false);
            }
        }
        // What this process has shown of the live one was seen, if not stored.
        let shown = place.host.board().status();
        let is_shown = live.is_some() && shown.generation == live && self.partition.is_only();
        if is_shown && shown.position > self.seen {
            return Ok(false);
        }
        let failure = Slot::default();
        let mut attempts = 1;
        loop {
            let tables = place.host.tables();
            let rows = tables.map(|tables| tables.publish(generation, Arc::clone(&failure)));
            match store.dyn_commit(commit.clone(), rows).await {
                Ok(_) => return Ok(true),
                Err(StateError::Conflict { key, .. }) if self.may_change(&key, live) => {
                    return Ok(false);
                }
                Err(error) => place
                    .endure(error.category(), &error, attempts)
                    .await
                    .map_err(|exit| explained(exit, &failure))?,
            }
            attempts += 1;
        }
    }

    /// Gives the lease back, and stores nothing: somebody else may have moved the checkpoint.
    pub(crate) async fn leave(self, store: &dyn DynProjectionStore) -> Result<(), StateError> {
        self.lease.give_back(store).await
    }

    /// Whether nothing of it stands still.
    pub(crate) fn is_sound(&self) -> bool {
        self.stop.is_none() && !self.stop_is_stored && self.parked.is_empty()
    }

    /// Brings the generation of an inline projection up to the head and makes it live, in one step
    /// of the store's: nothing can be appended in between. `false` if it is to catch up first.
    pub(crate) async fn swap_in_step<S: EventStore>(
        &self,
        place: &Workplace<S>,
        live: Option<u64>,
    ) -> Result<bool, Exit> {
        let mut generations = self.standing.generations.clone();
        generations.swap(self.generation, &self.projection);
        let failure = Slot::default();
        let swap = Swap {
            generation: self.generation,
            generations,
            expected: self.standing.revision,
            live,
            failure: Arc::clone(&failure),
        };
        let inline = Inline::swapping(Arc::clone(&place.host), swap);
        let store = place.durable()?.dyn_inline();
        let store =
            store.ok_or(Exit::Failed(ProjectionFailure::NoHome { what: "inline projections" }))?;
        place
            .patiently(|| store.dyn_enlist(inline.clone(), false))
            .await
            .map_err(|exit| explained(exit, &failure))?;
        Ok(!inline.has_fallen())
    }

    /// Whether all other partitions are so near to the generation that is live that it is worth to
    /// hold it up: at most about a batch behind, and none of them parked.
    pub(crate) async fn is_near<S: EventStore>(
        &self,
        place: &Workplace<S>,
        live: Option<u64>,
    ) -> Result<bool, Exit> {
        let (name, generation) = (self.projection.name, self.generation);
        let store = place.durable()?;
        for partition in Partition::all(self.projection.partitions) {
            if partition == self.partition {
                continue;
            }
            let stop = stop_key(name, generation, partition);
            let Some((built, _)) = position(place, generation, partition).await? else {
                return Ok(false);
            };
            let goal = match live {
                Some(live) => position(place, live, partition).await?.map(|(served, _)| served),
                None => Some(self.seen),
            };
            if goal.is_some_and(|goal| goal.get() > built.get().saturating_add(NEAR))
                || place.patiently(|| store.dyn_get(&stop)).await?.is_some()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the record is one of another worker's, which goes on while this one swaps.
    fn may_change(&self, key: &StateKey, live: Option<u64>) -> bool {
        let name = self.projection.name;
        Partition::all(self.projection.partitions).any(|partition| {
            live.is_some_and(|live| *key == Checkpoint::key(name, live, partition))
                || *key == stop_key(name, self.generation, partition)
        })
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

/// The positions that somebody has decided to skip, for this version.
pub(crate) async fn skips<S: EventStore>(
    place: &Workplace<S>,
    store: &dyn DynProjectionStore,
) -> Result<BTreeSet<Position>, Exit> {
    let projection = place.host.projection();
    let skips: Vec<StoredSkip> = all(place, store, &skip_space(projection.name)).await?;
    // Side effects are the same in any number of partitions.
    let effects = place.host.needs() == Needs::Effects;
    let ours = skips.into_iter().filter(|stored| {
        effects
            || (stored.version, stored.fingerprint) == (projection.version, projection.fingerprint)
    });
    Ok(ours.map(|stored| stored.skip.position).collect())
}

/// A skip, and the version that could not apply the event: another one will try it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredSkip {
    pub(crate) version: u32,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) skip: Skip,
}

/// The dead letters of a partition.
async fn letters<S: EventStore>(
    place: &Workplace<S>,
    generation: u64,
    partition: Partition,
) -> Result<Vec<DeadLetter>, Exit> {
    let space = dead_letter_space(place.name(), generation);
    let mut letters: Vec<DeadLetter> = all(place, place.durable()?, &space).await?;
    letters.retain(|letter| letter.partition == partition.number());
    Ok(letters)
}

/// Makes what the partitions of a generation share, unless another one has: its tables. That it is
/// there is written where a generation without partitions has its checkpoint.
async fn begin<S: EventStore>(
    place: &Workplace<S>,
    generation: u64,
    beginning: &Checkpoint,
    standing: &Standing,
    live: bool,
) -> Result<(), Exit> {
    let (store, name) = (place.durable()?, place.name());
    let key = Checkpoint::key(name, generation, Partition::ONLY);
    if place.patiently(|| store.dyn_get(&key)).await?.is_some() {
        return Ok(());
    }
    let value = written(beginning).map_err(unread)?;
    let mut commit = StateCommit::default();
    commit.check(Generations::key(name), standing.revision);
    commit.put(key, value, ExpectedRevision::Missing);
    let failure = Slot::default();
    let create = || {
        let tables = place.host.tables();
        tables.map(|tables| tables.create(generation, live, Arc::clone(&failure)))
    };
    // Who was not the first looks again, and finds them.
    let begun = place.patiently(|| store.dyn_commit(commit.clone(), create())).await;
    begun.map(|_| ()).map_err(|exit| explained(exit, &failure))
}

/// All records of a space.
async fn all<S: EventStore, T: serde::de::DeserializeOwned>(
    place: &Workplace<S>,
    store: &dyn DynProjectionStore,
    space: &str,
) -> Result<Vec<T>, Exit> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = place.patiently(|| store.dyn_list(space, after.as_deref(), PAGE)).await?;
        for (key, record) in &page.records {
            all.push(read(key, record).map_err(unread)?);
        }
        match page.next() {
            Some(next) => after = Some(next.to_owned()),
            None => return Ok(all),
        }
    }
}

/// Where a generation begins: side effects with what comes, or where they were in another number of
/// partitions; anything else with the first event.
async fn begin_at<S: EventStore>(
    place: &Workplace<S>,
    generation: u64,
    standing: &Standing,
    handover: &Handover,
) -> Result<Position, Exit> {
    match (place.host.needs(), handover.begins_at()) {
        (Needs::Effects, Some(position)) => Ok(position),
        (Needs::Effects, None) => match standing.generations.begun_at(generation) {
            Some(begun_at) => Ok(begun_at),
            None => head(place).await,
        },
        (Needs::Events | Needs::Documents | Needs::Rows(_), _) => Ok(Position::ZERO),
    }
}

/// The head of the store.
pub(crate) async fn head<S: EventStore>(place: &Workplace<S>) -> Result<Position, Exit> {
    let mut attempts = 1;
    loop {
        match place.unless_stopped(place.store.head()).await? {
            Ok(head) => return Ok(head),
            Err(error) => place.endure(error.category(), &error, attempts).await?,
        }
        attempts += 1;
    }
}

/// Up to where a partition of a generation has come, as it is stored, and with which revision.
pub(crate) async fn position<S: EventStore>(
    place: &Workplace<S>,
    generation: u64,
    partition: Partition,
) -> Result<Option<(Position, Revision)>, Exit> {
    let store = place.durable()?;
    let key = Checkpoint::key(place.name(), generation, partition);
    let Some(record) = place.patiently(|| store.dyn_get(&key)).await? else { return Ok(None) };
    let checkpoint: Checkpoint = read(&key, &record).map_err(unread)?;
    Ok(Some((checkpoint.position, record.revision)))
}

/// Refuses a checkpoint that was made of other events than those of this store.
async fn check_history<S: EventStore>(
    place: &Workplace<S>,
    checkpoint: &Checkpoint,
    identity: uuid::Uuid,
) -> Result<(), Exit> {
    if checkpoint.store != identity {
        return Err(Exit::Failed(ProjectionFailure::OtherHistory {
            checkpoint: checkpoint.store,
            store: identity,
        }));
    }
    let head = head(place).await?;
    if head < checkpoint.position {
        return Err(Exit::Failed(ProjectionFailure::EventsLost {
            checkpoint: checkpoint.position,
            head,
        }));
    }
    Ok(())
}

/// A record is not what this program writes there.
fn unread(error: StateError) -> Exit {
    Exit::Failed(ProjectionFailure::of_record(&error))
}

/// What rows' work left behind says more than that it gave up.
fn explained(exit: Exit, failure: &Slot<String>) -> Exit {
    match (exit, ignore_poison(failure.lock()).take()) {
        (Exit::Failed(_), Some(error)) => Exit::Failed(ProjectionFailure::Tables { error }),
        (exit, _) => exit,
    }
}
