//! What people do with a projection: look at it, decide about events that failed, rebuild it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{ErrorCategory, ignore_poison};
use crate::projection::generation::{
    Checkpoint, Generations, dead_letter_space, document_space, lease_key, read, request_key,
    skip_key, skip_space, written,
};
use crate::projection::host::{Host, Needs};
use crate::projection::partition::Partition;
use crate::projection::records::StoredSkip;
use crate::projection::row::Slot;
use crate::projection::{DeadLetter, ProjectionState, ProjectionStatus, RebuildProgress};
use crate::store::{
    DynProjectionStore, EventStore, ExpectedRevision, ReadError, StateCommit, StateError, StatePage,
};
use crate::telemetry::TARGET;
use crate::version::Position;

/// Somebody's decision that an event is not applied.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Skip {
    /// The event's place in the global order.
    pub position: Position,
    /// What went wrong with it.
    pub error: String,
    /// Why it is skipped.
    pub reason: String,
    /// Who decided.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// One projection of a runtime, to be looked after; see
/// [`Runtime::projection_handle`](crate::Runtime::projection_handle).
///
/// What is asked for is written down in the store, so that the worker does it in whatever process it
/// runs: in this one at once, in another one when it renews its lease. In memory it is for this
/// process, except for skips, which hold in every process if the store can keep them.
pub struct ProjectionHandle<S> {
    store: Arc<S>,
    host: Arc<dyn Host>,
}

impl<S> Clone for ProjectionHandle<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), host: Arc::clone(&self.host) }
    }
}

const PAGE: usize = 1_000;

impl<S: EventStore> ProjectionHandle<S> {
    pub(crate) fn new(store: &Arc<S>, host: Arc<dyn Host>) -> Self {
        Self { store: Arc::clone(store), host }
    }

    /// Where the projection stands and how it is.
    pub fn status(&self) -> ProjectionStatus {
        self.host.board().status()
    }

    /// Waits until it has seen everything, stands still, or another process works on it; but so long
    /// at most. Answers how it is then.
    pub async fn settled(&self, within: Duration) -> ProjectionStatus {
        let mut watch = self.host.board().watch();
        let settled = watch.wait_for(|status| {
            matches!(
                status.state,
                ProjectionState::Live
                    | ProjectionState::Inline
                    | ProjectionState::Standby
                    | ProjectionState::Parked { .. }
                    | ProjectionState::Failed { .. }
            ) || status.state.has_ended()
        });
        // Both ends are fine, and the sender lives in the host.
        let _ = tokio::time::timeout(within, settled).await;
        self.status()
    }

    /// Waits until its status is as it should be, but so long at most, and answers how it is then. It is
    /// looked at whenever it changes.
    ///
    /// What another process does is seen when that shows in the store: about every quarter of the
    /// lease's time.
    ///
    /// # Errors
    /// The status that it has after that time, if it is another one then.
    pub async fn until(
        &self,
        within: Duration,
        is_so: impl FnMut(&ProjectionStatus) -> bool,
    ) -> Result<ProjectionStatus, Box<ProjectionStatus>> {
        let mut watch = self.host.board().watch();
        // The sender lives in the host.
        match tokio::time::timeout(within, watch.wait_for(is_so)).await {
            Ok(Ok(status)) => Ok(status.clone()),
            _ => Err(Box::new(self.status())),
        }
    }

    /// The events before which the projection, or a key of it, stands still.
    ///
    /// # Errors
    /// When the store can not be read.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, HandleError> {
        if self.is_in_memory() {
            return Ok(self.status().dead_letters.to_vec());
        }
        let (store, projection) = (self.durable()?, self.host.projection());
        let (generations, _) = Generations::load(store, projection.name).await?;
        let building = generations.building(&projection).map(|building| building.number);
        let mut letters = Vec::new();
        for generation in generations.live(&projection).into_iter().chain(building) {
            let space = dead_letter_space(projection.name, generation);
            each(store, &space, |page| {
                for (key, record) in &page.records {
                    letters.push(read(key, record)?);
                }
                Ok(())
            })
            .await?;
        }
        Ok(letters)
    }

    /// The events that were skipped by decision, in order.
    ///
    /// # Errors
    /// When the store can not be read.
    pub async fn skips(&self) -> Result<Vec<Skip>, HandleError> {
        let mut skips = Vec::new();
        each(self.durable()?, &skip_space(self.name()), |page| {
            for (key, record) in &page.records {
                skips.push(read::<StoredSkip>(key, record)?.skip);
            }
            Ok(())
        })
        .await?;
        Ok(skips)
    }

    /// Tries everything again that is parked, and one that has failed: after a fix was deployed, or the
    /// cause is gone.
    ///
    /// # Errors
    /// When the store can not be written.
    pub async fn resume(&self) -> Result<(), HandleError> {
        if let Some(store) = self.store.projection_store() {
            let mut commit = StateCommit::default();
            commit.put(request_key(self.name()), "\"resume\"", ExpectedRevision::Any);
            store.dyn_commit(commit, None).await?;
        }
        self.host.board().ring();
        Ok(())
    }

    /// Decides that the event at this position, before which something is parked, is not applied, and
    /// lets the projection go on behind it. The decision is kept, with who made it and why; it also
    /// holds for rebuilds of the same version.
    ///
    /// # Errors
    /// [`HandleError::NotParked`] if nothing is parked there, or the store can not be written.
    pub async fn skip(
        &self,
        position: Position,
        reason: impl Into<String>,
        actor: impl Into<String>,
    ) -> Result<(), HandleError> {
        let letters = self.dead_letters().await?;
        let Some(letter) = letters.into_iter().find(|letter| letter.position == position) else {
            return Err(HandleError::NotParked { name: self.name(), position });
        };
        let projection = self.host.projection();
        let skip = Skip {
            position,
            error: letter.error,
            reason: reason.into(),
            actor: actor.into(),
            at: Timestamp::now(),
        };
        let (reason, actor) = (&skip.reason, &skip.actor);
        tracing::warn!(target: TARGET, projection = projection.name,
            position = position.get(),
            actor,
            reason,
            "event is skipped"
        );
        match self.store.projection_store() {
            Some(store) => {
                let (version, fingerprint) = (projection.version, projection.fingerprint);
                let stored = written(&StoredSkip { version, fingerprint, skip })?;
                let mut commit = StateCommit::default();
                commit.put(skip_key(projection.name, position), stored, ExpectedRevision::Any);
                commit.put(request_key(projection.name), "\"skip\"", ExpectedRevision::Any);
                store.dyn_commit(commit, None).await?;
            }
            None => self.host.board().skip(position),
        }
        self.host.board().ring();
        Ok(())
    }

    /// Begins to build the projection anew beside what is served, which it replaces in one step when
    /// it is complete. A rebuild that was interrupted is gone on with.
    ///
    /// # Errors
    /// When the store can not be written.
    pub async fn rebuild(&self) -> Result<Rebuild, HandleError> {
        self.begin_rebuild(false).await
    }

    /// The same, but what was built waits for [`swap`](Self::swap): compare it first with
    /// [`differences`](Self::differences). It is kept current meanwhile. What is kept in memory is
    /// replaced at once.
    ///
    /// # Errors
    /// When the store can not be written.
    pub async fn rebuild_and_hold(&self) -> Result<Rebuild, HandleError> {
        self.begin_rebuild(true).await
    }

    async fn begin_rebuild(&self, hold: bool) -> Result<Rebuild, HandleError> {
        let projection = self.host.projection();
        self.holds_something()?;
        let number = if self.is_in_memory() {
            self.host.board().ask_for_rebuild()
        } else {
            let head = self.store.head().await?;
            self.change(|generations| {
                // There is something to stand beside, even if it has not begun.
                generations.ensure(&projection, head);
                generations.rebuild(&projection, hold, head)
            })
            .await?
        };
        Ok(Rebuild { host: Arc::clone(&self.host), number, held: hold })
    }

    /// Lets a rebuild that was held become live as soon as it is complete.
    ///
    /// # Errors
    /// [`HandleError::NoRebuild`] if none is held, or the store can not be written.
    pub async fn swap(&self) -> Result<Rebuild, HandleError> {
        let projection = self.host.projection();
        let number = self.change(|generations| generations.release(&projection)).await?;
        let number = number.ok_or(HandleError::NoRebuild { name: projection.name })?;
        Ok(Rebuild { host: Arc::clone(&self.host), number, held: false })
    }

    /// What differs between what is served and what was built beside it: the keys of documents, at
    /// most `limit`, or the number of rows. Both are compared at one moment only while nothing is
    /// appended.
    ///
    /// # Errors
    /// [`HandleError::NoRebuild`] if nothing is being built, or the store can not be read.
    pub async fn differences(&self, limit: usize) -> Result<Differences, HandleError> {
        let (store, projection) = (self.durable()?, self.host.projection());
        let (generations, _) = Generations::load(store, projection.name).await?;
        let building = generations.building(&projection).map(|building| building.number);
        let (Some(live), Some(building)) = (generations.live(&projection), building) else {
            return Err(HandleError::NoRebuild { name: projection.name });
        };
        match self.host.tables() {
            None => {
                let spaces = [live, building].map(|number| document_space(projection.name, number));
                documents_that_differ(store, &spaces, limit).await.map(Differences::Documents)
            }
            Some(tables) => {
                let (found, failure) = (Slot::default(), Slot::default());
                let generations = (live, building);
                let work = tables.differences(generations, Arc::clone(&found), failure.clone());
                store
                    .dyn_commit(StateCommit::default(), Some(work))
                    .await
                    .map_err(|error| self.of_tables(error, &failure))?;
                Ok(Differences::Rows(ignore_poison(found.lock()).unwrap_or_default()))
            }
        }
    }

    /// Goes back to the generation that was served before the last rebuild: it catches up first.
    ///
    /// # Errors
    /// [`HandleError::NoRebuild`] if none is kept, or the store can not be written.
    pub async fn roll_back(&self) -> Result<Rebuild, HandleError> {
        self.holds_something()?;
        let projection = self.host.projection();
        let number = self.change(|generations| generations.revive(&projection)).await?;
        let number = number.ok_or(HandleError::NoRebuild { name: projection.name })?;
        Ok(Rebuild { host: Arc::clone(&self.host), number, held: false })
    }

    /// Gives up a rebuild, and removes what it has built.
    ///
    /// # Errors
    /// When the store can not be written. Call it again then: nothing that was given up is used.
    pub async fn cancel_rebuild(&self) -> Result<(), HandleError> {
        let projection = self.host.projection();
        let gone = self.change(|generations| generations.cancel(&projection)).await?;
        self.remove(gone).await
    }

    /// Removes every generation that is not served or built by programs of this version: the way
    /// back, and what programs of other versions serve.
    ///
    /// # Errors
    /// When the store can not be written. Call it again then: nothing that was given up is used.
    pub async fn discard_others(&self) -> Result<(), HandleError> {
        self.holds_something()?;
        let projection = self.host.projection();
        let gone = self.change(|generations| generations.discard(&projection)).await?;
        self.remove(gone).await
    }

    fn holds_something(&self) -> Result<(), HandleError> {
        match self.host.needs() {
            Needs::Effects => Err(HandleError::NothingHeld { name: self.name() }),
            Needs::Events | Needs::Documents | Needs::Rows(_) => Ok(()),
        }
    }

    async fn remove(&self, gone: Vec<(u64, u32)>) -> Result<(), HandleError> {
        let (store, name) = (self.durable()?, self.name());
        for (number, partitions) in gone {
            if let Some(tables) = self.host.tables() {
                let failure = Slot::default();
                let work = tables.discard(number, Arc::clone(&failure));
                store
                    .dyn_commit(StateCommit::default(), Some(work))
                    .await
                    .map_err(|error| self.of_tables(error, &failure))?;
            }
            for space in [document_space(name, number), dead_letter_space(name, number)] {
                loop {
                    let page = store.dyn_list(&space, None, PAGE).await?;
                    let mut commit = StateCommit::default();
                    for (key, _) in page.records {
                        commit.remove(key, ExpectedRevision::Any);
                    }
                    if commit.changes.is_empty() {
                        break;
                    }
                    store.dyn_commit(commit, None).await?;
                }
            }
            let mut commit = StateCommit::default();
            let several = (partitions > 1).then_some(Partition::ONLY);
            for partition in Partition::all(partitions).chain(several) {
                let keys = [Checkpoint::key, lease_key].map(|key| key(name, number, partition));
                keys.into_iter().for_each(|key| commit.remove(key, ExpectedRevision::Any));
            }
            store.dyn_commit(commit, None).await?;
            self.change(|generations| generations.forget(number)).await?;
        }
        Ok(())
    }

    /// Changes the generations; as often as somebody else was faster.
    async fn change<T>(&self, change: impl Fn(&mut Generations) -> T) -> Result<T, HandleError> {
        let (store, name) = (self.durable()?, self.name());
        loop {
            let (mut generations, revision) = Generations::load(store, name).await?;
            let before = generations.clone();
            let changed = change(&mut generations);
            if generations == before {
                return Ok(changed);
            }
            let mut commit = StateCommit::default();
            generations.put(&mut commit, name, revision)?;
            match store.dyn_commit(commit, None).await {
                Ok(_) => {
                    self.host.board().ring();
                    return Ok(changed);
                }
                Err(StateError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn of_tables(&self, error: StateError, failure: &Slot<String>) -> HandleError {
        match ignore_poison(failure.lock()).take() {
            Some(error) => HandleError::Tables { name: self.name(), error },
            None => error.into(),
        }
    }

    fn name(&self) -> &'static str {
        self.host.projection().name
    }

    fn is_in_memory(&self) -> bool {
        self.host.needs() == Needs::Events
    }

    fn durable(&self) -> Result<&dyn DynProjectionStore, HandleError> {
        let durable = self.store.projection_store();
        durable.ok_or(HandleError::NotDurable { name: self.name() })
    }
}

/// A rebuild that has begun.
pub struct Rebuild {
    host: Arc<dyn Host>,
    number: u64,
    /// Whether it is to wait when it is complete.
    held: bool,
}

impl Rebuild {
    /// How far it is; nothing before it has begun and after it has ended.
    pub fn progress(&self) -> Option<RebuildProgress> {
        self.host.board().status().rebuild
    }

    /// Waits until what was built is what is served, or is complete and held back.
    ///
    /// # Errors
    /// When that will not happen before somebody does something: it is parked, or has failed.
    pub async fn finished(&self) -> Result<(), RebuildError> {
        let board = self.host.board();
        let name = self.host.projection().name;
        let in_memory = self.host.needs() == Needs::Events;
        let mut outcome = Ok(());
        let mut watch = board.watch();
        // The sender lives in the host.
        let _ = watch
            .wait_for(|status| {
                let ours = |rebuild: &&RebuildProgress| rebuild.generation == Some(self.number);
                let rebuild = status.rebuild.as_ref().filter(ours);
                let done = match in_memory {
                    true => board.rebuilt() >= self.number,
                    false => status.generation == Some(self.number),
                };
                if done || (self.held && rebuild.is_some_and(|rebuild| rebuild.ready)) {
                    return true;
                }
                let stopped =
                    |reason: &str| RebuildError::Stopped { name, reason: reason.to_owned() };
                let letters = status.dead_letters.iter();
                let mut parked = letters.filter(|letter| {
                    letter.key.is_none() && letter.generation == Some(self.number)
                });
                outcome = if let Some(letter) = parked.next() {
                    let letter = Box::new(letter.clone());
                    Err(RebuildError::Parked { name, letter })
                } else if let Some(reason) =
                    status.rebuild.as_ref().and_then(|rebuild| rebuild.failed.as_ref())
                {
                    Err(stopped(&reason.to_string()))
                } else {
                    match &status.state {
                        ProjectionState::Failed { reason } => Err(stopped(&reason.to_string())),
                        ProjectionState::Stopped => Err(stopped("the runtime was shut down")),
                        _ => Ok(()),
                    }
                };
                outcome.is_err()
            })
            .await;
        outcome
    }
}

/// Why a rebuild does not go on by itself.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// It stands before an event that it can not apply.
    #[error("the rebuild of projection `{name}` is parked: {}", letter.error)]
    Parked {
        /// The stored name of the projection.
        name: &'static str,
        /// The event.
        letter: Box<DeadLetter>,
    },
    /// It has ended. A rebuild in the store goes on at the next start.
    #[error("the rebuild of projection `{name}` has ended: {reason}")]
    Stopped {
        /// The stored name of the projection.
        name: &'static str,
        /// Why.
        reason: String,
    },
}

/// What differs between two generations.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub enum Differences {
    /// The keys of documents that are not the same.
    Documents(Vec<String>),
    /// How many rows are in one generation only.
    Rows(u64),
}

impl Differences {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Documents(keys) => keys.is_empty(),
            Self::Rows(count) => *count == 0,
        }
    }
}

/// Goes over two sorted spaces side by side.
async fn documents_that_differ(
    store: &dyn DynProjectionStore,
    spaces: &[String; 2],
    limit: usize,
) -> Result<Vec<String>, HandleError> {
    let mut differ = Vec::new();
    let mut sides = [Side::default(), Side::default()];
    while differ.len() < limit {
        for (side, space) in sides.iter_mut().zip(spaces) {
            side.fill(store, space).await?;
        }
        let [one, other] = &mut sides;
        let order = match (one.peek(), other.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        match order {
            std::cmp::Ordering::Less => differ.extend(one.take().map(|(key, _)| key)),
            std::cmp::Ordering::Greater => differ.extend(other.take().map(|(key, _)| key)),
            std::cmp::Ordering::Equal => {
                let (one, other) = (one.take(), other.take());
                if one != other {
                    differ.extend(one.map(|(key, _)| key));
                }
            }
        }
    }
    Ok(differ)
}

/// One of two spaces that are gone over.
#[derive(Default)]
struct Side {
    records: std::collections::VecDeque<(String, bytes::Bytes)>,
    after: Option<String>,
    ended: bool,
}

impl Side {
    async fn fill(
        &mut self,
        store: &dyn DynProjectionStore,
        space: &str,
    ) -> Result<(), StateError> {
        while self.records.is_empty() && !self.ended {
            let page = store.dyn_list(space, self.after.as_deref(), PAGE).await?;
            self.after = page.next().map(ToOwned::to_owned);
            self.ended = self.after.is_none();
            let records = page.records.into_iter();
            self.records.extend(records.map(|(key, record)| (key.name().to_owned(), record.value)));
        }
        Ok(())
    }

    fn peek(&self) -> Option<&(String, bytes::Bytes)> {
        self.records.front()
    }

    fn take(&mut self) -> Option<(String, bytes::Bytes)> {
        self.records.pop_front()
    }
}

async fn each(
    store: &dyn DynProjectionStore,
    space: &str,
    mut look: impl FnMut(&StatePage) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let mut after: Option<String> = None;
    loop {
        let page = store.dyn_list(space, after.as_deref(), PAGE).await?;
        look(&page)?;
        match page.next() {
            Some(next) => after = Some(next.to_owned()),
            None => return Ok(()),
        }
    }
}

/// Why something could not be done with a projection.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// Nothing is parked before the event.
    #[error(
        "nothing of projection `{name}` is parked at position {position}, so there is nothing to skip"
    )]
    NotParked {
        /// The stored name of the projection.
        name: &'static str,
        /// The position.
        position: Position,
    },
    /// It holds nothing that could be built anew.
    #[error(
        "`{name}` is what the program does outside, which is not done again; nothing of it is held that could be built anew"
    )]
    NothingHeld {
        /// The stored name of the side effects.
        name: &'static str,
    },
    /// There is no other generation that this could be about.
    #[error("projection `{name}` has no other generation: rebuild it first")]
    NoRebuild {
        /// The stored name of the projection.
        name: &'static str,
    },
    /// It is about what is stored, and the store of the runtime keeps nothing for projections.
    #[error(
        "the store of this runtime keeps nothing for projection `{name}`: use a store that implements `ProjectionStore`"
    )]
    NotDurable {
        /// The stored name of the projection.
        name: &'static str,
    },
    /// The tables of the projection could not be worked on.
    #[error("the tables of projection `{name}`: {error}")]
    Tables {
        /// The stored name of the projection.
        name: &'static str,
        /// What the store said.
        error: String,
    },
    /// What the store keeps for projections can not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The log can not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl HandleError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::NotParked { .. } | Self::NoRebuild { .. } | Self::NothingHeld { .. } => {
                ErrorCategory::Rejected
            }
            Self::NotDurable { .. } | Self::Tables { .. } => ErrorCategory::Permanent,
            Self::State(error) => error.category(),
            Self::Read(error) => error.category(),
        }
    }
}
