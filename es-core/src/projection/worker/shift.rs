//! A shift of a worker: the time between taking the lease and losing it or giving it back.

mod report;
mod retry;
mod step;
mod swap;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Role, Worker};
use crate::projection::feed::{Feed, Fetched};
use crate::projection::host::Start;
use crate::projection::ledger::Ledger;
use crate::projection::race::{First, race};
use crate::projection::records;
use crate::projection::session::Session;
use crate::projection::workplace::{Exit, Woken};
use crate::store::EventStore;
use crate::version::Position;

/// The time between taking the lease and losing it or giving it back.
pub(crate) struct Shift<'a, S> {
    pub(crate) worker: &'a Worker<S>,
    session: Box<dyn Session>,
    feed: Feed<S>,
    began: Instant,
    events_before: u64,
    pub(crate) renewed: Instant,
    head: Position,
    /// Whether a side effect has run for an event, so that the next one was not run before.
    pub(crate) reacted: bool,
    /// The former partitions of which one has run.
    pub(crate) met: HashSet<(usize, usize)>,
    /// The head of the store when the generation was begun.
    begun_at: Position,
    /// How far the generation was that is served, when it was looked at.
    served: Position,
    /// Up to where the other partitions of a rebuild were told that this one has come.
    told: Option<Position>,
}

impl<'a, S: EventStore> Shift<'a, S> {
    pub(super) fn new(worker: &'a Worker<S>, ledger: &Ledger) -> Self {
        let place = &*worker.place;
        let generations = &worker.standing.generations;
        Self {
            worker,
            session: Arc::clone(&place.host).session(Start::Generation(worker.generation)),
            feed: place.feed(Position::MAX),
            began: Instant::now(),
            events_before: ledger.events(),
            renewed: Instant::now(),
            head: Position::ZERO,
            reacted: false,
            met: HashSet::new(),
            begun_at: generations.begun_at(worker.generation).unwrap_or(Position::ZERO),
            served: Position::ZERO,
            told: None,
        }
    }

    /// Up to where events are a replay: they were there when the generation was begun, or are applied
    /// to the one that is served.
    fn replay_until(&self) -> Position {
        match self.worker.role {
            Role::Live | Role::Building { live: None, .. } => self.begun_at,
            Role::Building { live: Some(live), .. } => {
                let board = self.worker.place.host.board();
                let shown = board.position(live, self.worker.partition);
                self.begun_at.max(self.served).max(shown)
            }
        }
    }

    /// Looks how far the generation is that is served.
    async fn look_at_served(&mut self) -> Result<(), Exit> {
        let Worker { place, partition, role, .. } = self.worker;
        if let Role::Building { live: Some(live), .. } = *role {
            let stored = records::position(place, live, *partition).await?;
            self.served = stored.map_or(self.served, |(position, _)| position);
        }
        Ok(())
    }

    pub(crate) fn renewal(&self) -> Duration {
        self.worker.place.lease_time / 3
    }

    pub(super) async fn work(
        &mut self,
        ledger: &mut Ledger,
        bell: &mut watch::Receiver<u64>,
    ) -> Result<std::convert::Infallible, Exit> {
        let place = &*self.worker.place;
        self.look_at_served().await?;
        // What was parked is tried again after a start, or skipped if somebody has decided so.
        self.retry_keys(ledger).await?;
        loop {
            if place.is_stopped() {
                return Err(Exit::Stopped);
            }
            if !self.worker.is_mine() {
                return Err(Exit::Reassigned);
            }
            let fetched = self.next(ledger.position()).await?;
            self.head = self.head.max(fetched.head);
            if self.concerns(&fetched) || self.renewed.elapsed() >= self.renewal() {
                let turn = self.worker.turn().await;
                let parked = self.step(ledger, &fetched).await?;
                drop(turn);
                if parked {
                    self.feed.rest();
                    self.report(ledger);
                    self.wait_for_a_decision(ledger, bell).await?;
                    continue;
                }
            } else {
                ledger.see(fetched.token);
            }
            if fetched.more {
                self.report(ledger);
                let rung = bell.has_changed().unwrap_or(false);
                bell.mark_unchanged();
                if rung {
                    self.look_at_requests(ledger).await?;
                }
                continue;
            }
            if let Role::Building { hold: false, live } = self.worker.role {
                // What is rung while this one tries is heard.
                let mut built = place.built.subscribe();
                if self.swap(ledger, live, &mut built).await? {
                    continue;
                }
                // Another partition is behind, or tries just now.
                let after = ledger.position();
                let pause = self.until_others_are_looked_at(self.renewal());
                match race(built.changed(), place.wait(Some(after), bell, pause)).await {
                    First::Left(_) => {}
                    First::Right(woken) => match woken? {
                        Woken::Unheard(error) => {
                            place.endure(error.category(), &error, 1).await?;
                        }
                        Woken::News | Woken::Rung | Woken::Late => {}
                    },
                }
                self.look_at_requests(ledger).await?;
                continue;
            }
            if let (Role::Live, Some(inline)) = (self.worker.role, &place.inline)
                && ledger.is_sound()
            {
                if place.enlist(inline).await? {
                    return Err(Exit::Inline);
                }
                // More was appended meanwhile, or what it met is met here too.
                place.pause(1).await?;
                return Err(Exit::Changed);
            }
            self.report_caught_up(ledger);
            match place.wait(Some(ledger.position()), bell, self.renewal()).await? {
                Woken::News => {}
                Woken::Rung => self.look_at_requests(ledger).await?,
                Woken::Late => {
                    self.renew(ledger).await?;
                    // Others may have asked from other processes.
                    self.look_at_requests(ledger).await?;
                }
                Woken::Unheard(error) => place.endure(error.category(), &error, 1).await?,
            }
        }
    }

    /// Waits, parked, until somebody has decided.
    async fn wait_for_a_decision(
        &mut self,
        ledger: &mut Ledger,
        bell: &mut watch::Receiver<u64>,
    ) -> Result<(), Exit> {
        let place = &*self.worker.place;
        loop {
            match place.wait(None, bell, self.renewal()).await? {
                Woken::Late => self.renew(ledger).await?,
                Woken::News | Woken::Rung | Woken::Unheard(_) => {}
            }
            if !self.worker.is_mine() {
                return Err(Exit::Reassigned);
            }
            if ledger.hear(place).await? {
                ledger.unpark();
                self.report(ledger);
                return self.retry_keys(ledger).await;
            }
        }
    }

    /// Does what somebody has asked for, if anybody has.
    async fn look_at_requests(&mut self, ledger: &mut Ledger) -> Result<(), Exit> {
        let place = &*self.worker.place;
        if ledger.hear(place).await? {
            self.retry_keys(ledger).await?;
        }
        if self.worker.standing.has_changed(place).await? {
            return Err(Exit::Changed);
        }
        Ok(())
    }

    pub(crate) async fn renew(&mut self, ledger: &mut Ledger) -> Result<(), Exit> {
        let place = &*self.worker.place;
        let store = place.durable()?;
        let mut attempts = 1;
        while let Err(error) = ledger.renew(store).await {
            place.endure(error.category(), &error, attempts).await?;
            attempts = attempts.saturating_add(1);
        }
        self.renewed = Instant::now();
        Ok(())
    }

    /// Whether the partition has something to do with the page.
    fn concerns(&self, fetched: &Fetched) -> bool {
        let Worker { place, partition, .. } = self.worker;
        let batch = &fetched.batch;
        batch.len() > 0 && (partition.is_only() || place.host.concerns(batch, *partition))
    }

    /// The page that follows a position.
    async fn next(&mut self, after: Position) -> Result<Arc<Fetched>, Exit> {
        let place = &*self.worker.place;
        let mut attempts = 1;
        while let Some(shared) = &self.worker.feed {
            match place.unless_stopped(shared.next(after)).await? {
                Ok(Some(page)) => return Ok(page),
                Ok(None) => break,
                Err(error) => place.endure(error.category(), &error, attempts).await?,
            }
            attempts = attempts.saturating_add(1);
        }
        place.next(&mut self.feed, after).await.map(Arc::new)
    }
}
