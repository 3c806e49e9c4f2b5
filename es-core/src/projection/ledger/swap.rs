//! Making a generation that was built the one that is served.

use std::sync::Arc;

use super::Ledger;
use crate::projection::failure::ProjectionFailure;
use crate::projection::generation::{Checkpoint, stop_key, written};
use crate::projection::inline::{Inline, Swap};
use crate::projection::partition::Partition;
use crate::projection::records::{explained, position, unread};
use crate::projection::row::Slot;
use crate::projection::workplace::{Exit, Workplace};
use crate::store::{
    DynProjectionStore, EventStore, ExpectedRevision, StateCommit, StateError, StateKey,
};
use crate::version::Position;

/// So many positions are soon made up for.
const NEAR: u64 = 4_096;

impl Ledger {
    /// Makes the generation live if no partition of it is behind the one that is live, or stands
    /// still; or if all have come to `goal`, while none is live. `false` if one has not.
    pub(crate) async fn swap<S: EventStore>(
        &mut self,
        place: &Workplace<S>,
        store: &dyn DynProjectionStore,
        live: Option<u64>,
        goal: Position,
    ) -> Result<bool, Exit> {
        let (name, generation) = (self.projection.name, self.generation);
        let checkpoint = Checkpoint { position: self.seen, ..self.checkpoint.clone() };
        let mut standing = self.standing.clone();
        standing.generations.swap(generation, &self.projection);
        let mut commit = StateCommit::default();
        self.lease.guard(&mut commit).map_err(unread)?;
        let key = Checkpoint::key(name, generation, self.partition);
        let expected = ExpectedRevision::Exact(self.checkpoint_revision);
        commit.put(key, written(&checkpoint).map_err(unread)?, expected);
        standing.generations.put(&mut commit, name, standing.revision).map_err(unread)?;
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
}
