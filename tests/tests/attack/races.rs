//! Commands that others race, and ids that are sent many times.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use es_core::ErrorCategory;
use es_core::prelude::*;
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, CounterError, LowerByOnes, Raise, Sums};
use es_tests::faulty::{Fault, FaultyStore};
use proptest::prelude::*;

use crate::worst::Worst;
use crate::{faulty, over, poll_once, soon, spawn, until, value};

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
