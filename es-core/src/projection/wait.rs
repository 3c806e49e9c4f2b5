//! Waiting until a projection has applied a commit.

use std::future::{Future, IntoFuture};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::projection::feed::{Feed, Fetched};
use crate::projection::generation::{Checkpoint, Generations, dead_letter_space, read};
use crate::projection::host::{Host, Needs};
use crate::projection::partition::Partition;
use crate::projection::race::{First, race};
use crate::projection::{DeadLetter, ProjectionState, ProjectionStatus};
use crate::runtime::{NotRegistered, Receipt, RetryPolicy, WaitError};
use crate::store::{DynProjectionStore, EventStore, QueryRange};
use crate::version::Position;
use tokio::sync::Semaphore;

/// Waits until a projection has applied what a receipt stands for, or everything; see
/// [`Runtime::wait_for`](crate::Runtime::wait_for). Await it, with a deadline or without.
#[must_use = "it waits when it is awaited"]
pub struct Wait<'a, S> {
    store: &'a Arc<S>,
    retry: RetryPolicy,
    host: Result<Arc<dyn Host>, NotRegistered>,
    goal: Goal,
    deadline: Option<Duration>,
}

/// What is waited for.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// The events after one position up to another one.
    Commit { after: Position, up_to: Position },
    /// Everything that is in the store when the wait begins.
    Head,
}

impl Goal {
    pub(crate) fn of(receipt: &Receipt) -> Self {
        let up_to = receipt.position.unwrap_or(Position::ZERO);
        // The positions of a commit are contiguous.
        let after = Position::new(up_to.get().saturating_sub(receipt.events));
        Self::Commit { after, up_to }
    }
}

impl<'a, S: EventStore> Wait<'a, S> {
    pub(crate) fn new(
        store: &'a Arc<S>,
        retry: RetryPolicy,
        host: Result<Arc<dyn Host>, NotRegistered>,
        goal: Goal,
    ) -> Self {
        Self { store, retry, host, goal, deadline: None }
    }

    /// Waits so long at most, and says then how far the projection is.
    pub fn within(mut self, time: Duration) -> Self {
        self.deadline = Some(time);
        self
    }

    async fn wait(self) -> Result<(), WaitError> {
        let deadline = self.deadline;
        let host = self.host.clone()?;
        let reached = self.reached(&*host);
        let Some(time) = deadline else { return reached.await };
        match race(reached, tokio::time::sleep(time)).await {
            First::Left(outcome) => outcome,
            First::Right(()) => Err(self.late(&*host).await),
        }
    }

    /// Why it is not there yet.
    async fn late(&self, host: &dyn Host) -> WaitError {
        let status = host.board().status();
        let name = status.name;
        let head = status.head.max(status.position);
        let wanted = match self.goal {
            Goal::Commit { up_to, .. } => up_to,
            Goal::Head => head,
        };
        match (status.state, status.rebuild) {
            (ProjectionState::Rebuilding, rebuild) => {
                let position = rebuild.map_or(Position::ZERO, |rebuild| rebuild.position);
                WaitError::Rebuilding { name, wanted, position }
            }
            (state, _) => {
                let position = status.position;
                let lag = wanted.get().saturating_sub(position.get());
                WaitError::Late { name, wanted, position, lag, state }
            }
        }
    }

    async fn reached(&self, host: &dyn Host) -> Result<(), WaitError> {
        let (after, wanted) = match self.goal {
            Goal::Commit { after, up_to } => (after, up_to),
            Goal::Head => (Position::ZERO, self.retry.read(|| self.store.head()).await?),
        };
        let durable = host.needs() != Needs::Events;
        let everything = matches!(self.goal, Goal::Head);
        // A durable read model can be read when it is served, also before the first event.
        if wanted == Position::ZERO && !(durable && everything) {
            return Ok(());
        }
        for partition in self.concerned(host, after, wanted).await? {
            self.reached_by(host, partition, after, wanted).await?;
        }
        Ok(())
    }

    /// The partitions that must have applied the events.
    async fn concerned(
        &self,
        host: &dyn Host,
        after: Position,
        wanted: Position,
    ) -> Result<Vec<Partition>, WaitError> {
        let all = Partition::all(host.projection().partitions);
        if let (Goal::Head, _) | (_, 1) = (self.goal, host.projection().partitions) {
            return Ok(all.collect());
        }
        let mut concerned = Vec::new();
        self.each_page(after, wanted, |fetched| {
            concerned.extend(all.clone().filter(|it| host.concerns(&fetched.batch, *it)));
            ControlFlow::Continue(())
        })
        .await?;
        concerned.sort_unstable();
        concerned.dedup();
        Ok(concerned)
    }

    async fn reached_by(
        &self,
        host: &dyn Host,
        partition: Partition,
        after: Position,
        wanted: Position,
    ) -> Result<(), WaitError> {
        let durable = host.needs() != Needs::Events;
        let reached = |status: &ProjectionStatus| {
            status.of(partition).0 >= wanted && (!durable || status.generation.is_some())
        };
        let mut progress = host.board().watch();
        loop {
            // It was told before the append was answered.
            if host.board().inline().is_some_and(|inline| inline.position >= wanted) {
                return Ok(());
            }
            let settled = |status: &ProjectionStatus| {
                let (_, state) = status.of(partition);
                reached(status) || !state.runs() || *state == ProjectionState::Standby
            };
            // The sender lives in the host, which is borrowed here: it can not be gone.
            let status = match progress.wait_for(settled).await {
                Ok(status) => status.clone(),
                Err(_) => host.board().status(),
            };
            let standby = *status.of(partition).1 == ProjectionState::Standby;
            if reached(&status) && !standby {
                let of_it = status.dead_letters.iter();
                let of_it = of_it.filter(|letter| letter.generation == status.generation);
                return self.check(host, of_it, after, wanted).await;
            }
            if !standby {
                return Err(not_reached(&status, partition, wanted));
            }
            if self.elsewhere(host, partition, after, wanted).await? {
                return Ok(());
            }
            // The other process tells nobody: it is asked again, or this one takes over.
            let _ = race(progress.changed(), tokio::time::sleep(ASK_AGAIN)).await;
        }
    }

    /// Whether the events up to here were applied and did not only pass by.
    async fn check(
        &self,
        host: &dyn Host,
        letters: impl Iterator<Item = &DeadLetter>,
        after: Position,
        wanted: Position,
    ) -> Result<(), WaitError> {
        let name = host.projection().name;
        let parked: Vec<_> =
            letters.filter(|letter| letter.key.is_some() && letter.position <= wanted).collect();
        let of_letter = |letter: &DeadLetter| WaitError::Parked {
            name,
            wanted,
            position: letter.position,
            key: letter.key.clone(),
            error: letter.error.clone(),
        };
        if let Goal::Head = self.goal {
            return parked.first().map_or(Ok(()), |letter| Err(of_letter(letter)));
        }
        let skips = host.board().skips();
        if let Some(position) = skips.range(after.next()..=wanted).next() {
            return Err(WaitError::Skipped { name, position: *position });
        }
        if parked.is_empty() {
            return Ok(());
        }
        // Only whoever asks for an event of a parked key is told so.
        let mut met = None;
        self.each_page(after, wanted, |fetched| {
            let keys = host.keys(&fetched.batch);
            let mut of_them = parked
                .iter()
                .filter(|letter| letter.key.as_ref().is_some_and(|key| keys.contains(key)));
            met = of_them.next().copied();
            if met.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await?;
        met.map_or(Ok(()), |letter| Err(of_letter(letter)))
    }

    /// Looks at the events after one position up to another one, page by page.
    async fn each_page(
        &self,
        after: Position,
        up_to: Position,
        mut look: impl FnMut(&Fetched) -> ControlFlow<()>,
    ) -> Result<(), WaitError> {
        let Ok(host) = &self.host else { return Ok(()) };
        let mut feed = Feed::new(self.store, host, &Arc::new(Semaphore::new(1)), up_to);
        let mut at = after;
        while at < up_to {
            let fetched = feed.next(at).await?;
            if look(&fetched).is_break() || !fetched.more {
                break;
            }
            at = fetched.token;
        }
        Ok(())
    }

    /// Whether another process has applied the events, as far as the store tells.
    async fn elsewhere(
        &self,
        host: &dyn Host,
        partition: Partition,
        after: Position,
        wanted: Position,
    ) -> Result<bool, WaitError> {
        let (Some(store), true) = (self.store.projection_store(), host.needs() != Needs::Events)
        else {
            return Ok(false);
        };
        let projection = host.projection();
        let (generations, _) = Generations::load(store, projection.name).await?;
        let Some(live) = generations.live(&projection) else { return Ok(false) };
        let key = Checkpoint::key(projection.name, live, partition);
        let Some(record) = store.dyn_get(&key).await? else { return Ok(false) };
        let checkpoint: Checkpoint = read(&key, &record)?;
        let letters = letters(store, projection.name, live).await?;
        if checkpoint.position < wanted {
            let mut stops = letters.iter().filter(|letter| letter.key.is_none());
            if let Some(letter) = stops.find(|letter| letter.partition == partition.number()) {
                return Err(WaitError::Parked {
                    name: projection.name,
                    wanted,
                    position: letter.position,
                    key: None,
                    error: letter.error.clone(),
                });
            }
            // A checkpoint is not moved for events that are not wanted.
            if self.follows(host, partition, checkpoint.position, wanted).await? {
                return Ok(false);
            }
        }
        self.check(host, letters.iter(), after, wanted).await?;
        Ok(true)
    }

    /// Whether the partition has events after one position up to another one.
    async fn follows(
        &self,
        host: &dyn Host,
        partition: Partition,
        after: Position,
        up_to: Position,
    ) -> Result<bool, WaitError> {
        if partition.is_only() {
            let range = QueryRange { up_to, limit: 1, ..QueryRange::after(after) };
            let query = host.query();
            let page = self.retry.read(|| self.store.read(&query, range)).await?;
            return Ok(!page.events.is_empty());
        }
        let mut follows = false;
        self.each_page(after, up_to, |fetched| {
            follows = host.concerns(&fetched.batch, partition);
            if follows { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await?;
        Ok(follows)
    }
}

/// How often a process that does not run the projection asks the store.
const ASK_AGAIN: Duration = Duration::from_millis(20);

async fn letters(
    store: &dyn DynProjectionStore,
    name: &str,
    generation: u64,
) -> Result<Vec<DeadLetter>, WaitError> {
    let space = dead_letter_space(name, generation);
    let page = store.dyn_list(&space, None, usize::from(u16::MAX)).await?;
    page.records.iter().map(|(key, record)| Ok(read(key, record)?)).collect()
}

fn not_reached(status: &ProjectionStatus, partition: Partition, wanted: Position) -> WaitError {
    let (position, state) = status.of(partition);
    let name = status.name;
    let reason = match state {
        ProjectionState::Parked { position, error } => {
            let (position, error) = (*position, error.clone());
            return WaitError::Parked { name, wanted, position, key: None, error };
        }
        ProjectionState::Failed { reason } => reason.to_string(),
        _ => "the runtime was shut down".to_owned(),
    };
    WaitError::Stopped { name, wanted, position, reason }
}

impl<'a, S: EventStore> IntoFuture for Wait<'a, S> {
    type Output = Result<(), WaitError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.wait())
    }
}
