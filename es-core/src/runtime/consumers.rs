//! Who still needs events of the past: before they are archived, everybody must have consumed them.

use std::fmt;
use std::sync::Arc;

use crate::error::ErrorCategory;
use crate::projection::DeadLetter;
use crate::projection::generation::{
    Checkpoint, Generations, dead_letter_space, generations_space, read,
};
use crate::projection::host::{Host, Needs};
use crate::projection::partition::Partition;
use crate::query::Query;
use crate::runtime::{Runtime, Shared};
use crate::store::{
    DynProjectionStore, EventStore, QueryRange, ReadError, StateError, StateKey, StateRecord,
};
use crate::subscription::SubscriptionRecord;
use crate::version::Position;

/// Somebody who consumes the events of a store, and how far they have come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consumer {
    /// What it is.
    pub kind: ConsumerKind,
    /// Its stored name.
    pub name: String,
    /// Everything up to here is consumed. A projection with something parked has come to the event
    /// before that.
    pub position: Position,
}

/// What consumes events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConsumerKind {
    /// A projection in the memory of this process.
    ProjectionInMemory,
    /// A generation of a durable projection; none while it has not begun.
    Projection {
        /// The number of the generation.
        generation: Option<u64>,
    },
    /// A durable subscription.
    Subscription,
}

impl fmt::Display for Consumer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, position } = self;
        match kind {
            ConsumerKind::ProjectionInMemory => {
                write!(formatter, "projection `{name}`, which is kept in memory,")
            }
            ConsumerKind::Projection { generation: None } => {
                write!(formatter, "projection `{name}`")
            }
            ConsumerKind::Projection { generation: Some(generation) } => {
                write!(formatter, "generation {generation} of projection `{name}`")
            }
            ConsumerKind::Subscription => write!(formatter, "subscription `{name}`"),
        }?;
        write!(formatter, " has come to position {position}")
    }
}

impl<S: EventStore> Runtime<S> {
    /// Those who have not yet consumed everything that they want up to a position: projections of this
    /// runtime, generations of projections and durable subscriptions that the store knows.
    ///
    /// Of a projection that this runtime runs it is known which events it wants; of any other one it is
    /// assumed that it wants all.
    ///
    /// # Errors
    /// When the store can not be read.
    pub async fn consumers_behind(
        &self,
        position: Position,
    ) -> Result<Vec<Consumer>, ConsumersError> {
        self.shared.consumers_behind(position).await
    }
}

impl<S: EventStore> Shared<S> {
    async fn consumers_behind(&self, wanted: Position) -> Result<Vec<Consumer>, ConsumersError> {
        let mut behind = Vec::new();
        for (consumer, query) in self.consumers().await? {
            if consumer.position < wanted
                && self.wants(query.as_ref(), consumer.position, wanted).await?
            {
                behind.push(consumer);
            }
        }
        behind.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(behind)
    }

    /// Whether somebody wants an event between two positions.
    async fn wants(
        &self,
        query: Option<&Query>,
        after: Position,
        up_to: Position,
    ) -> Result<bool, ConsumersError> {
        let Some(query) = query else { return Ok(true) };
        let range = QueryRange { up_to, limit: 1, ..QueryRange::after(after) };
        match self.retry.read(|| self.store.read(query, range)).await {
            Ok(page) => Ok(!page.events.is_empty()),
            Err(ReadError::Archived(_)) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// All consumers, and which events they want, as far as that is known.
    async fn consumers(&self) -> Result<Vec<(Consumer, Option<Query>)>, ConsumersError> {
        let mut consumers = Vec::new();
        let mut hosts: Vec<Arc<dyn Host>> = Vec::new();
        for host in self.projections.values() {
            if host.needs() == Needs::Events {
                let status = host.board().status();
                let position = before_parked(status.position, &status.dead_letters);
                let (kind, name) = (ConsumerKind::ProjectionInMemory, status.name.to_owned());
                consumers.push((Consumer { kind, name, position }, Some(host.query())));
            } else {
                hosts.push(Arc::clone(host));
            }
        }
        let Some(store) = self.store.projection_store() else { return Ok(consumers) };
        for (key, record) in records(store, generations_space()).await? {
            let generations: Generations = read(&key, &record)?;
            let known = hosts.iter().position(|host| host.projection().name == key.name());
            let host = known.map(|index| hosts.swap_remove(index));
            for (generation, partitions) in generations.kept() {
                let query =
                    host.as_ref().filter(|host| generations.is_of(generation, &host.projection()));
                let query = query.map(|host| host.query());
                let consumer = generation_of(store, key.name(), generation, partitions).await?;
                consumers.push((consumer, query));
            }
            if let Some(host) = host.filter(|host| !generations.serves(&host.projection())) {
                consumers.push(not_begun(&*host));
            }
        }
        consumers.extend(hosts.iter().map(|host| not_begun(&**host)));
        for (key, record) in records(store, SubscriptionRecord::SPACE).await? {
            let position = SubscriptionRecord::read(&key, &record)?.position();
            let (kind, name) = (ConsumerKind::Subscription, key.name().to_owned());
            consumers.push((Consumer { kind, name, position }, None));
        }
        Ok(consumers)
    }
}

/// A registered projection that has stored nothing yet.
fn not_begun(host: &dyn Host) -> (Consumer, Option<Query>) {
    let kind = ConsumerKind::Projection { generation: None };
    let (name, position) = (host.projection().name.to_owned(), Position::ZERO);
    (Consumer { kind, name, position }, Some(host.query()))
}

async fn generation_of(
    store: &dyn DynProjectionStore,
    name: &str,
    generation: u64,
    partitions: u32,
) -> Result<Consumer, ConsumersError> {
    // The one that is least far has not seen what the others have.
    let mut position = Position::MAX;
    for partition in Partition::all(partitions) {
        let key = Checkpoint::key(name, generation, partition);
        let reached = match store.dyn_get(&key).await? {
            Some(record) => read::<Checkpoint>(&key, &record)?.position,
            None => Position::ZERO,
        };
        position = position.min(reached);
    }
    let mut letters = Vec::new();
    for (key, record) in records(store, &dead_letter_space(name, generation)).await? {
        letters.push(read::<DeadLetter>(&key, &record)?);
    }
    let kind = ConsumerKind::Projection { generation: Some(generation) };
    let position = before_parked(position, &letters);
    Ok(Consumer { kind, name: name.to_owned(), position })
}

/// The position before the first event that is parked, if it is before this one.
fn before_parked(position: Position, letters: &[DeadLetter]) -> Position {
    let parked = letters.iter().map(|letter| letter.position.get().saturating_sub(1)).min();
    parked.map_or(position, |parked| position.min(Position::new(parked)))
}

/// All records of a space.
async fn records(
    store: &dyn DynProjectionStore,
    space: &str,
) -> Result<Vec<(StateKey, StateRecord)>, StateError> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = store.dyn_list(space, after.as_deref(), 1_000).await?;
        after = page.next().map(str::to_owned);
        all.extend(page.records);
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// Why it is not known how far consumers are.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumersError {
    /// The events could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What the store knows of projections could not be read.
    #[error(transparent)]
    State(#[from] StateError),
}

impl ConsumersError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Read(error) => error.category(),
            Self::State(error) => error.category(),
        }
    }
}
