//! The runtime: carries out commands, loads state, keeps projections current.

mod audit;
mod carry_out;
mod commit_log;
mod decide;
mod error;
mod execute;
#[cfg(feature = "hash-chain")]
mod hash_chain;
mod history;
mod instance;
mod past;
mod queue;
mod receipt;
mod replay;
mod retry;
mod snapshots;

use std::any::{Any, TypeId};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::aggregate::Aggregate;
use crate::clock::Clock;
use crate::command::{Command, Handle};
use crate::context::Surroundings;
use crate::error::ignore_poison;
use crate::identity::IdGenerator;
use crate::metadata::Metadata;
use crate::projection::host::Host;
use crate::projection::{Projection, ProjectionState, ProjectionStatus, ProjectionView, runner};
use crate::recorded::Recorded;
use crate::registry::Registry;
use crate::runtime::instance::Instances;
use crate::runtime::snapshots::{SnapshotSettings, Snapshots};
use crate::snapshot::{SnapshotForm, SnapshotPolicy, SnapshotState};
use crate::store::{EventStore, StateStore};
use crate::version::Position;

pub use self::audit::{Audit, CausalMessage, CausalNode, CausalTree, CausedCommand};
#[cfg(feature = "testing")]
pub(crate) use self::decide::{Envelope, decide};
pub use self::error::{
    CommandDifference, CommandIdReused, ExecuteError, NotRegistered, StartError, WaitError,
};
pub use self::execute::Execute;
#[cfg(feature = "hash-chain")]
pub use self::hash_chain::{BrokenLink, ChainError, ChainHead, CheckedChains};
pub use self::history::{
    DifferenceError, FieldChange, FirstTime, History, WhatIf, WhatIfError, field_changes,
};
#[cfg(feature = "testing")]
pub(crate) use self::instance::Warm;
pub use self::past::PastError;
pub use self::receipt::Receipt;
pub use self::replay::{LoadError, Loaded};
pub use self::retry::RetryPolicy;
pub use self::snapshots::SnapshotStatistics;

/// A running event-sourced program: commands, state and projections over one store.
///
/// It is a handle: clone it freely. When the last clone is dropped the projections stop;
/// [`shutdown`](Self::shutdown) also waits for them.
///
/// # Guarantees
/// 1. Commands on one aggregate go one after another. Inside a process they queue; against other
///    processes every append is guarded by the version that was decided on, and a lost race is
///    decided again.
/// 2. Aggregates that were used lately are kept warm and cost no read. A refusal is never given on
///    warm state alone.
/// 3. A projection applies every event that it wants, in the global order, and skips none.
pub struct Runtime<S> {
    shared: Arc<Shared<S>>,
    /// What all commands that are sent through this handle carry.
    metadata: Metadata,
}

pub(crate) struct Shared<S> {
    store: Arc<S>,
    surroundings: Surroundings,
    retry: RetryPolicy,
    instances: Instances,
    snapshots: Option<Snapshots>,
    projections: HashMap<TypeId, Arc<dyn Host>>,
    runners: Mutex<Vec<JoinHandle<()>>>,
    tokio: tokio::runtime::Handle,
}

impl<S> Shared<S> {
    fn abort_runners(&self) {
        for runner in ignore_poison(self.runners.lock()).drain(..) {
            runner.abort();
        }
    }
}

impl<S> Drop for Shared<S> {
    fn drop(&mut self) {
        self.abort_runners();
    }
}

impl<S> Clone for Runtime<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), metadata: self.metadata.clone() }
    }
}

impl<S: EventStore> Runtime<S> {
    /// Begins to build a runtime over a store.
    pub fn builder(store: S) -> RuntimeBuilder<S> {
        Self::builder_shared(Arc::new(store))
    }

    /// Begins to build a runtime over a store that others use too.
    pub fn builder_shared(store: Arc<S>) -> RuntimeBuilder<S> {
        RuntimeBuilder {
            store,
            registry: None,
            surroundings: Surroundings::default(),
            retry: RetryPolicy::default(),
            warm_aggregates: 10_000,
            snapshots: SnapshotSettings::default(),
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<S> {
        &self.shared.store
    }

    /// A handle whose commands all carry this metadata, beside what each says itself: make one for
    /// every request, and correlation and actor flow into all events without another word.
    ///
    /// ```
    /// # use es_core::prelude::*;
    /// use es_core::Metadata;
    /// use es_core::uuid::Uuid;
    ///
    /// # async fn handle<S: es_core::EventStore>(runtime: &Runtime<S>, request_id: Uuid) {
    /// let metadata = Metadata::default().with_correlation_id(request_id).with_actor("teller 7");
    /// let runtime = runtime.with_metadata(metadata);
    /// # }
    /// ```
    #[must_use]
    pub fn with_metadata(&self, metadata: Metadata) -> Self {
        let metadata = self.metadata.clone().joined(&metadata);
        Self { shared: Arc::clone(&self.shared), metadata }
    }

    /// A handle whose commands are all caused by an event: see [`Metadata::caused_by`].
    #[must_use]
    pub fn caused_by(&self, event: &Recorded<'_>) -> Self {
        self.with_metadata(Metadata::caused_by(event))
    }

    /// Sends a command to its aggregate: loads the state, decides, appends what was decided, and
    /// decides again if another process was faster. Await it, or say more about the command first.
    ///
    /// # Errors
    /// See [`ExecuteError`]; [`ExecuteError::Rejected`] carries the domain's own error.
    ///
    /// # Panics
    /// When the handler or an `Apply` panics, and then in this task only.
    pub fn execute<C: Command>(
        &self,
        command: C,
    ) -> Execute<'_, C, S, <C::Aggregate as Handle<C>>::Error>
    where
        C::Aggregate: Handle<C>,
    {
        Execute::new(&self.shared, command, self.metadata.clone())
    }

    /// The state of an aggregate now, replayed from the store or from its last snapshot; that of an
    /// instance without events is the initial state at version zero.
    ///
    /// # Errors
    /// When the stream can not be read; see [`LoadError`].
    pub async fn load<A: Aggregate>(&self, id: &A::Id) -> Result<Loaded<A>, LoadError> {
        let mut loaded = Loaded::default();
        self.shared.bring_up(&A::stream(id)?, &mut loaded).await?;
        Ok(loaded)
    }

    /// How snapshots fare; all zero if there are none.
    pub fn snapshots(&self) -> SnapshotStatistics {
        self.shared.snapshots.as_ref().map(Snapshots::statistics).unwrap_or_default()
    }

    /// The history of an aggregate, for questions about the past.
    ///
    /// # Errors
    /// When the id names no stream.
    pub fn history<A: Aggregate>(&self, id: &A::Id) -> Result<History<'_, A, S>, LoadError> {
        Ok(History::new(&self.shared.store, &self.shared.retry, A::stream(id)?))
    }

    /// The read model of a projection.
    ///
    /// # Errors
    /// When this runtime does not run it.
    pub fn projection<P: Projection>(&self) -> Result<ProjectionView<P>, NotRegistered> {
        let host = self.shared.projections.get(&TypeId::of::<P>()).cloned();
        host.and_then(ProjectionView::of).ok_or(NotRegistered { name: P::NAME })
    }

    /// Where every projection stands and how it is, sorted by name.
    pub fn projections(&self) -> Vec<ProjectionStatus> {
        let hosts = self.shared.projections.values();
        let mut statuses: Vec<_> = hosts.map(|host| host.progress().borrow().clone()).collect();
        statuses.sort_by_key(|status| status.name);
        statuses
    }

    /// Waits until the projection has applied what the receipt stands for, so that you read your
    /// own write.
    ///
    /// It waits as long as the projection makes progress or may make some; put
    /// `tokio::time::timeout` around it for a deadline. Dropping the future stops waiting and
    /// changes nothing.
    ///
    /// # Errors
    /// When that will not happen: see [`WaitError`].
    pub async fn wait_for<P: Projection>(
        &self,
        receipt: impl Borrow<Receipt>,
    ) -> Result<(), WaitError> {
        let position = receipt.borrow().position.unwrap_or(Position::ZERO);
        self.wait_for_position::<P>(position).await
    }

    /// Waits until the projection has applied everything that is in the store now.
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for), and when the store can not be asked for its head.
    pub async fn wait_until_current<P: Projection>(&self) -> Result<(), WaitError> {
        let Shared { store, retry, .. } = &*self.shared;
        let head = retry.read(|| store.head()).await?;
        self.wait_for_position::<P>(head).await
    }

    async fn wait_for_position<P: Projection>(&self, wanted: Position) -> Result<(), WaitError> {
        let Some(host) = self.shared.projections.get(&TypeId::of::<P>()) else {
            return Err(NotRegistered { name: P::NAME }.into());
        };
        let mut progress = host.progress().subscribe();
        let settled = |status: &ProjectionStatus| status.position >= wanted || !status.state.runs();
        // The sender lives in the host, which is borrowed here: it can not be gone.
        let status = match progress.wait_for(settled).await {
            Ok(status) => status.clone(),
            Err(_) => host.progress().borrow().clone(),
        };
        let ProjectionStatus { name, position, state, .. } = status;
        if position >= wanted {
            return Ok(());
        }
        let reason = match state {
            ProjectionState::Parked { position, error } => {
                return Err(WaitError::Parked { name, wanted, position, error });
            }
            ProjectionState::Failed { error } => error,
            _ => "the runtime was shut down".to_owned(),
        };
        Err(WaitError::Stopped { name, wanted, position, reason })
    }

    /// Stops the projections and waits until they have. Commands can still be sent; nothing is
    /// projected any more, also not through other clones of this handle.
    pub async fn shutdown(&self) {
        // All before the first wait: this future may be dropped there.
        self.shared.abort_runners();
        for host in self.shared.projections.values() {
            // The sender lives in the host, which is borrowed here: it can not be gone.
            let _ = host.progress().subscribe().wait_for(|status| !status.state.runs()).await;
        }
    }
}

/// Builds a [`Runtime`].
#[must_use = "a runtime runs after `start`"]
pub struct RuntimeBuilder<S> {
    store: Arc<S>,
    registry: Option<Registry>,
    surroundings: Surroundings,
    retry: RetryPolicy,
    warm_aggregates: usize,
    snapshots: SnapshotSettings,
}

impl<S: EventStore> RuntimeBuilder<S> {
    /// Runs the projections of this registry; without it those of [`Registry::linked`].
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Tells the time to decisions; without it [`SystemClock`](crate::SystemClock).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.surroundings.clock = Arc::new(clock);
        self
    }

    /// Makes new ids; without it [`TimeOrderedIds`](crate::TimeOrderedIds).
    pub fn ids(mut self, ids: impl IdGenerator) -> Self {
        self.surroundings.ids = Arc::new(ids);
        self
    }

    /// Gives decisions a service, found by its type with
    /// [`Context::service`](crate::Context::service).
    pub fn service<T: Any + Send + Sync>(mut self, service: T) -> Self {
        self.surroundings.services.insert(TypeId::of::<T>(), Arc::new(service));
        self
    }

    /// Says how often and how fast something is tried again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Says how many instances of each aggregate type are kept warm; 10,000 if you say nothing.
    pub fn warm_aggregates(mut self, count: usize) -> Self {
        self.warm_aggregates = count;
        self
    }

    /// Keeps snapshots of the aggregates that ask for them with `#[aggregate(snapshot(..))]`, as
    /// state records of the store.
    ///
    /// They are taken behind the commits, by a task of its own; no command waits for one. One that
    /// is missing, damaged or of another type of state is not used: the state is then made of all its
    /// events.
    pub fn snapshots(mut self) -> Self
    where
        S: StateStore,
    {
        self.snapshots.records = Some(Arc::clone(&self.store) as _);
        self.snapshots.refused = false;
        self
    }

    /// Keeps snapshots of an aggregate by this policy, whatever its attribute says, and of those that
    /// ask for them.
    pub fn snapshot<A: Aggregate + SnapshotState>(mut self, policy: SnapshotPolicy<A>) -> Self
    where
        S: StateStore,
    {
        self.snapshots.set(policy, SnapshotForm::new());
        self.snapshots()
    }

    /// Keeps no snapshots, also not of aggregates that ask for them: for tools and tests, and for
    /// stores that are no [`StateStore`].
    pub fn without_snapshots(mut self) -> Self {
        self.snapshots.refused = true;
        self
    }

    /// Checks the registry and starts the projections.
    ///
    /// # Errors
    /// When the registry is not sound, an aggregate asks for snapshots and nobody has said where they
    /// go, or this is no tokio runtime with a timer.
    // Asynchronous because stores and projections that keep their state will have to read it.
    #[expect(clippy::unused_async, reason = "starting will read checkpoints")]
    pub async fn start(self) -> Result<Runtime<S>, StartError> {
        let tokio = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoTokio)?;
        // There is no way to ask tokio, and the first to find out would be a command that loses a
        // race.
        if catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_err() {
            return Err(StartError::NoTimer);
        }
        let registry = match self.registry {
            Some(registry) => registry,
            None => Registry::linked().build()?,
        };
        if self.snapshots.records.is_none()
            && !self.snapshots.refused
            && let Some(aggregate) = registry.aggregates_with_snapshots().next()
        {
            return Err(StartError::NoPlaceForSnapshots { aggregate });
        }
        let projections: HashMap<_, _> = registry.hosts().collect();
        let run = |host: &Arc<dyn Host>| {
            tokio.spawn(runner::run(Arc::clone(&self.store), Arc::clone(host), self.retry))
        };
        let runners = Mutex::new(projections.values().map(run).collect());
        let shared = Shared {
            store: self.store,
            surroundings: self.surroundings,
            retry: self.retry,
            instances: Instances::new(self.warm_aggregates),
            snapshots: self.snapshots.start(&tokio),
            projections,
            runners,
            tokio,
        };
        Ok(Runtime { shared: Arc::new(shared), metadata: Metadata::EMPTY })
    }
}
