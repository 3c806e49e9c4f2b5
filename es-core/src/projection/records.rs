//! Reading what is stored of a projection beside its documents and rows.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::ignore_poison;
use crate::fingerprint::Fingerprint;
use crate::projection::dead_letter::DeadLetter;
use crate::projection::failure::ProjectionFailure;
use crate::projection::generation::{Checkpoint, dead_letter_space, read, skip_space};
use crate::projection::handle::Skip;
use crate::projection::host::Needs;
use crate::projection::partition::Partition;
use crate::projection::row::Slot;
use crate::projection::workplace::{Exit, Workplace};
use crate::store::{DynProjectionStore, EventStore, Revision, StateError};
use crate::version::Position;

/// How many records are asked for at once.
const PAGE: usize = 1_000;

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
pub(crate) async fn letters<S: EventStore>(
    place: &Workplace<S>,
    generation: u64,
    partition: Partition,
) -> Result<Vec<DeadLetter>, Exit> {
    let space = dead_letter_space(place.name(), generation);
    let mut letters: Vec<DeadLetter> = all(place, place.durable()?, &space).await?;
    letters.retain(|letter| letter.partition == partition.number());
    Ok(letters)
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

/// A record is not what this program writes there.
pub(crate) fn unread(error: StateError) -> Exit {
    Exit::Failed(ProjectionFailure::of_record(&error))
}

/// What rows' work left behind says more than that it gave up.
pub(crate) fn explained(exit: Exit, failure: &Slot<String>) -> Exit {
    match (exit, ignore_poison(failure.lock()).take()) {
        (Exit::Failed(_), Some(error)) => Exit::Failed(ProjectionFailure::Tables { error }),
        (exit, _) => exit,
    }
}
