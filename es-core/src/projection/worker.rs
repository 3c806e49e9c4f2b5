//! The worker of one generation of a durable projection: the only one, as long as it holds the
//! lease.

mod shift;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{RwLockReadGuard, watch};

pub(crate) use self::shift::Shift;
use crate::projection::generation::lease_key;
use crate::projection::inline::Inline;
use crate::projection::lease::{Candidate, Lease};
use crate::projection::ledger::Ledger;
use crate::projection::membership::Share;
use crate::projection::partition::Partition;
use crate::projection::race::{First, race};
use crate::projection::shared_feed::SharedFeed;
use crate::projection::standing::Standing;
use crate::projection::workplace::{Exit, Woken, Workplace};
use crate::projection::{DeadLetter, ProjectionState};
use crate::store::EventStore;
use crate::telemetry::TARGET;

/// How a generation is worked on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// It is served.
    Live,
    /// It is built, and becomes live when it is complete; or when somebody says so.
    Building {
        hold: bool,
        /// The generation of this version that is served meanwhile.
        live: Option<u64>,
    },
}

/// Works on one generation, or on one partition of it.
pub(crate) struct Worker<S> {
    pub(crate) place: Arc<Workplace<S>>,
    pub(crate) generation: u64,
    pub(crate) partition: Partition,
    /// Which partitions this process is to work on.
    pub(crate) share: watch::Receiver<Share>,
    /// Where the events come from, if there are several partitions.
    pub(crate) feed: Option<Arc<SharedFeed<S>>>,
    pub(crate) role: Role,
    /// What this worker knows of the generations; a change of it ends the worker.
    pub(crate) standing: Standing,
}

impl<S: EventStore> Worker<S> {
    pub(crate) async fn run(self) -> Exit {
        loop {
            match self.work().await {
                Ok(never) => match never {},
                // It stands by for another turn.
                Err(Exit::Reassigned) => {}
                Err(exit) => return exit,
            }
        }
    }

    /// The turn to commit, for the live generation.
    async fn turn(&self) -> Option<RwLockReadGuard<'_, ()>> {
        match self.role {
            Role::Live => Some(self.place.turn.read().await),
            Role::Building { .. } => None,
        }
    }

    fn is_mine(&self) -> bool {
        self.share.borrow().has(self.partition)
    }

    async fn work(&self) -> Result<std::convert::Infallible, Exit> {
        let place = &*self.place;
        let mut bell = place.host.board().bell();
        if let (Role::Live, Some(inline), Some(_)) =
            (self.role, &place.inline, place.host.board().inline())
        {
            return self.watch_over(inline, &mut bell).await;
        }
        let lease = self.take_lease(&mut bell).await?;
        let live = matches!(self.role, Role::Live);
        let (generation, partition) = (self.generation, self.partition);
        let standing = self.standing.clone();
        let mut ledger = Ledger::open(place, generation, partition, lease, standing, live).await?;
        let mut shift = Shift::new(self, &ledger);
        shift.report(&ledger);
        let exit = match shift.work(&mut ledger, &mut bell).await {
            Ok(never) => match never {},
            Err(exit) => exit,
        };
        if let Ok(store) = place.durable() {
            let given_back = match exit {
                Exit::Stopped | Exit::Reassigned => ledger.close(store).await,
                Exit::Inline => ledger.leave(store).await,
                Exit::Changed | Exit::Failed(_) => Ok(()),
            };
            if let Err(error) = given_back {
                let projection = place.name();
                tracing::debug!(target: TARGET, projection, %error, "the lease was not given back");
            }
        }
        Err(exit)
    }

    /// Watches over a generation that is changed by the steps of appends: shows how it is, and
    /// brings it up to what others append past it.
    async fn watch_over(
        &self,
        inline: &Inline,
        bell: &mut watch::Receiver<u64>,
    ) -> Result<std::convert::Infallible, Exit> {
        let place = &*self.place;
        let board = place.host.board();
        loop {
            if place.is_stopped() {
                return Err(Exit::Stopped);
            }
            // It has met something that is for a worker with a lease.
            let Some(standing) = board.inline() else { return Err(Exit::Changed) };
            // Another generation was made live, and nothing was appended since.
            if standing.generation != self.generation {
                place.enlist(inline).await?;
                if board.inline().is_none_or(|it| it.generation != self.generation) {
                    return Err(Exit::Changed);
                }
                continue;
            }
            board.update(|status| {
                status.generation = Some(standing.generation);
                status.position = standing.position;
                status.head = status.head.max(standing.position);
                status.applied_until = standing.applied_until;
                status.state = ProjectionState::Inline;
                let of_it = |letter: &DeadLetter| letter.generation == Some(standing.generation);
                if status.dead_letters.iter().any(of_it) {
                    Arc::make_mut(&mut status.dead_letters).retain(|letter| !of_it(letter));
                }
            });
            match place.wait(Some(standing.position), bell, place.lease_time / 3).await? {
                Woken::News => {
                    let behind = board.inline() == Some(standing);
                    if behind && !place.enlist(inline).await? {
                        return Err(Exit::Changed);
                    }
                }
                Woken::Rung | Woken::Late => {
                    if self.standing.has_changed(place).await? {
                        return Err(Exit::Changed);
                    }
                }
                Woken::Unheard(error) => place.endure(error.category(), &error, 1).await?,
            }
        }
    }

    /// Waits for the lease.
    async fn take_lease(&self, bell: &mut watch::Receiver<u64>) -> Result<Lease, Exit> {
        let (place, store) = (&*self.place, self.place.durable()?);
        let key = lease_key(place.name(), self.generation, self.partition);
        let mut candidate = Candidate::new(key, place.me, place.lease_time);
        let longest = place.lease_time / 4;
        let mut share = self.share.clone();
        let mut pause = Duration::from_millis(5).min(longest);
        let mut attempts = 1;
        loop {
            match candidate.try_take(store, self.is_mine()).await {
                Ok(Some(lease)) => return Ok(lease),
                Ok(None) => {}
                Err(error) => {
                    place.endure(error.category(), &error, attempts).await?;
                    attempts = attempts.saturating_add(1);
                    continue;
                }
            }
            match self.role {
                Role::Live => Ledger::observe(place, self.generation, self.partition).await?,
                Role::Building { .. } if !self.partition.is_only() => {
                    Ledger::observe_rebuild(place, self.generation, self.partition).await?;
                }
                Role::Building { .. } => {}
            }
            if self.standing.has_changed(place).await? {
                return Err(Exit::Changed);
            }
            let reassigned = async {
                if share.changed().await.is_err() {
                    // It stays as it is.
                    std::future::pending::<()>().await;
                }
            };
            match race(reassigned, place.wait(None, bell, pause)).await {
                First::Left(()) => {}
                First::Right(woken) => {
                    woken?;
                }
            }
            pause = (pause * 2).min(longest);
        }
    }
}
