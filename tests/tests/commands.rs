//! Carrying out commands: decisions, retries, queues, identities, and everything that gets in the
//! way.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use es_core::jiff::Timestamp;
use es_core::prelude::*;
use es_core::{
    AppendError, ErrorCategory, EventStore, ExecuteError, FixedClock, Registry, RetryPolicy,
    Runtime, StreamRange,
};
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, CounterError, Create, Explode, LowerByOnes, Raise};
use es_tests::faulty::{Fault, FaultyStore};
use es_tests::in_place::InPlaceStore;
use proptest::prelude::*;

/// A runtime that pauses for no noticeable time, over a store that others use too.
async fn over<S: EventStore>(store: Arc<S>) -> Runtime<S> {
    let pause = Duration::from_micros(10);
    let retry = RetryPolicy { attempts: 5, first_pause: pause, longest_pause: pause };
    let registry = Registry::builder().aggregate::<Counter>().build().unwrap();
    Runtime::builder_shared(store).registry(registry).retry(retry).start().await.unwrap()
}

async fn faulty() -> (Arc<FaultyStore>, Runtime<FaultyStore>) {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    (Arc::clone(&store), over(store).await)
}

/// The same over a store that need not be waited for.
async fn immediate_faulty() -> (Arc<FaultyStore>, Runtime<FaultyStore>) {
    let store = Arc::new(FaultyStore::immediate(Arc::new(MemoryStore::new())));
    (Arc::clone(&store), over(store).await)
}

async fn value<S: EventStore>(runtime: &Runtime<S>, counter: u64) -> (u64, u64) {
    let loaded = runtime.load::<Counter>(&counter).await.unwrap();
    (loaded.state.value, loaded.version.get())
}

/// Waits until something is true that other tasks bring about.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

/// When the events of a counter were recorded, to the microsecond.
async fn recorded_at<S: EventStore>(store: &S, counter: u64) -> Vec<Timestamp> {
    let stream = Counter::stream(&counter).unwrap();
    let page = store.read_stream(&stream, StreamRange::all()).await.unwrap();
    page.events.iter().map(|event| event.recorded_at).collect()
}

#[tokio::test]
async fn an_event_is_recorded_while_its_command_is_carried_out_whatever_time_decisions_are_told() {
    let microsecond = || Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap();
    let store = Arc::new(MemoryStore::new());
    let runtime = Runtime::builder_shared(Arc::clone(&store)).clock(FixedClock::at(Timestamp::MIN));
    let runtime = runtime.start().await.unwrap();
    // The first is loaded, the others are decided on warm state and appended at once.
    for event in 0..1_000 {
        let before = microsecond();
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
        let recorded = recorded_at(&*store, 1).await[event];
        let after = microsecond();
        assert!(
            before <= recorded && recorded <= after,
            "{recorded} is not in {before} to {after}"
        );
    }
}

#[tokio::test]
async fn a_store_with_a_clock_of_its_own_records_its_time() {
    let time: Timestamp = "1998-12-31T00:00:00Z".parse().unwrap();
    let store = Arc::new(MemoryStore::with_clock(FixedClock::at(time)));
    let runtime = over(Arc::clone(&store)).await;
    for _ in 0..3 {
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    }
    assert_eq!(recorded_at(&*store, 1).await, [time; 3]);
}

#[tokio::test]
async fn the_ids_of_one_commit_are_in_the_order_of_its_events() {
    let store = Arc::new(MemoryStore::new());
    let runtime = over(Arc::clone(&store)).await;
    runtime.execute(Raise { counter: 1, by: 20 }).await.unwrap();
    runtime.execute(LowerByOnes { counter: 1, by: 20 }).await.unwrap();
    let stream = Counter::stream(&1).unwrap();
    let page = store.read_stream(&stream, StreamRange::all()).await.unwrap();
    // Those of one quarter of a microsecond are in no order: compare what is of the time.
    let times: Vec<_> =
        page.events.iter().map(|event| event.event_id.as_uuid().as_u64_pair().0).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn a_command_is_accepted_with_a_receipt_or_refused_by_the_domain() {
    let runtime = over(Arc::new(MemoryStore::new())).await;
    let receipt = runtime.execute(Raise { counter: 1, by: 3 }).await.unwrap();
    assert_eq!((receipt.version.get(), receipt.events, receipt.attempts), (1, 1, 1));
    let receipt = runtime.execute(LowerByOnes { counter: 1, by: 2 }).await.unwrap();
    assert_eq!((receipt.version.get(), receipt.events), (3, 2));
    assert_eq!(receipt.position.unwrap().get(), 3);
    let refused = runtime.execute(LowerByOnes { counter: 1, by: 2 }).await.unwrap_err();
    assert!(matches!(refused, ExecuteError::Rejected(CounterError::TooLow(1))));
    assert_eq!(refused.category(), ErrorCategory::Rejected);
    let receipt = runtime.execute(Raise { counter: 1, by: 0 }).await.unwrap();
    assert_eq!((receipt.version.get(), receipt.events, receipt.position), (3, 0, None));
}

#[tokio::test]
async fn a_command_that_creates_is_refused_when_the_instance_exists() {
    let runtime = over(Arc::new(MemoryStore::new())).await;
    runtime.execute(Create { counter: 1 }).await.unwrap();
    let refused = runtime.execute(Create { counter: 1 }).await.unwrap_err();
    assert!(matches!(&refused, ExecuteError::AlreadyExists { version, .. } if version.get() == 1));
    assert_eq!(
        refused.to_string(),
        "stream `counter/1` exists already, at version 1; this command makes a new one"
    );
}

#[tokio::test]
async fn a_warm_aggregate_costs_no_read() {
    let (store, runtime) = faulty().await;
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    let reads = store.stream_reads();
    for _ in 0..10 {
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    }
    assert_eq!(store.stream_reads(), reads);
}

#[tokio::test]
async fn warm_state_that_is_behind_another_process_neither_loses_a_write_nor_gives_a_wrong_refusal()
{
    let store = Arc::new(MemoryStore::new());
    let (here, there) = (over(Arc::clone(&store)).await, over(store).await);
    here.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    there.execute(Raise { counter: 1, by: 5 }).await.unwrap();
    // Here the counter is warm with 1: that would be a refusal.
    here.execute(LowerByOnes { counter: 1, by: 4 }).await.unwrap();
    // There it is warm with 6: that would be a lost update.
    let refused = there.execute(LowerByOnes { counter: 1, by: 3 }).await.unwrap_err();
    assert!(matches!(refused, ExecuteError::Rejected(CounterError::TooLow(2))));
    let receipt = here.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    there.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    assert_eq!(receipt.attempts, 1);
    let receipt = here.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    assert_eq!(receipt.attempts, 2, "the lost race shows in the receipt");
    assert_eq!(value(&here, 1).await.0, 5);
}

#[tokio::test]
async fn a_race_that_is_lost_every_time_ends_as_a_conflict_with_expected_and_actual() {
    let (store, runtime) = faulty().await;
    store.next([Fault::LostRace; 5]);
    let lost = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap_err();
    assert_eq!(lost.category(), ErrorCategory::Conflict);
    assert_eq!(
        lost.to_string(),
        "stream `counter/1` is at version 5, but version 4 was expected, after 5 attempts"
    );
    assert_eq!(runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap().attempts, 1);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_found_and_nothing_is_stored_twice() {
    let (store, runtime) = faulty().await;
    store.next([Fault::LostAnswer, Fault::LostAnswer, Fault::None]);
    let receipt = runtime.execute(Raise { counter: 1, by: 2 }).await.unwrap();
    assert_eq!(receipt.version.get(), 1);
    store.next([Fault::LostCommit, Fault::Transient, Fault::None]);
    runtime.execute(Raise { counter: 1, by: 2 }).await.unwrap();
    assert_eq!(value(&runtime, 1).await, (4, 2));
}

#[tokio::test]
async fn a_command_that_could_not_be_carried_out_at_once_goes_on_where_it_was() {
    let (store, runtime) = immediate_faulty().await;
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    // Decided on the warm state, applied to it, and then its answer is lost: it is stored once.
    store.next([Fault::LostAnswer]);
    let receipt = runtime.execute(Raise { counter: 1, by: 2 }).await.unwrap();
    assert_eq!((receipt.version.get(), receipt.attempts, receipt.repeated), (2, 1, false));
    // What was applied for an append that lost its race is not in the state that decides again.
    store.next([Fault::LostRace]);
    let receipt = runtime.execute(Raise { counter: 1, by: 4 }).await.unwrap();
    assert_eq!((receipt.version.get(), receipt.attempts), (4, 2));
    assert_eq!(value(&runtime, 1).await, (1 + 2 + 4 + 4, 4));
    // Nothing that failed is left in the warm state.
    store.next([Fault::Permanent]);
    runtime.execute(Raise { counter: 1, by: 100 }).await.unwrap_err();
    let refused = runtime.execute(LowerByOnes { counter: 1, by: 12 }).await.unwrap_err();
    assert!(matches!(refused, ExecuteError::Rejected(CounterError::TooLow(11))));
}

#[tokio::test]
async fn a_handler_that_panics_on_warm_state_leaves_nothing_of_it() {
    let (_, runtime) = immediate_faulty().await;
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    let panicked = spawn(&runtime, Explode { counter: 1 }).await.unwrap_err();
    assert!(panicked.is_panic());
    let receipt = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    assert_eq!(receipt.version.get(), 2);
    assert_eq!(value(&runtime, 1).await, (2, 2));
}

#[tokio::test]
async fn what_the_store_can_not_do_is_told_and_nothing_is_stored() {
    let (store, runtime) = faulty().await;
    store.next([Fault::Permanent]);
    let failed = runtime.execute(Raise { counter: 1, by: 2 }).await.unwrap_err();
    assert!(matches!(failed, ExecuteError::Append(AppendError::Permanent(_))));
    store.next([Fault::LostCommit; 5]);
    let failed = runtime.execute(Raise { counter: 1, by: 2 }).await.unwrap_err();
    assert_eq!(failed.category(), ErrorCategory::OutcomeUnknown);
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    assert_eq!(value(&runtime, 1).await, (1, 1));
}

#[tokio::test]
async fn a_command_with_an_id_is_carried_out_once_however_often_it_is_sent() {
    let store = Arc::new(MemoryStore::new());
    let (here, there) = (over(Arc::clone(&store)).await, over(store).await);
    let id = CommandId::from_name("transfer 17");
    here.execute(Raise { counter: 1, by: 3 }).await.unwrap();
    let lower = LowerByOnes { counter: 1, by: 2 };
    let first = here.execute(lower.clone()).command_id(id).await.unwrap();
    here.execute(Raise { counter: 1, by: 9 }).await.unwrap();
    // By now another decision would be possible; the first one counts.
    for runtime in [&here, &there] {
        let again = runtime.execute(lower.clone()).command_id(id).await.unwrap();
        assert!(again.repeated && !first.repeated);
        assert_eq!(
            (again.version, again.position, again.events),
            (first.version, first.position, 2)
        );
    }
    assert_eq!(value(&here, 1).await, (10, 4));
    let elsewhere = here.execute(Raise { counter: 2, by: 1 }).command_id(id).await.unwrap_err();
    assert!(matches!(elsewhere, ExecuteError::CommandIdReused(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_copies_of_one_command_at_once_have_one_effect() {
    let store = Arc::new(MemoryStore::new());
    let runtimes = [over(Arc::clone(&store)).await, over(store).await];
    for round in 0..50 {
        let id = CommandId::from_name(&format!("round {round}"));
        let copies: Vec<_> = (0..32)
            .map(|copy| {
                let runtime = runtimes[copy % 2].clone();
                tokio::spawn(async move {
                    runtime.execute(Raise { counter: round, by: 1 }).command_id(id).await.unwrap()
                })
            })
            .collect();
        for copy in copies {
            let receipt = copy.await.unwrap();
            assert_eq!(receipt.version.get(), 1);
        }
        assert_eq!(value(&runtimes[0], round).await, (1, 1));
    }
}

#[tokio::test]
async fn commands_that_wait_on_one_aggregate_are_appended_together_each_with_its_own_answer() {
    let (store, runtime) = faulty().await;
    runtime.execute(Raise { counter: 1, by: 10 }).await.unwrap();
    store.close();
    let first = spawn(&runtime, Raise { counter: 1, by: 1 });
    until(|| store.held_up() == 1).await;
    let commands: Vec<_> =
        (0..20).map(|_| spawn(&runtime, LowerByOnes { counter: 1, by: 1 })).collect();
    // There is one thread: all of them run into the queue before this task goes on.
    tokio::task::yield_now().await;
    store.open();
    assert_eq!(first.await.unwrap().unwrap().version.get(), 2);
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for command in commands {
        match command.await.unwrap() {
            Ok(receipt) => accepted.push(receipt.version.get()),
            Err(ExecuteError::Rejected(CounterError::TooLow(0))) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    accepted.sort_unstable();
    assert_eq!(accepted, (3..14).collect::<Vec<_>>());
    assert_eq!(refused, 9);
    assert!(store.chains().iter().any(|commits| *commits > 1), "nothing was appended together");
    assert_eq!(value(&runtime, 1).await, (0, 13));
}

fn spawn<C>(
    runtime: &Runtime<FaultyStore>,
    command: C,
) -> tokio::task::JoinHandle<Result<Receipt, ExecuteError<CounterError>>>
where
    C: Command,
    C::Aggregate: Handle<C, Error = CounterError>,
{
    let runtime = runtime.clone();
    tokio::spawn(async move { runtime.execute(command).await })
}

#[tokio::test]
async fn a_handler_that_panics_hurts_its_own_sender_only() {
    let (store, runtime) = faulty().await;
    // Alone, with the turn in its own task.
    assert!(spawn(&runtime, Explode { counter: 1 }).await.unwrap_err().is_panic());
    // In the queue, among others.
    store.close();
    let first = spawn(&runtime, Raise { counter: 1, by: 1 });
    until(|| store.held_up() == 1).await;
    let neighbours: Vec<_> = (0..5).map(|_| spawn(&runtime, Raise { counter: 1, by: 1 })).collect();
    let explosion = spawn(&runtime, Explode { counter: 1 });
    let more: Vec<_> = (0..5).map(|_| spawn(&runtime, Raise { counter: 1, by: 1 })).collect();
    // There is one thread: all of them run into the queue before this task goes on.
    tokio::task::yield_now().await;
    store.open();
    first.await.unwrap().unwrap();
    assert!(explosion.await.unwrap_err().is_panic());
    for neighbour in neighbours.into_iter().chain(more) {
        neighbour.await.unwrap().unwrap();
    }
    assert_eq!(value(&runtime, 1).await, (11, 11));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sender_that_goes_away_leaves_the_others_their_turn() {
    let (store, runtime) = faulty().await;
    for _ in 0..50 {
        store.close();
        let leaving = spawn(&runtime, Raise { counter: 1, by: 1 });
        until(|| store.held_up() == 1).await;
        let waiting: Vec<_> =
            (0..3).map(|_| spawn(&runtime, Raise { counter: 1, by: 1 })).collect();
        let also_leaving = spawn(&runtime, Raise { counter: 1, by: 1 });
        leaving.abort();
        also_leaving.abort();
        store.open();
        for command in waiting {
            command.await.unwrap().unwrap();
        }
    }
    let (value, version) = value(&runtime, 1).await;
    assert_eq!(value, version);
    assert!(value >= 150);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_in_two_processes_on_one_aggregate_lose_nothing() {
    let store = Arc::new(MemoryStore::new());
    let patient = RetryPolicy { attempts: 1000, ..RetryPolicy::default() };
    let build = || {
        let registry = Registry::builder().build().unwrap();
        Runtime::builder_shared(Arc::clone(&store)).registry(registry).retry(patient).start()
    };
    let runtimes = [build().await.unwrap(), build().await.unwrap()];
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let runtime = runtimes[task % 2].clone();
            tokio::spawn(async move {
                let mut versions = Vec::new();
                for _ in 0..100 {
                    let raise = runtime.execute(Raise { counter: 1, by: 1 });
                    versions.push(raise.await.unwrap().version.get());
                    tokio::task::yield_now().await;
                }
                versions
            })
        })
        .collect();
    let mut versions = Vec::new();
    for task in tasks {
        let of_task = task.await.unwrap();
        assert!(of_task.is_sorted(), "a task's later command has the later version");
        versions.extend(of_task);
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=1600).collect::<Vec<_>>());
    assert_eq!(value(&runtimes[0], 1).await, (1600, 1600));
}

#[tokio::test]
async fn an_id_that_names_no_stream_is_an_error() {
    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "note.written")]
    struct Written;
    #[derive(Aggregate, Default)]
    #[aggregate(name = "note", id = String, events(Written), register = false)]
    struct Note {}
    impl Apply<Written> for Note {
        fn apply(&mut self, _: &Written) {}
    }
    #[derive(Command)]
    #[command(aggregate = Note)]
    struct Write {
        #[command(id)]
        note: String,
    }
    impl Handle<Write> for Note {
        type Error = CounterError;
        fn handle(&self, _: &Write, _: &Context) -> Result<impl IntoEvents<Self>, CounterError> {
            Ok(Written)
        }
    }
    let runtime = over(Arc::new(MemoryStore::new())).await;
    let failed = runtime.execute(Write { note: String::new() }).await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "`note/` names no stream: the id is empty; every aggregate instance needs one"
    );
    runtime.execute(Write { note: "a/b".to_owned() }).await.unwrap();
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::Transient),
        1 => Just(Fault::LostCommit),
        1 => Just(Fault::LostAnswer),
        1 => Just(Fault::Permanent),
    ]
}

#[derive(Clone, Debug)]
enum Sent {
    Raise(u64),
    Lower(u64),
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever the store does to a crowd of commands on one aggregate: every receipt stands for
    /// its events at its place in the history, once, and no event is there without one, except for
    /// commands whose sender was told that the outcome is unknown.
    #[test]
    fn receipts_and_history_agree_under_every_fault(
        commands in prop::collection::vec(
            prop_oneof![(1u64..4).prop_map(Sent::Raise), (1u64..4).prop_map(Sent::Lower)], 1..40),
        faults in prop::collection::vec(fault(), 0..60),
        immediate: bool,
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time()
            .build().unwrap();
        tokio.block_on(async {
            let (store, runtime) = if immediate { immediate_faulty().await } else { faulty().await };
            store.next(faults);
            store.close();
            let futures: Vec<_> = commands.iter().map(|command| match *command {
                Sent::Raise(by) => spawn(&runtime, Raise { counter: 1, by }),
                Sent::Lower(by) => spawn(&runtime, LowerByOnes { counter: 1, by }),
            }).collect();
            until(|| store.held_up() == 1 || futures.iter().all(|future| future.is_finished())).await;
            store.open();
            let mut known = 0;
            let mut unknown = false;
            let mut net = 0i64;
            for (command, future) in commands.iter().zip(futures) {
                match future.await.unwrap() {
                    Ok(receipt) => {
                        let (events, change) = match *command {
                            Sent::Raise(by) => (1, by as i64),
                            Sent::Lower(by) => (by, -(by as i64)),
                        };
                        assert_eq!(receipt.events, events);
                        known += events;
                        net += change;
                        let after = runtime.history::<Counter>(&1).unwrap()
                            .at_version(receipt.version).await.unwrap();
                        assert_eq!(after.version, receipt.version);
                    }
                    Err(ExecuteError::Rejected(_)) => {}
                    Err(error) => unknown |= error.category() == ErrorCategory::OutcomeUnknown,
                }
            }
            let (value, version) = value(&runtime, 1).await;
            if unknown {
                assert!(version >= known);
            } else {
                assert_eq!((value as i64, version), (net, known));
            }
        });
    }
}

#[tokio::test]
async fn what_the_sender_says_about_a_command_is_recorded_with_its_events() {
    let runtime = over(Arc::new(MemoryStore::new())).await;
    let occurred_at = "1998-12-31T00:00:00Z".parse().unwrap();
    let correlation_id = es_core::uuid::Uuid::from_u128(7);
    runtime
        .execute(Raise { counter: 1, by: 1 })
        .actor("teller 7")
        .correlation_id(correlation_id)
        .metadata("branch", "Praha 1")
        .occurred_at(occurred_at)
        .into_future()
        .await
        .unwrap();
    let history = runtime.history::<Counter>(&1).unwrap();
    let mut seen = 0;
    history
        .for_each(|state, _, recorded| {
            assert_eq!(state.value, 1);
            assert_eq!(recorded.metadata.actor(), Some("teller 7"));
            assert_eq!(recorded.metadata.correlation_id(), Some(correlation_id));
            assert_eq!(recorded.metadata.get("branch"), Some("Praha 1"));
            assert_eq!(recorded.happened_at(), occurred_at);
            seen += 1;
        })
        .await
        .unwrap();
    assert_eq!(seen, 1);
}

#[tokio::test]
async fn only_a_command_that_is_alone_is_appended_in_place() {
    let store = Arc::new(InPlaceStore::default());
    let runtime = over(Arc::clone(&store)).await;
    for count in 1..=3 {
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
        assert_eq!(store.in_place(), count);
    }
    // Two that are joined could share what an append costs.
    let (one, other) = tokio::join!(
        runtime.execute(Raise { counter: 1, by: 1 }),
        runtime.execute(Raise { counter: 2, by: 1 }),
    );
    one.unwrap();
    other.unwrap();
    assert_eq!(store.in_place(), 3);
    // One that nobody has polled yet is about to come.
    let to_come = runtime.execute(Raise { counter: 3, by: 1 });
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    assert_eq!(store.in_place(), 3);
    drop(to_come);
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    assert_eq!(store.in_place(), 4);
    assert_eq!(value(&runtime, 1).await, (6, 6));
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "thermometer.read")]
struct Read {
    celsius: f64,
    before: Option<f64>,
}

#[derive(Aggregate, Default)]
#[aggregate(name = "thermometer", id = u64, events(Read))]
struct Thermometer {
    celsius: Option<f64>,
}

impl Apply<Read> for Thermometer {
    fn apply(&mut self, event: &Read) {
        self.celsius = Some(event.celsius);
    }
}

#[derive(Command)]
#[command(aggregate = Thermometer)]
struct Note {
    #[command(id)]
    thermometer: u64,
    celsius: f64,
}

impl Handle<Note> for Thermometer {
    type Error = std::convert::Infallible;

    fn handle(&self, note: &Note, _: &Context) -> Result<impl IntoEvents<Self>, Self::Error> {
        Ok(Read { celsius: note.celsius, before: self.celsius })
    }
}

#[tokio::test]
async fn an_event_that_could_not_be_read_again_is_refused_and_its_history_still_loads() {
    let store = Arc::new(MemoryStore::new());
    let runtime = over(Arc::clone(&store)).await;
    runtime.execute(Note { thermometer: 1, celsius: -0.1 }).await.unwrap();
    let note = Note { thermometer: 1, celsius: f64::NAN };
    let refused = runtime.execute(note).await.unwrap_err();
    assert!(matches!(refused, ExecuteError::Encode(_)));
    assert_eq!(refused.category(), ErrorCategory::Permanent);
    let told = refused.to_string();
    assert!(
        told.starts_with(
            "event `thermometer.read` (`commands::Read`) can not be written: field `celsius` is written as \
             `null`, which could not be read again:"
        ),
        "{told}"
    );
    assert_eq!(store.head().await.unwrap().get(), 1, "nothing of it is stored");
    runtime.execute(Note { thermometer: 1, celsius: 0.1 }).await.unwrap();
    let loaded = over(store).await.load::<Thermometer>(&1).await.unwrap();
    assert_eq!((loaded.state.celsius, loaded.version.get()), (Some(0.1), 2));
}
