//! Which processes share the partitions of a projection, and which of them works on which.
//!
//! Every process writes a record again and again. Whoever has not been heard of for the lease's time,
//! by the clock of the one who listens, is no member any more. The members sort themselves in one
//! order and take turns: the first one gets the first partition. While two of them see other members
//! both may try; leases decide who works.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use crate::projection::failure::ProjectionFailure;
use crate::projection::generation::{read, written};
use crate::projection::partition::Partition;
use crate::projection::workplace::{Exit, Workplace};
use crate::store::{
    DynProjectionStore, EventStore, ExpectedRevision, Revision, StateCommit, StateError, StateKey,
    StateRecord,
};
use crate::telemetry::TARGET;

/// More members than this do not share.
const MOST_MEMBERS: usize = 1_000;

/// Which partitions a process is to work on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Share {
    rank: usize,
    members: usize,
}

impl Share {
    /// Everything, without asking anybody.
    pub(crate) const ALL: Self = Self { rank: 0, members: 1 };
    /// Nothing, before the others are known.
    pub(crate) const NONE: Self = Self { rank: 1, members: 1 };

    /// Whether others work on partitions too.
    pub(crate) fn is_shared(self) -> bool {
        self.members > 1
    }

    pub(crate) fn has(self, partition: Partition) -> bool {
        partition.index() % self.members == self.rank
    }
}

/// What is stored of a member.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Member {
    /// Through which opening of a store that nobody else can open meanwhile.
    opening: Option<Uuid>,
}

/// This process as one of those that share a projection.
pub(crate) struct Membership<S> {
    place: Arc<Workplace<S>>,
    share: watch::Sender<Share>,
    /// The last revision of each other member, and since when it has not changed.
    others: HashMap<String, (Revision, Instant)>,
}

impl<S: EventStore> Membership<S> {
    pub(crate) fn new(place: &Arc<Workplace<S>>, share: watch::Sender<Share>) -> Self {
        Self { place: Arc::clone(place), share, others: HashMap::new() }
    }

    /// Is a member until the workers are asked to stop.
    pub(crate) async fn run(mut self) -> Exit {
        let exit = match self.work().await {
            Ok(never) => match never {},
            Err(exit) => exit,
        };
        // The others need not wait until it is forgotten.
        if exit != Exit::Changed
            && let Ok(store) = self.place.durable()
            && let Err(error) = self.leave(store).await
        {
            let projection = self.place.name();
            tracing::debug!(target: TARGET, projection, %error, "the share was not given back");
        }
        exit
    }

    async fn work(&mut self) -> Result<std::convert::Infallible, Exit> {
        let place = Arc::clone(&self.place);
        let store = place.durable()?;
        let mut bell = place.host.board().bell();
        let (space, key) = (self.space(), self.key());
        let member = written(&Member { opening: store.dyn_opening() })
            .map_err(|error| Exit::Failed(ProjectionFailure::of_record(&error)))?;
        loop {
            let mut commit = StateCommit::default();
            commit.put(key.clone(), member.clone(), ExpectedRevision::Any);
            place.patiently(|| store.dyn_commit(commit.clone(), None)).await?;
            let page = place.patiently(|| store.dyn_list(&space, None, MOST_MEMBERS)).await?;
            let mut members = Vec::new();
            for (key, record) in &page.records {
                if self.is_member(store, key, record)? {
                    members.push(key.name());
                } else {
                    self.forget(store, key, record.revision).await;
                }
            }
            members.sort_unstable();
            let rank = members.iter().position(|name| *name == key.name());
            let share = rank.map_or(Share::NONE, |rank| Share { rank, members: members.len() });
            self.share.send_if_modified(|shown| std::mem::replace(shown, share) != share);
            place.wait(None, &mut bell, place.lease_time / 3).await?;
        }
    }

    /// Whether the one who wrote the record still is a member.
    fn is_member(
        &mut self,
        store: &dyn DynProjectionStore,
        key: &StateKey,
        record: &StateRecord,
    ) -> Result<bool, Exit> {
        if *key == self.key() {
            return Ok(true);
        }
        let Member { opening } = read(key, record)
            .map_err(|error| Exit::Failed(ProjectionFailure::of_record(&error)))?;
        // Whoever wrote it through an earlier opening is gone.
        if store.dyn_opening().is_some() && opening != store.dyn_opening() {
            return Ok(false);
        }
        let revision = record.revision;
        let now = (revision, Instant::now());
        let seen = self.others.entry(key.name().to_owned()).or_insert(now);
        if seen.0 != revision {
            *seen = now;
        }
        Ok(seen.1.elapsed() < self.place.lease_time)
    }

    /// Removes what is left of somebody who is gone.
    async fn forget(&mut self, store: &dyn DynProjectionStore, key: &StateKey, revision: Revision) {
        let mut commit = StateCommit::default();
        commit.remove(key.clone(), ExpectedRevision::Exact(revision));
        // Whoever is back meanwhile stays, and what can not be removed is removed the next time.
        if store.dyn_commit(commit, None).await.is_ok() {
            self.others.remove(key.name());
        }
    }

    async fn leave(&self, store: &dyn DynProjectionStore) -> Result<(), StateError> {
        let mut commit = StateCommit::default();
        commit.remove(self.key(), ExpectedRevision::Any);
        store.dyn_commit(commit, None).await.map(|_| ())
    }

    /// Programs of another version have partitions of their own.
    fn space(&self) -> String {
        let projection = self.place.host.projection();
        let (name, version) = (projection.name, projection.version);
        format!("projection-members/{name}/{version}-{}", projection.fingerprint)
    }

    fn key(&self) -> StateKey {
        StateKey::new(self.space(), self.place.me.to_string())
    }
}
