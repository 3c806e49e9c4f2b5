//! The worker of one generation of a durable projection: the only one, as long as it holds the
//! lease.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{RwLockReadGuard, watch};
use tracing::Instrument;

use crate::projection::failure::ProjectionFailure;
use crate::projection::feed::{Feed, Fetched};
use crate::projection::generation::lease_key;
use crate::projection::host::{Needs, Start};
use crate::projection::inline::Inline;
use crate::projection::lease::{Candidate, Lease};
use crate::projection::ledger::{self, Entry, Ledger, Standing};
use crate::projection::membership::Share;
use crate::projection::partition::Partition;
use crate::projection::race::{First, race};
use crate::projection::session::{Failure, KeySet, Part, Session};
use crate::projection::shared_feed::SharedFeed;
use crate::projection::workplace::{Exit, Woken, Workplace};
use crate::projection::{DeadLetter, ProjectionState, RebuildProgress};
use crate::store::{EventStore, StateError};
use crate::telemetry::metrics::{self, Stopwatch};
use crate::telemetry::{Retried, TARGET, project_span};
use crate::version::Position;

/// How long a rebuild holds up the live generation while its other partitions catch up, and how long
/// it leaves it alone then.
const SWAP_LONGEST: Duration = Duration::from_millis(100);

/// How often a rebuild that can not swap looks at the partitions that other processes work on, which
/// tell nobody how far they are.
const LOOK_AT_OTHERS: Duration = Duration::from_millis(10);

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
    fn new(worker: &'a Worker<S>, ledger: &Ledger) -> Self {
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
            let stored = ledger::position(place, live, *partition).await?;
            self.served = stored.map_or(self.served, |(position, _)| position);
        }
        Ok(())
    }

    pub(crate) fn renewal(&self) -> Duration {
        self.worker.place.lease_time / 3
    }

    async fn work(
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

    /// Applies a batch and stores what it changes, as far as it can be applied. Whether the
    /// projection is parked then.
    async fn step(&mut self, ledger: &mut Ledger, fetched: &Fetched) -> Result<bool, Exit> {
        if self.worker.place.host.needs() == Needs::Effects {
            return self.react(ledger, fetched).await;
        }
        let name = self.worker.place.name();
        let span = {
            let Worker { generation, partition, .. } = *self.worker;
            project_span(name, Some(generation), partition.number(), fetched.batch.len())
        };
        let (began, before) = (Stopwatch::start(), ledger.events());
        let parked = self.project(ledger, fetched).instrument(span).await?;
        metrics::projected(name, ledger.events() - before, began);
        Ok(parked)
    }

    async fn project(&mut self, ledger: &mut Ledger, fetched: &Fetched) -> Result<bool, Exit> {
        let place = &*self.worker.place;
        let store = place.durable()?;
        let mut tries = Tries::default();
        let mut store_failures = 1;
        let mut entry = Entry::new(fetched);
        loop {
            let part = Part {
                end: entry.end,
                skips: ledger.skips(),
                keys: KeySet::Except(ledger.parked_with(&entry)),
                partition: self.worker.partition,
                replay_until: self.replay_until(),
            };
            let missing = self.session.missing(&fetched.batch, &part);
            if !missing.is_empty() {
                let documents = ledger.documents(place, missing).await?;
                self.session.load(documents);
            }
            let changes = match self.session.apply(&fetched.batch, &part) {
                Ok(changes) => changes,
                Err(failure) => {
                    self.session.forget();
                    self.fail(ledger, &mut entry, &mut tries, failure).await?;
                    continue;
                }
            };
            match ledger.commit(store, &entry, changes).await {
                Ok(()) => {
                    self.session.committed();
                    self.renewed = Instant::now();
                    return Ok(ledger.is_parked());
                }
                Err(StateError::Abandoned) => {
                    self.session.forget();
                    let Some(failure) = self.session.take_failure() else {
                        let error = StateError::Abandoned;
                        return Err(Exit::Failed(ProjectionFailure::of_store(&error)));
                    };
                    self.fail(ledger, &mut entry, &mut tries, failure).await?;
                }
                Err(error) => {
                    self.session.forget();
                    place.endure(error.category(), &error, store_failures).await?;
                    store_failures = store_failures.saturating_add(1);
                }
            }
        }
    }

    /// Takes note of a failure: the event is tried again, or parks its key or the projection.
    async fn fail(
        &mut self,
        ledger: &Ledger,
        entry: &mut Entry,
        tries: &mut Tries,
        failure: Failure,
    ) -> Result<(), Exit> {
        let place = &*self.worker.place;
        let attempts = tries.count(&failure);
        let (projection, position) = (place.name(), failure.position.get());
        if failure.transient && place.retry.allows_more_than(attempts) {
            let error = &failure.error;
            metrics::retry(Retried::Project);
            tracing::warn!(target: TARGET, projection, position, attempts, %error, "event is projected again");
            return place.pause(attempts).await;
        }
        let error = &failure.error;
        tracing::error!(target: TARGET, projection, position, key = failure.key, %error, "projection parked");
        ledger.park(entry, failure, attempts);
        Ok(())
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

    /// Tries parked keys again, in the order of their events.
    async fn retry_keys(&mut self, ledger: &mut Ledger) -> Result<(), Exit> {
        for key in ledger.parked_keys() {
            self.retry_key(ledger, key).await?;
        }
        self.report(ledger);
        Ok(())
    }

    /// Applies to one document what it has missed, up to where the projection stands.
    async fn retry_key(&mut self, ledger: &mut Ledger, key: String) -> Result<(), Exit> {
        let place = &*self.worker.place;
        let Some(letter) = ledger.letter(&key) else { return Ok(()) };
        let mut up_to = ledger.position();
        let mut failed = None;
        loop {
            let mut session =
                Arc::clone(&place.host).session(Start::Generation(self.worker.generation));
            let mut feed = place.feed(up_to);
            let mut at = Position::new(letter.position.get().saturating_sub(1));
            let mut document = None;
            let failure = loop {
                // An empty range needs no read.
                if at >= up_to {
                    break None;
                }
                let fetched = place.next(&mut feed, at).await?;
                let part = Part {
                    end: fetched.batch.len(),
                    skips: ledger.skips(),
                    keys: KeySet::Only(key.clone()),
                    partition: self.worker.partition,
                    replay_until: self.replay_until(),
                };
                let missing = session.missing(&fetched.batch, &part);
                session.load(ledger.documents(place, missing).await?);
                match session.apply(&fetched.batch, &part) {
                    Ok(changes) => {
                        if let Some(changed) = changes.documents.into_iter().next() {
                            document = Some(changed);
                        }
                    }
                    Err(failure) => break Some(failure),
                }
                at = fetched.token;
                if !fetched.more {
                    break None;
                }
            };
            match failure {
                None => {
                    let store = place.durable()?;
                    let turn = self.worker.turn().await;
                    let done = ledger.settle(store, &key, document, failed).await;
                    drop(turn);
                    self.session.forget_key(&key);
                    return match done {
                        Ok(()) => Ok(()),
                        Err(error) => place.endure(error.category(), &error, 1).await,
                    };
                }
                Some(failure) => {
                    // Again, up to the event that fails.
                    up_to = Position::new(failure.position.get().saturating_sub(1));
                    let again = failure.position == letter.position;
                    let attempts = if again { letter.attempts.saturating_add(1) } else { 1 };
                    failed = Some(failure.letter(
                        place.name(),
                        Some(self.worker.generation),
                        self.worker.partition,
                        attempts,
                    ));
                }
            }
        }
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

    /// Makes the generation live, once it is not behind the one that is. Whether it is this partition
    /// that is to try again.
    async fn swap(
        &mut self,
        ledger: &mut Ledger,
        live: Option<u64>,
        built: &mut watch::Receiver<u64>,
    ) -> Result<bool, Exit> {
        let place = &*self.worker.place;
        let store = place.durable()?;
        if !self.worker.partition.is_only() {
            // The others look at what is stored.
            ledger.store_what_was_seen(place, store).await?;
            if self.told < Some(ledger.position()) {
                self.told = Some(ledger.position());
                place.built.send_modify(|count| *count += 1);
            }
        }
        // Nobody is held up before it is worth it.
        let Ok(_alone) = place.swapping.try_lock() else { return Ok(false) };
        if !ledger.is_near(place, live).await? {
            return Ok(false);
        }
        // The live generation's workers in this process commit nothing meanwhile.
        let turn = place.turn.write().await;
        self.look_at_served().await?;
        let (began, goal) = (Instant::now(), ledger.position());
        loop {
            let fetched = self.next(ledger.position()).await?;
            self.head = self.head.max(fetched.head);
            if self.step(ledger, &fetched).await? {
                return Ok(true);
            }
            if fetched.more {
                continue;
            }
            if place.inline.is_some() {
                if ledger.swap_in_step(place, live).await? {
                    return Err(Exit::Inline);
                }
                drop(turn);
                return Ok(false);
            }
            if ledger.swap(place, store, live, goal).await? {
                return Err(Exit::Changed);
            }
            // A live one's worker in another process was faster, or another partition of this
            // generation is behind.
            self.report_caught_up(ledger);
            if !self.worker.partition.is_only() {
                if began.elapsed() >= SWAP_LONGEST {
                    drop(turn);
                    place.unless_stopped(tokio::time::sleep(SWAP_LONGEST)).await?;
                    return Ok(false);
                }
                let left = SWAP_LONGEST.saturating_sub(began.elapsed());
                let pause = self.until_others_are_looked_at(left);
                place.unless_stopped(race(built.changed(), tokio::time::sleep(pause))).await?;
            }
        }
    }

    /// How long to wait for the partitions of this process, which say when they have come further, and
    /// for those of others, which do not.
    fn until_others_are_looked_at(&self, longest: Duration) -> Duration {
        match self.worker.share.borrow().is_shared() {
            true => LOOK_AT_OTHERS.min(longest),
            false => longest,
        }
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

    /// Shows how far the generation is.
    pub(crate) fn report(&self, ledger: &Ledger) {
        self.show(ledger, ProjectionState::CatchingUp, false);
    }

    fn report_caught_up(&self, ledger: &Ledger) {
        self.show(ledger, ProjectionState::Live, true);
    }

    fn show(&self, ledger: &Ledger, state: ProjectionState, ready: bool) {
        let state = ledger.parked_state().unwrap_or(state);
        let Worker { generation, partition, .. } = *self.worker;
        let letters = ledger.letters();
        self.worker.place.host.board().update(|status| {
            status.head = status.head.max(self.head);
            status.show_letters(generation, partition, letters);
            match self.worker.role {
                Role::Live => {
                    status.generation = Some(generation);
                    status.show(partition, ledger.position(), ledger.applied_until(), state);
                }
                Role::Building { live, .. } => {
                    status.show_rebuild(partition, self.progress(ledger, ready));
                    if live.is_none() {
                        status.state = match state {
                            parked @ ProjectionState::Parked { .. } => parked,
                            _ => ProjectionState::Rebuilding,
                        };
                    }
                }
            }
        });
    }

    fn progress(&self, ledger: &Ledger, ready: bool) -> RebuildProgress {
        let elapsed = self.began.elapsed().as_secs_f64();
        let events = ledger.events();
        let done = events.saturating_sub(self.events_before) as f64;
        let per_second = if elapsed > 0.0 { done / elapsed } else { 0.0 };
        let position = ledger.position();
        let left = self.head.get().saturating_sub(position.get()) as f64;
        // Events that it does not want take no time: the share of those it has met stays.
        let share = if position.get() > 0 { events as f64 / position.get() as f64 } else { 1.0 };
        let remaining = (per_second > 0.0)
            .then(|| Duration::try_from_secs_f64(left * share / per_second).ok())
            .flatten();
        RebuildProgress {
            generation: Some(self.worker.generation),
            position,
            head: self.head,
            events,
            events_per_second: per_second as u64,
            remaining,
            ready,
            failed: None,
        }
    }
}

/// How often one event was tried.
#[derive(Default)]
struct Tries {
    of: Option<(Position, Option<String>)>,
    count: u32,
}

impl Tries {
    fn count(&mut self, failure: &Failure) -> u32 {
        let of = Some((failure.position, failure.key.clone()));
        if self.of == of {
            self.count = self.count.saturating_add(1);
        } else {
            (self.of, self.count) = (of, 1);
        }
        self.count
    }
}
