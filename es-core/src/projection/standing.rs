//! What a worker knows of the generations of its projection.

use crate::projection::generation::Generations;
use crate::projection::workplace::{Exit, Workplace};
use crate::store::{EventStore, ExpectedRevision};

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
