//! The runtime: carries out commands, loads state, keeps projections current.

mod and_wait;
mod audit;
mod carry_out;
mod command_memory;
mod commit_log;
mod consumers;
mod decide;
mod error;
mod execute;
#[cfg(feature = "hash-chain")]
mod hash_chain;
mod history;
mod in_flight;
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
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{Mutex, RwLock, Semaphore, watch};
use uuid::Uuid;

use crate::aggregate::Aggregate;
use crate::clock::Clock;
use crate::command::{Command, Handle};
use crate::context::Surroundings;
use crate::event_set::EventSet;
use crate::identity::IdGenerator;
use crate::metadata::Metadata;
use crate::projection::feed::READERS;
use crate::projection::host::{DocumentsIn, Host, KeptInMemory, Needs};
use crate::projection::inline::Inline;
use crate::projection::supervisor;
use crate::projection::wait::Goal;
use crate::projection::workplace::Workplace;
use crate::projection::{
    DocumentProjection, Documents, Projection, ProjectionHandle, ProjectionStatus, ProjectionView,
    Wait,
};
use crate::recorded::Recorded;
use crate::registry::Registry;
use crate::runtime::in_flight::InFlight;
use crate::runtime::instance::{Instances, WarmSettings};
use crate::runtime::snapshots::{SnapshotSettings, Snapshots};
use crate::snapshot::{SnapshotForm, SnapshotPolicy, SnapshotState};
use crate::store::{EventStore, StateStore};
use crate::subscription::{StartAt, Subscription, SubscriptionError};
use crate::telemetry::metrics;

pub use self::and_wait::{AndWait, Waited};
pub use self::audit::{Audit, CausalMessage, CausalNode, CausalTree, CausedCommand};
pub use self::command_memory::COMMANDS_WITHOUT_EVENTS;
pub use self::consumers::{Consumer, ConsumerKind, ConsumersError};
#[cfg(feature = "testing")]
pub(crate) use self::decide::{Envelope, decide};
pub use self::error::{
    CommandDifference, CommandIdReused, ExecuteError, NotRegistered, StartError, UnknownProjection,
    WaitError,
};
pub use self::execute::Execute;
#[cfg(feature = "hash-chain")]
pub use self::hash_chain::{BrokenLink, ChainError, ChainHead, CheckedChains};
pub use self::history::{
    DifferenceError, FieldChange, FirstTime, History, WhatIf, WhatIfError, field_changes,
};
#[cfg(feature = "testing")]
pub(crate) use self::instance::Warm;
pub use self::instance::WarmStatistics;
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
    in_flight: InFlight,
    snapshots: Option<Snapshots>,
    projections: HashMap<TypeId, Arc<dyn Host>>,
    /// Asks the projections to stop; so does its end.
    stop: watch::Sender<bool>,
    tokio: tokio::runtime::Handle,
}

impl<S> Shared<S> {
    fn host<P: Projection>(&self) -> Result<Arc<dyn Host>, NotRegistered> {
        let host = self.projections.get(&TypeId::of::<P>()).cloned();
        host.ok_or(NotRegistered { name: P::NAME })
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
            warm: WarmSettings::default(),
            projection_lease: Duration::from_secs(5),
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
        Execute::new(&self.shared, command, &self.metadata)
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

    /// How the aggregates fare that are kept warm: how many there are, how many bytes they take, and how
    /// many commands found what they needed. It looks at each of them, so ask it now and then.
    pub fn warm_aggregates(&self) -> WarmStatistics {
        self.shared.instances.statistics()
    }

    /// The last snapshot of an aggregate, if it can be used: the state and its version.
    ///
    /// # Errors
    /// When the stream can not be read.
    pub async fn snapshot_of<A: Aggregate>(
        &self,
        id: &A::Id,
    ) -> Result<Option<Loaded<A>>, LoadError> {
        self.shared.snapshot_of(&A::stream(id)?).await
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

    /// The read model of a projection that is kept in memory.
    ///
    /// # Errors
    /// When this runtime does not run it.
    pub fn projection<P>(&self) -> Result<ProjectionView<P>, NotRegistered>
    where
        P: KeptInMemory,
    {
        let host = self.shared.host::<P>()?;
        ProjectionView::of(host).ok_or(NotRegistered { name: P::NAME })
    }

    /// The read model of a projection that is kept in documents.
    ///
    /// # Errors
    /// When this runtime does not run it.
    pub fn documents<P>(&self) -> Result<Documents<P, S>, NotRegistered>
    where
        P: DocumentProjection,
        P::Home: DocumentsIn<S>,
    {
        let host = self.shared.host::<P>()?;
        Documents::of(&self.shared.store, host).ok_or(NotRegistered { name: P::NAME })
    }

    /// Where every projection stands and how it is, sorted by name.
    pub fn projections(&self) -> Vec<ProjectionStatus> {
        let hosts = self.shared.projections.values();
        let mut statuses: Vec<_> = hosts.map(|host| host.board().status()).collect();
        statuses.sort_by_key(|status| status.name);
        statuses
    }

    /// The projection with this stored name, to be looked after: its dead letters, rebuilds and
    /// status.
    ///
    /// # Errors
    /// When this runtime does not run it.
    pub fn projection_handle(&self, name: &str) -> Result<ProjectionHandle<S>, UnknownProjection> {
        let hosts = self.shared.projections.values();
        let mut of_it = hosts.filter(|host| host.projection().name == name);
        match of_it.next() {
            Some(host) => Ok(ProjectionHandle::new(&self.shared.store, Arc::clone(host))),
            None => Err(UnknownProjection {
                name: name.to_owned(),
                known: self.projections().iter().map(|status| status.name).collect(),
            }),
        }
    }

    /// Waits until the projection has applied what the receipt stands for, so that you read your
    /// own write.
    ///
    /// It asks about this commit: a projection that has passed it by, because a key is parked or the
    /// event was skipped, has not applied it. One that does not want its events has.
    ///
    /// It waits as long as the projection makes progress or may make some, or for the time that you
    /// give: `wait_for::<P>(&receipt).within(time)`. Dropping the future stops waiting and changes
    /// nothing.
    ///
    /// # Errors
    /// When that will not happen, or has not happened in time, with the reason: see [`WaitError`].
    pub fn wait_for<P: Projection>(&self, receipt: impl Borrow<Receipt>) -> Wait<'_, S> {
        self.wait::<P>(Goal::of(receipt.borrow()))
    }

    /// Waits until the projection has applied everything that is in the store now.
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for), and when the store can not be asked for its head.
    pub fn wait_until_current<P: Projection>(&self) -> Wait<'_, S> {
        self.wait::<P>(Goal::Head)
    }

    /// The events of a set as they come, for a consumer of your own: to push them to a browser, or to
    /// publish them elsewhere.
    ///
    /// ```
    /// use es_core::StartAt;
    /// # use es_core::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize)]
    /// # #[event(name = "lamp.lit")]
    /// # struct Lit;
    /// # #[derive(EventSet)]
    /// # enum LampEvent { Lit(Lit) }
    /// # async fn publish(_: Vec<LampEvent>) {}
    /// # async fn example<S: es_core::EventStore>(runtime: Runtime<S>) -> Result<(), es_core::SubscriptionError> {
    /// let mut lamps = runtime.subscribe::<LampEvent>(StartAt::Durable("publisher".into())).await?;
    /// loop {
    ///     let delivery = lamps.next().await?;
    ///     publish(delivery.events).await;
    ///     lamps.acknowledge(delivery.recorded.position).await?;
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the store can not say where to begin; see [`SubscriptionError`].
    pub async fn subscribe<E: EventSet>(
        &self,
        start: StartAt,
    ) -> Result<Subscription<E, S>, SubscriptionError> {
        Subscription::start(Arc::clone(&self.shared.store), self.shared.retry, start).await
    }

    fn wait<P: Projection>(&self, goal: Goal) -> Wait<'_, S> {
        Wait::new(&self.shared.store, self.shared.retry, self.shared.host::<P>(), goal)
    }

    /// Stops the projections and waits until they have: what they have begun is committed, and their
    /// leases are given back. Commands can still be sent; nothing is projected any more, also not
    /// through other clones of this handle.
    pub async fn shutdown(&self) {
        // Before the first wait: this future may be dropped there.
        self.shared.stop.send_replace(true);
        for host in self.shared.projections.values() {
            // The sender lives in the host, which is borrowed here: it can not be gone.
            let _ = host.board().watch().wait_for(|status| status.state.has_ended()).await;
        }
    }
}

/// Whether the projection can live in the store.
fn find_home<S: EventStore>(store: &S, host: &dyn Host) -> Result<(), StartError> {
    let needs = host.needs();
    let home = store.projection_store();
    let keeps_inline = home.is_some_and(|home| home.dyn_inline().is_some());
    if host.is_inline() && !keeps_inline {
        return Err(StartError::NotInline { name: host.projection().name });
    }
    let (keeps, help) = match needs {
        Needs::Events => return Ok(()),
        Needs::Documents | Needs::Effects if home.is_some() => return Ok(()),
        Needs::Rows(family) if home.is_some_and(|home| home.row_family() == family) => {
            return Ok(());
        }
        Needs::Documents => (
            "documents".to_owned(),
            "use a store that implements `ProjectionStore`, or keep the projection in memory",
        ),
        Needs::Effects => (
            "how far its side effects are".to_owned(),
            "use a store that implements `ProjectionStore`, or consume a subscription",
        ),
        Needs::Rows(family) => (
            format!("rows of {}", family.name()),
            "use a store of that family, or keep the projection in documents",
        ),
    };
    Err(StartError::NoHome { name: host.projection().name, keeps, help })
}

/// Builds a [`Runtime`].
#[must_use = "a runtime runs after `start`"]
pub struct RuntimeBuilder<S> {
    store: Arc<S>,
    registry: Option<Registry>,
    surroundings: Surroundings,
    retry: RetryPolicy,
    warm: WarmSettings,
    projection_lease: Duration,
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
    ///
    /// One that a command is using is kept in any case.
    pub fn warm_aggregates(mut self, count: usize) -> Self {
        self.warm.entries = count;
        self
    }

    /// Says how many bytes the instances of each aggregate type may take that are kept warm; 64 MiB if
    /// you say nothing. Both limits hold: an instance counts for its bytes, and at least for the
    /// part that each would have if there were as many as
    /// [`warm_aggregates`](Self::warm_aggregates) allows.
    ///
    /// What a state points to is counted if you say how, with [`warm_weight`](Self::warm_weight). The
    /// limits are kept in up to four parts for each processor: a state that alone is larger than such a
    /// part stays until another one of the same part is used.
    pub fn warm_bytes(mut self, bytes: u64) -> Self {
        self.warm.bytes = bytes;
        self
    }

    /// Says how many bytes a state has outside of itself, in its strings, vectors and maps. Without it
    /// a state counts with its own size alone: Rust can not ask what a value points to.
    ///
    /// It is asked after every command, so let it take lengths and not walk through the state. The cache
    /// is told when the weight has changed by more than a quarter.
    ///
    /// ```
    /// # use es_core::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize)]
    /// # #[event(name = "line.added")]
    /// # pub struct Added { line: String }
    /// # #[derive(Aggregate, Default)]
    /// # #[aggregate(name = "text", id = u64, events(Added))]
    /// # pub struct Text { lines: Vec<String> }
    /// # impl Apply<Added> for Text { fn apply(&mut self, event: &Added) { self.lines.push(event.line.clone()) } }
    /// # async fn example<S: es_core::EventStore>(store: S) -> Result<(), es_core::StartError> {
    /// const LINE: usize = 80;                                  // what a line has on the average
    /// let runtime = Runtime::builder(store)
    ///     .warm_bytes(256 * 1024 * 1024)
    ///     .warm_weight::<Text>(|text| text.lines.len() * (size_of::<String>() + LINE))
    ///     .start()
    ///     .await?;
    /// println!("{:?}", runtime.warm_aggregates().hit_rate());
    /// # Ok(()) }
    /// ```
    pub fn warm_weight<A: Aggregate>(
        mut self,
        bytes: impl Fn(&A) -> usize + Send + Sync + 'static,
    ) -> Self {
        self.warm.weigh(bytes);
        self
    }

    /// Says how long nothing must be heard of the process that keeps a durable projection current
    /// before another one takes over; 5 seconds if you say nothing. It is heard of at every commit
    /// and, if there is nothing to do, every third of this time, with one small write for each
    /// projection. After a graceful stop nobody waits for it.
    pub fn projection_lease(mut self, time: Duration) -> Self {
        self.projection_lease = time;
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
    /// With inline projections it answers when they are up to the head, so that the first append
    /// finds them in place; or are parked, which their status tells. The first start of a new version
    /// waits until that is built.
    ///
    /// # Errors
    /// When the registry is not sound, a projection needs what the store can not do, an aggregate
    /// asks for snapshots and nobody has said where they go, or this is no tokio runtime with a timer.
    pub async fn start(self) -> Result<Runtime<S>, StartError> {
        let tokio = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoTokio)?;
        // There is no way to ask tokio, and the first to find out would be a command that loses a
        // race.
        if catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_err() {
            return Err(StartError::NoTimer);
        }
        metrics::describe();
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
        for host in projections.values() {
            find_home(&*self.store, &**host)?;
        }
        // What is appended when this has answered is no replay. A store that can not say is asked again.
        if !projections.is_empty()
            && let Ok(head) = self.store.head().await
        {
            projections.values().for_each(|host| _ = host.board().begun_at(head));
        }
        let stop = watch::Sender::new(false);
        let me = Uuid::from_u128(fastrand::u128(..));
        for host in projections.values() {
            tokio.spawn(supervisor::run(Workplace {
                store: Arc::clone(&self.store),
                host: Arc::clone(host),
                retry: self.retry,
                lease_time: self.projection_lease,
                me,
                stop: stop.subscribe(),
                turn: RwLock::new(()),
                swapping: Mutex::new(()),
                readers: Arc::new(Semaphore::new(READERS as usize)),
                inline: host.is_inline().then(|| Inline::new(Arc::clone(host))),
                decides: AtomicBool::new(true),
                built: watch::Sender::new(0),
            }));
        }
        for host in projections.values() {
            if host.is_inline() {
                host.board().inline_or_not().await;
            } else if host.needs() == Needs::Effects {
                host.board().begun_or_not().await;
            }
        }
        let shared = Shared {
            in_flight: InFlight::of(&*self.store),
            store: self.store,
            surroundings: self.surroundings,
            retry: self.retry,
            instances: Instances::new(self.warm),
            snapshots: self.snapshots.start(&tokio),
            projections,
            stop,
            tokio,
        };
        Ok(Runtime { shared: Arc::new(shared), metadata: Metadata::EMPTY })
    }
}
