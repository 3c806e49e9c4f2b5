//! What an attacker tries: races at the worst moment, tokio runtimes that end, stores that fail
//! halfway, and limits at their ends.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use es_core::prelude::*;
use es_core::{
    AppendError, Appended, ChainLink, Clock, Commit, ErrorCategory, EventId, EventSet, EventStore,
    ExecuteError, ExpectedVersion, LoadError, NewEvent, Position, ProjectionState, Query,
    QueryPage, QueryRange, ReadError, RecordedEvent, Registry, RetryPolicy, Runtime, StartError,
    StoreFailure, StreamId, StreamPage, StreamRange, WaitError,
};
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, CounterError, LowerByOnes, Raise, Raised, Sums};
use es_tests::faulty::{Fault, FaultyStore};
use proptest::prelude::*;

/// What somebody else does at the worst moment.
type Act = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A memory store in which others act between two calls, and which can not always be read.
#[derive(Default)]
struct Worst {
    inner: Arc<MemoryStore>,
    after_find: Mutex<VecDeque<Act>>,
    before_append: Mutex<VecDeque<Act>>,
    failing_reads: AtomicU64,
    loses_the_tail: AtomicBool,
}

impl Worst {
    fn over(inner: &Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(inner), ..Self::default() })
    }

    fn after_find(&self, act: impl Future<Output = ()> + Send + 'static) {
        self.after_find.lock().unwrap().push_back(Box::pin(act));
    }

    fn before_append(&self, act: impl Future<Output = ()> + Send + 'static) {
        self.before_append.lock().unwrap().push_back(Box::pin(act));
    }

    fn read_or_fail(&self) -> Result<(), ReadError> {
        let left = |left: u64| left.checked_sub(1);
        match self.failing_reads.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left) {
            Ok(_) => Err(ReadError::Transient(StoreFailure::new("the store is busy"))),
            Err(_) => Ok(()),
        }
    }
}

async fn next_of(acts: &Mutex<VecDeque<Act>>) {
    let act = acts.lock().unwrap().pop_front();
    if let Some(act) = act {
        act.await;
    }
}

impl EventStore for Worst {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        next_of(&self.before_append).await;
        self.inner.append(commit).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        self.read_or_fail()?;
        let mut page = self.inner.read_stream(stream, range).await?;
        if self.loses_the_tail.load(Ordering::SeqCst) {
            let kept = page.events.len().saturating_sub(1);
            page.events = page.events.iter().take(kept).collect();
        }
        Ok(page)
    }

    async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        self.read_or_fail()?;
        self.inner.read(query, range).await
    }

    async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        self.read_or_fail()?;
        let found = self.inner.find(event_id).await;
        next_of(&self.after_find).await;
        found
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.read_or_fail()?;
        self.inner.head().await
    }

    async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
        self.inner.wait_beyond(position).await
    }
}

async fn over<S: EventStore>(store: Arc<S>) -> Runtime<S> {
    let pause = Duration::from_micros(10);
    let retry = RetryPolicy { attempts: 5, first_pause: pause, longest_pause: pause };
    let registry = Registry::builder().aggregate::<Counter>().projection::<Sums>();
    let registry = registry.build().unwrap();
    Runtime::builder_shared(store).registry(registry).retry(retry).start().await.unwrap()
}

async fn faulty() -> (Arc<FaultyStore>, Runtime<FaultyStore>) {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    (Arc::clone(&store), over(store).await)
}

async fn value<S: EventStore>(runtime: &Runtime<S>, counter: u64) -> (u64, u64) {
    let loaded = runtime.load::<Counter>(&counter).await.unwrap();
    (loaded.state.value, loaded.version.get())
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

/// Polls once, with nobody to wake.
fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut TaskContext::from_waker(Waker::noop()))
}

/// Whatever needs longer than this hangs.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(5), future).await {
        Ok(answer) => answer,
        Err(_) => panic!("{what} hangs"),
    }
}

type Sent<C> = tokio::task::JoinHandle<Result<Receipt, ExecuteError<Refusal<C>>>>;
type Refusal<C> = <<C as Command>::Aggregate as Handle<C>>::Error;

fn spawn<C: Command, S: EventStore>(runtime: &Runtime<S>, command: C) -> Sent<C>
where
    C::Aggregate: Handle<C>,
{
    let runtime = runtime.clone();
    tokio::spawn(async move { runtime.execute(command).await })
}

/// An aggregate whose every decision is different from every other, as those are that carry the
/// time or a new id.
#[derive(Event, Serialize, Deserialize, Debug)]
#[event(name = "ticket.issued")]
struct Issued {
    number: String,
}

#[derive(Aggregate, Default)]
#[aggregate(name = "ticket", id = u64, events(Issued), register = false)]
struct Ticket {}

impl Apply<Issued> for Ticket {
    fn apply(&mut self, _: &Issued) {}
}

#[derive(Command, Clone)]
#[command(aggregate = Ticket)]
struct Issue {
    #[command(id)]
    ticket: u64,
}

impl Handle<Issue> for Ticket {
    type Error = CounterError;
    fn handle(&self, _: &Issue, context: &Context) -> Result<impl IntoEvents<Self>, CounterError> {
        Ok(Issued { number: context.new_id().to_string() })
    }
}

#[tokio::test]
async fn a_receipt_says_repeated_only_when_the_command_was_sent_before() {
    let (store, runtime) = faulty().await;
    store.next([Fault::LostAnswer]);
    let receipt = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    assert!(!receipt.repeated, "an answer was lost, but the command was sent once");
    // In a chain too.
    store.close();
    let first = spawn(&runtime, Raise { counter: 1, by: 1 });
    until(|| store.held_up() == 1).await;
    let more: Vec<_> = (0..3).map(|_| spawn(&runtime, Raise { counter: 1, by: 1 })).collect();
    tokio::task::yield_now().await;
    store.next([Fault::None, Fault::None, Fault::LostAnswer]);
    store.open();
    assert!(!first.await.unwrap().unwrap().repeated);
    for sent in more {
        assert!(!sent.await.unwrap().unwrap().repeated);
    }
    assert_eq!(value(&runtime, 1).await, (5, 5));
}

#[tokio::test]
async fn an_answer_that_was_lost_leaves_the_state_warm() {
    let (store, runtime) = faulty().await;
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    let reads = store.stream_reads();
    store.next([Fault::LostAnswer]);
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    let next = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    assert_eq!((next.attempts, store.stream_reads()), (1, reads));
}

#[tokio::test]
async fn a_command_that_another_process_carries_out_at_that_very_moment_gets_its_first_receipt() {
    let shared = Arc::new(MemoryStore::new());
    let store = Worst::over(&shared);
    let (here, there) = (over(Arc::clone(&store)).await, over(shared).await);
    let id = CommandId::from_name("issue 1");
    let other = there.clone();
    store.before_append(async move {
        other.execute(Issue { ticket: 1 }).command_id(id).await.unwrap();
    });
    let receipt = here.execute(Issue { ticket: 1 }).command_id(id).await.unwrap();
    assert_eq!((receipt.version.get(), receipt.repeated), (1, true));

    // And when it waits in the queue.
    let id = CommandId::from_name("issue 2");
    let (resume, paused) = tokio::sync::oneshot::channel::<()>();
    store.before_append(async move { paused.await.unwrap() });
    let first = spawn(&here, Issue { ticket: 2 });
    tokio::task::yield_now().await;
    let queued = tokio::spawn({
        let here = here.clone();
        async move { here.execute(Issue { ticket: 2 }).command_id(id).await }
    });
    tokio::task::yield_now().await;
    store.before_append(async move {
        there.execute(Issue { ticket: 2 }).command_id(id).await.unwrap();
    });
    resume.send(()).unwrap();
    first.await.unwrap().unwrap();
    let receipt = soon("the queue", queued).await.unwrap().unwrap();
    assert_eq!((receipt.version.get(), receipt.repeated), (2, true));
}

#[tokio::test]
async fn a_waiting_command_is_not_refused_because_another_process_has_just_carried_it_out() {
    let shared = Arc::new(MemoryStore::new());
    let store = Worst::over(&shared);
    let (here, there) = (over(Arc::clone(&store)).await, over(shared).await);
    let id = CommandId::from_name("lower 1");
    let (resume, paused) = tokio::sync::oneshot::channel::<()>();
    store.before_append(async move { paused.await.unwrap() });
    let first = spawn(&here, Raise { counter: 1, by: 1 });
    tokio::task::yield_now().await;
    let queued = tokio::spawn({
        let here = here.clone();
        async move { here.execute(LowerByOnes { counter: 1, by: 5 }).command_id(id).await }
    });
    tokio::task::yield_now().await;
    store.after_find(async move {
        there.execute(Raise { counter: 1, by: 4 }).await.unwrap();
        there.execute(LowerByOnes { counter: 1, by: 5 }).command_id(id).await.unwrap();
    });
    resume.send(()).unwrap();
    first.await.unwrap().unwrap();
    let receipt = queued.await.unwrap().unwrap();
    assert_eq!((receipt.version.get(), receipt.events, receipt.repeated), (7, 5, true));
}

#[tokio::test]
async fn a_read_that_fails_in_passing_is_tried_again() {
    let store = Worst::over(&Arc::default());
    let runtime = over(Arc::clone(&store)).await;
    runtime.wait_until_current::<Sums>().await.unwrap();
    let fail = || store.failing_reads.store(2, Ordering::SeqCst);
    fail();
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    fail();
    let id = CommandId::from_name("raise");
    runtime.execute(Raise { counter: 1, by: 1 }).command_id(id).await.unwrap();
    fail();
    assert_eq!(value(&runtime, 1).await, (2, 2));
    fail();
    let history = runtime.history::<Counter>(&1).unwrap();
    assert_eq!(history.at_version(Version::new(1)).await.unwrap().state.value, 1);
    fail();
    runtime.wait_until_current::<Sums>().await.unwrap();
    // Not for ever.
    store.failing_reads.store(99, Ordering::SeqCst);
    let failed = runtime.load::<Counter>(&1).await.unwrap_err();
    assert_eq!(failed.category(), ErrorCategory::Transient);
    assert_eq!(store.failing_reads.load(Ordering::SeqCst), 94);
    store.failing_reads.store(0, Ordering::SeqCst);
}

#[test]
fn a_tokio_runtime_without_timers_is_refused_at_the_start_and_not_at_the_first_race() {
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio.block_on(async {
        let registry = Registry::builder().build().unwrap();
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let started = Runtime::builder_shared(Arc::clone(&store)).registry(registry).start().await;
        match started {
            Ok(runtime) => {
                store.next([Fault::LostRace]);
                runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
            }
            Err(error) => {
                assert!(matches!(error, StartError::NoTimer));
                assert!(error.to_string().contains("enable_time"), "{error}");
            }
        }
    });
}

#[test]
fn commands_that_wait_when_the_tokio_runtime_of_the_start_has_ended_get_an_answer() {
    let build = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (starter, user) = (build(), build());
    let (store, runtime) = starter.block_on(faulty());
    drop(starter);
    user.block_on(async {
        store.close();
        let first = spawn(&runtime, Raise { counter: 1, by: 1 });
        until(|| store.held_up() == 1).await;
        let waiting = spawn(&runtime, Raise { counter: 1, by: 1 });
        tokio::task::yield_now().await;
        store.open();
        first.await.unwrap().unwrap();
        if let Err(error) = soon("a waiting command", waiting).await.unwrap() {
            assert_eq!(error.category(), ErrorCategory::OutcomeUnknown);
        }
        soon("the next command", runtime.execute(Raise { counter: 1, by: 1 }).into_future())
            .await
            .unwrap();
    });
}

#[test]
fn a_projection_whose_tokio_runtime_has_ended_says_so() {
    let build = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (starter, user) = (build(), build());
    let runtime = starter.block_on(over(Arc::new(MemoryStore::new())));
    drop(starter);
    user.block_on(async {
        let receipt = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
        let stopped =
            soon("the wait", runtime.wait_for::<Sums>(receipt).into_future()).await.unwrap_err();
        assert!(matches!(stopped, WaitError::Stopped { .. }), "{stopped}");
    });
}

#[tokio::test]
async fn a_view_that_outlives_its_runtime_does_not_say_live() {
    let runtime = over(Arc::new(MemoryStore::new())).await;
    runtime.wait_until_current::<Sums>().await.unwrap();
    let view = runtime.projection::<Sums>().unwrap();
    drop(runtime);
    soon("stopping", until(|| view.status().state == ProjectionState::Stopped)).await;
}

/// A second projection beside the sums.
#[derive(Projection, Default)]
#[projection(name = "raises", events(Raised), register = false)]
struct Raises {
    count: u64,
}

impl Project<Raised> for Raises {
    fn project(&mut self, _: &Raised, _: &Recorded) -> Result<(), ProjectError> {
        self.count += 1;
        Ok(())
    }
}

#[tokio::test]
async fn a_shutdown_that_nobody_waits_for_still_stops_every_projection() {
    let store = Arc::new(MemoryStore::new());
    let registry = Registry::builder().projection::<Sums>().projection::<Raises>();
    let registry = registry.build().unwrap();
    let runtime =
        Runtime::builder_shared(Arc::clone(&store)).registry(registry).start().await.unwrap();
    runtime.wait_until_current::<Sums>().await.unwrap();
    runtime.wait_until_current::<Raises>().await.unwrap();
    let mut shutdown = Box::pin(runtime.shutdown());
    assert!(poll_once(shutdown.as_mut()).is_pending());
    drop(shutdown);
    soon(
        "stopping",
        until(|| {
            let stopped =
                |status: &es_core::ProjectionStatus| status.state == ProjectionState::Stopped;
            runtime.projections().iter().all(stopped)
        }),
    )
    .await;
    soon("letting go of the store", until(|| Arc::strong_count(&store) == 2)).await;
    soon("a second shutdown", runtime.shutdown()).await;
}

#[tokio::test]
async fn a_projection_that_catches_up_lets_others_work() {
    let store = Arc::new(MemoryStore::new());
    let writer = over(Arc::clone(&store)).await;
    writer.execute(Raise { counter: 1, by: 20_000 }).await.unwrap();
    writer.execute(LowerByOnes { counter: 1, by: 20_000 }).await.unwrap();
    let late = over(store).await;
    tokio::task::yield_now().await;
    let status = late.projection::<Sums>().unwrap().status();
    assert_eq!(status.state, ProjectionState::CatchingUp, "20 pages at once, in one breath");
    late.wait_until_current::<Sums>().await.unwrap();
}

#[tokio::test]
async fn a_long_replay_lets_others_work() {
    let runtime = over(Arc::new(MemoryStore::new())).await;
    runtime.execute(Raise { counter: 1, by: 20_000 }).await.unwrap();
    runtime.execute(LowerByOnes { counter: 1, by: 20_000 }).await.unwrap();
    let mut load = Box::pin(runtime.load::<Counter>(&1));
    assert!(poll_once(load.as_mut()).is_pending(), "20 pages at once, in one breath");
    assert_eq!(load.await.unwrap().version.get(), 20_001);
}

#[tokio::test]
async fn any_number_of_warm_aggregates_will_do() {
    for count in [0, 1, 2, 33, usize::MAX] {
        let registry = Registry::builder().build().unwrap();
        let builder = Runtime::builder(MemoryStore::new()).registry(registry);
        let runtime = builder.warm_aggregates(count).start().await.unwrap();
        for counter in 0..100 {
            runtime.execute(Raise { counter: counter % 10, by: 1 }).await.unwrap();
        }
        assert_eq!(value(&runtime, 3).await, (10, 10));
    }
}

#[tokio::test]
async fn commands_on_one_aggregate_queue_however_few_aggregates_are_kept() {
    for kept in [0, 1, 40] {
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let registry = Registry::builder().build().unwrap();
        let builder = Runtime::builder_shared(Arc::clone(&store)).registry(registry);
        let runtime = builder.warm_aggregates(kept).start().await.unwrap();
        store.close();
        let first = spawn(&runtime, Raise { counter: 0, by: 1 });
        until(|| store.held_up() == 1).await;
        // Refused, and so without a write; but each takes a place.
        for counter in 1..1000 {
            let lower = LowerByOnes { counter, by: 1 };
            assert!(runtime.execute(lower).await.is_err());
        }
        let second = spawn(&runtime, Raise { counter: 0, by: 1 });
        tokio::task::yield_now().await;
        assert_eq!(store.held_up(), 1, "{kept} kept: the second did not queue behind the first");
        store.open();
        first.await.unwrap().unwrap();
        assert_eq!(second.await.unwrap().unwrap().attempts, 1);
    }
}

/// An aggregate that can not be applied any more when it has counted to three.
#[derive(Event, Serialize, Deserialize, Debug)]
#[event(name = "fuse.burned")]
struct Burned {
    by: u8,
}

#[derive(Aggregate, Default)]
#[aggregate(name = "fuse", id = u64, events(Burned), register = false)]
struct Fuse {
    left: Option<u8>,
}

impl Apply<Burned> for Fuse {
    fn apply(&mut self, event: &Burned) {
        match self.left.unwrap_or(100).checked_sub(event.by) {
            Some(left) => self.left = Some(left),
            None => panic!("the fuse has burned down"),
        }
    }
}

#[derive(Command, Clone)]
#[command(aggregate = Fuse)]
struct Burn {
    #[command(id)]
    fuse: u64,
    by: u8,
}

impl Handle<Burn> for Fuse {
    type Error = CounterError;
    fn handle(&self, burn: &Burn, _: &Context) -> Result<impl IntoEvents<Self>, CounterError> {
        Ok(Burned { by: burn.by })
    }
}

#[tokio::test]
async fn an_event_that_can_not_be_applied_hurts_its_own_sender_only() {
    let (store, runtime) = faulty().await;
    store.close();
    let first = spawn(&runtime, Burn { fuse: 1, by: 1 });
    until(|| store.held_up() == 1).await;
    let before: Vec<_> = (0..3).map(|_| spawn(&runtime, Burn { fuse: 1, by: 1 })).collect();
    let bad = spawn(&runtime, Burn { fuse: 1, by: 200 });
    let after: Vec<_> = (0..3).map(|_| spawn(&runtime, Burn { fuse: 1, by: 1 })).collect();
    tokio::task::yield_now().await;
    store.open();
    first.await.unwrap().unwrap();
    assert!(soon("the bad one", bad).await.unwrap_err().is_panic());
    for sent in before.into_iter().chain(after) {
        sent.await.unwrap().unwrap();
    }
    let loaded = runtime.load::<Fuse>(&1).await.unwrap();
    assert_eq!((loaded.state.left, loaded.version.get()), (Some(93), 7));
}

#[tokio::test]
async fn an_event_that_can_not_be_applied_is_not_stored() {
    let at_once = FaultyStore::immediate(Arc::new(MemoryStore::new()));
    for runtime in [faulty().await.1, over(Arc::new(at_once)).await] {
        runtime.execute(Burn { fuse: 1, by: 1 }).await.unwrap();
        assert!(spawn(&runtime, Burn { fuse: 1, by: 200 }).await.unwrap_err().is_panic());
        let loaded = spawn_load(&runtime).await.expect("the aggregate can never be loaded again");
        assert_eq!(loaded, Version::new(1));
        let receipt = runtime.execute(Burn { fuse: 1, by: 1 }).await.unwrap();
        assert_eq!(receipt.version, Version::new(2));
    }
}

fn spawn_load(runtime: &Runtime<FaultyStore>) -> tokio::task::JoinHandle<Version> {
    let runtime = runtime.clone();
    tokio::spawn(async move { runtime.load::<Fuse>(&1).await.unwrap().version })
}

#[tokio::test]
async fn commands_that_wait_together_have_as_many_attempts_as_alone() {
    let (store, runtime) = faulty().await;
    store.close();
    let first = spawn(&runtime, Raise { counter: 1, by: 1 });
    until(|| store.held_up() == 1).await;
    let more: Vec<_> = (0..8).map(|_| spawn(&runtime, Raise { counter: 1, by: 1 })).collect();
    tokio::task::yield_now().await;
    // Each of them fails once; alone, each might fail four times.
    store.next((0..18).map(|n| if n % 2 == 0 { Fault::Transient } else { Fault::None }));
    store.open();
    first.await.unwrap().unwrap();
    for sent in more {
        sent.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_handler_that_fails_halfway_parks_before_its_event_and_keeps_nothing_of_it() {
    #[derive(Projection, Default)]
    #[projection(name = "halfway", events(Raised), register = false)]
    struct Halfway {
        seen: u64,
    }
    impl Project<Raised> for Halfway {
        fn project(&mut self, event: &Raised, _: &Recorded) -> Result<(), ProjectError> {
            self.seen += event.by;
            if event.by > 1 { Err(ProjectError::new("too many")) } else { Ok(()) }
        }
    }
    let registry = Registry::builder().projection::<Halfway>().build().unwrap();
    let runtime = Runtime::builder(MemoryStore::new()).registry(registry).start().await.unwrap();
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    runtime.execute(Raise { counter: 1, by: 10 }).await.unwrap();
    runtime.wait_until_current::<Halfway>().await.unwrap_err();
    let view = runtime.projection::<Halfway>().unwrap();
    assert_eq!(view.status().position, Position::new(1));
    assert_eq!(view.read(|halfway| halfway.seen), 1);
}

#[derive(Clone, Debug)]
struct Step {
    by: u64,
    id: Option<u8>,
}

fn step() -> impl Strategy<Value = Step> {
    (1u64..4, prop::option::weighted(0.6, 0u8..4)).prop_map(|(by, id)| Step { by, id })
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::Transient),
        1 => Just(Fault::LostCommit),
        2 => Just(Fault::LostAnswer),
        1 => Just(Fault::Permanent),
        2 => Just(Fault::LostRace),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// A crowd of commands, many under one id, while others write to the aggregate and the store
    /// fails: an id has one effect and one answer, of which one copy is the first; every receipt
    /// has versions of its own.
    #[test]
    fn ids_have_one_effect_and_one_answer_under_every_fault_and_race(
        steps in prop::collection::vec(step(), 1..40),
        faults in prop::collection::vec(fault(), 0..60),
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        tokio.block_on(async {
            let inner = Arc::new(MemoryStore::new());
            let store = Arc::new(FaultyStore::new(Arc::clone(&inner)));
            let runtimes = [over(Arc::clone(&store)).await, over(Arc::clone(&store)).await];
            store.next(faults);
            store.close();
            let id = |name: u8| CommandId::from_name(&name.to_string());
            let sent: Vec<_> = steps.iter().enumerate().map(|(place, step)| {
                let (runtime, step) = (runtimes[usize::from(place % 5 == 0)].clone(), step.clone());
                tokio::spawn(async move {
                    // An id stands for one command.
                    let by = step.id.map_or(step.by, |id| u64::from(id) + 1);
                    let raise = runtime.execute(Raise { counter: 1, by });
                    match step.id {
                        Some(name) => raise.command_id(id(name)).await,
                        None => raise.await,
                    }
                })
            }).collect();
            tokio::task::yield_now().await;
            store.open();
            let mut first_of = std::collections::BTreeMap::new();
            let mut versions = std::collections::BTreeSet::new();
            for (step, sent) in steps.iter().zip(sent) {
                // Those that failed have no receipt to compare.
                if let Ok(receipt) = soon("a command", sent).await.unwrap() {
                    assert!(step.id.is_some() || !receipt.repeated);
                    if !receipt.repeated {
                        assert!(versions.insert(receipt.version), "one version for two");
                    }
                    if let Some(id) = step.id {
                        let answer = (receipt.version, receipt.position, receipt.events);
                        assert_eq!(*first_of.entry(id).or_insert(answer), answer);
                    }
                }
            }
            let state = runtimes[0].load::<Counter>(&1).await.unwrap();
            assert!(state.version.get() >= versions.len() as u64);
        });
    }
}

#[tokio::test]
async fn a_projection_that_is_added_by_hand_is_not_replaced_by_the_derived_one() {
    let build =
        |registry: Registry| Runtime::builder(MemoryStore::new()).registry(registry).start();
    let made = || Sums { events: 1000, ..Sums::default() };
    let registry = Registry::linked().projection_with(made).build().unwrap();
    let runtime = build(registry).await.unwrap();
    assert_eq!(runtime.projection::<Sums>().unwrap().read(|sums| sums.events), 1000);
}

fn new_event() -> NewEvent {
    let encoded = CounterEventOf::encode(&Raised { by: 1 }.into(), &mut Vec::new()).unwrap();
    NewEvent::new(EventId::generate(), encoded)
}

type CounterEventOf = <Counter as Aggregate>::Event;

#[tokio::test]
async fn a_chain_ends_where_a_commit_to_several_streams_did_not_end_as_expected() {
    let stream = |id: u64| StreamId::new("counter", id).unwrap();
    let store = MemoryStore::new();
    let any = ExpectedVersion::Any;
    let two = Commit::new(stream(1), any, vec![new_event()]).unwrap();
    let two = two.and(stream(2), any, vec![new_event()]).unwrap();
    store.append(&two).await.unwrap();
    store.append(&Commit::new(stream(2), any, vec![new_event()]).unwrap()).await.unwrap();
    // Repeated, it stands at version 1 of the second stream; the next believes it at version 2.
    let exact = ExpectedVersion::Exact(Version::new(2));
    let next = Commit::new(stream(2), exact, vec![new_event()]).unwrap();
    let answers = store.append_chain(&[two.clone(), next.clone()]).await;
    assert!(matches!(answers[1], Err(AppendError::Conflict(_))));
    // The second of its streams is looked at too.
    let mut link = ChainLink::default();
    link.extend(&two, answers[0].as_ref().unwrap());
    let next = Commit::new(stream(3), any, vec![new_event()]).unwrap();
    let next = next.and(stream(2), exact, vec![new_event()]).unwrap();
    assert!(link.check(&next).is_err());
}

#[tokio::test]
async fn a_store_that_loses_the_end_of_a_stream_is_found_out() {
    let store = Worst::over(&Arc::default());
    let runtime = over(Arc::clone(&store)).await;
    for _ in 0..3 {
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    }
    store.loses_the_tail.store(true, Ordering::SeqCst);
    let failed = runtime.load::<Counter>(&1).await.unwrap_err();
    assert!(matches!(failed, LoadError::Gap { .. }));
    let history = runtime.history::<Counter>(&1).unwrap();
    // What is known for certain is still told.
    assert_eq!(history.at_version(Version::new(1)).await.unwrap().state.value, 1);
}

#[tokio::test]
async fn a_clock_may_look_at_the_store_that_it_serves() {
    struct Looking(std::sync::OnceLock<std::sync::Weak<MemoryStore>>);
    impl Clock for Looking {
        fn now(&self) -> es_core::jiff::Timestamp {
            if let Some(store) = self.0.get().and_then(std::sync::Weak::upgrade) {
                let mut head = std::pin::pin!(store.head());
                assert!(poll_once(head.as_mut()).is_ready());
            }
            es_core::jiff::Timestamp::UNIX_EPOCH
        }
    }
    let clock = Arc::new(Looking(std::sync::OnceLock::new()));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock)));
    clock.0.set(Arc::downgrade(&store)).unwrap();
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let stream = StreamId::new("counter", 1).unwrap();
        let commit = Commit::new(stream, ExpectedVersion::Any, vec![new_event()]).unwrap();
        let mut append = std::pin::pin!(store.append(&commit));
        assert!(poll_once(append.as_mut()).is_ready());
        done.send(()).unwrap();
    });
    wait.recv_timeout(Duration::from_secs(5)).expect("the store waits for itself");
}

#[tokio::test]
async fn a_command_that_was_begun_and_is_not_polled_does_not_hold_up_the_others() {
    let (store, runtime) = faulty().await;
    store.close();
    let mut begun = runtime.execute(Raise { counter: 1, by: 1 }).into_future();
    assert!(poll_once(Pin::new(&mut begun)).is_pending());
    store.open();
    // As in `select!`, whose other branch sends a command of its own.
    soon("the other", runtime.execute(Raise { counter: 1, by: 1 }).into_future()).await.unwrap();
    begun.await.unwrap();
}

#[tokio::test]
async fn a_projection_that_can_not_read_the_store_does_not_say_live() {
    let store = Worst::over(&Arc::default());
    let runtime = over(Arc::clone(&store)).await;
    let sums = runtime.projection::<Sums>().unwrap();
    until(|| sums.status().state == ProjectionState::Live).await;
    store.failing_reads.store(u64::MAX, Ordering::SeqCst);
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap_err();
    store
        .inner
        .append(
            &Commit::new(
                StreamId::new("counter", 1).unwrap(),
                ExpectedVersion::Any,
                vec![new_event()],
            )
            .unwrap(),
        )
        .await
        .unwrap();
    until(|| store.failing_reads.load(Ordering::SeqCst) < u64::MAX - 20).await;
    let status = sums.status();
    assert_ne!(status.state, ProjectionState::Live);
}
