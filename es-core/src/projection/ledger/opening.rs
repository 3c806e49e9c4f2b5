//! Opening the records of a generation, or making them.

use std::sync::Arc;

use uuid::Uuid;

use super::Ledger;
use crate::projection::failure::ProjectionFailure;
use crate::projection::generation::{Checkpoint, Generations, read, written};
use crate::projection::handover::Handover;
use crate::projection::host::Needs;
use crate::projection::lease::Lease;
use crate::projection::partition::Partition;
use crate::projection::records::{explained, letters, unread};
use crate::projection::row::Slot;
use crate::projection::standing::Standing;
use crate::projection::workplace::{Exit, Workplace};
use crate::store::{EventStore, ExpectedRevision, StateCommit, StateError};
use crate::version::Position;

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
            None => place.head().await,
        },
        (Needs::Events | Needs::Documents | Needs::Rows(_), _) => Ok(Position::ZERO),
    }
}

/// Refuses a checkpoint that was made of other events than those of this store.
async fn check_history<S: EventStore>(
    place: &Workplace<S>,
    checkpoint: &Checkpoint,
    identity: Uuid,
) -> Result<(), Exit> {
    if checkpoint.store != identity {
        return Err(Exit::Failed(ProjectionFailure::OtherHistory {
            checkpoint: checkpoint.store,
            store: identity,
        }));
    }
    let head = place.head().await?;
    if head < checkpoint.position {
        return Err(Exit::Failed(ProjectionFailure::EventsLost {
            checkpoint: checkpoint.position,
            head,
        }));
    }
    Ok(())
}
