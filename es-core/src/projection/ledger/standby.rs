//! What is shown of a generation that another process works on.

use super::Ledger;
use crate::projection::generation::{Checkpoint, read};
use crate::projection::partition::Partition;
use crate::projection::records::{letters, unread};
use crate::projection::workplace::{Exit, Workplace};
use crate::projection::{ProjectionState, RebuildProgress};
use crate::store::EventStore;

impl Ledger {
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
}
