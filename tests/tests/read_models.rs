//! Read models by law: the same result in every home, however they were built; who was overtaken
//! commits nothing; what a consumer of its own is promised.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use es_core::{
    EventStore, Position, ProjectionState, Registry, Runtime, StartAt, SubscriptionError,
};
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, CounterEvent, LowerByOnes, Raise, Sums};
use es_tests::paused::PausedStore;
use es_tests::tally::Tally;
use proptest::prelude::*;

const LEASE: Duration = Duration::from_millis(200);

async fn over<S: EventStore>(store: Arc<S>) -> Runtime<S> {
    let registry = Registry::builder().aggregate::<Counter>();
    let registry = registry.projection::<Sums>().projection::<Tally>().build().unwrap();
    let builder = Runtime::builder_shared(store).registry(registry);
    builder.projection_lease(LEASE).start().await.unwrap()
}

async fn tallies<S: EventStore>(runtime: &Runtime<S>) -> BTreeMap<String, Tally> {
    runtime.documents::<Tally>().unwrap().all().await.unwrap().into_iter().collect()
}

/// What is known of a counter, by whatever home.
fn values(tallies: &BTreeMap<String, Tally>) -> BTreeMap<u64, u64> {
    tallies.iter().map(|(key, tally)| (key.parse().unwrap(), tally.value)).collect()
}

#[derive(Debug, Clone)]
enum Step {
    Raise(u64, u64),
    Lower(u64),
    Restart,
    Rebuild,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4_u64, 1..9_u64).prop_map(|(counter, by)| Step::Raise(counter, by)),
        3 => (0..4_u64).prop_map(Step::Lower),
        1 => Just(Step::Restart),
        1 => Just(Step::Rebuild),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Resumed anywhere = uninterrupted, incremental = rebuilt, documents = memory.
    #[test]
    fn every_home_holds_the_same_however_often_it_was_interrupted_or_rebuilt(steps in steps()) {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2).enable_time().build().unwrap();
        tokio.block_on(async {
            let store = Arc::new(MemoryStore::new());
            let mut runtime = over(Arc::clone(&store)).await;
            for step in steps {
                match step {
                    Step::Raise(counter, by) => {
                        runtime.execute(Raise { counter, by }).await.unwrap();
                    }
                    Step::Lower(counter) => {
                        let _ = runtime.execute(LowerByOnes { counter, by: 1 }).await;
                    }
                    Step::Restart => {
                        runtime.shutdown().await;
                        runtime = over(Arc::clone(&store)).await;
                    }
                    Step::Rebuild => {
                        for name in ["sums", "tally"] {
                            let handle = runtime.projection_handle(name).unwrap();
                            handle.rebuild().await.unwrap().finished().await.unwrap();
                        }
                    }
                }
            }
            runtime.wait_until_current::<Tally>().await.unwrap();
            runtime.wait_until_current::<Sums>().await.unwrap();
            let grown = tallies(&runtime).await;
            let sums = runtime.projection::<Sums>().unwrap().read(|sums| sums.by_counter.clone());
            assert_eq!(values(&grown), sums);
            let handle = runtime.projection_handle("tally").unwrap();
            handle.rebuild().await.unwrap().finished().await.unwrap();
            runtime.wait_until_current::<Tally>().await.unwrap();
            assert_eq!(tallies(&runtime).await, grown);
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_was_paused_and_wakes_up_commits_nothing() {
    let store = Arc::new(MemoryStore::new());
    let processes = [0, 1].map(|_| Arc::new(PausedStore::new(Arc::clone(&store))));
    let runtimes = [over(Arc::clone(&processes[0])).await, over(Arc::clone(&processes[1])).await];
    let patience = Duration::from_secs(30);
    let holder = |runtimes: &[Runtime<PausedStore>; 2]| {
        runtimes.iter().position(|runtime| {
            let status = runtime.projection_handle("tally").unwrap().status();
            matches!(status.state, ProjectionState::Live)
        })
    };
    for round in 1..=8_u64 {
        let receipt = runtimes[0].execute(Raise { counter: 1, by: 1 }).await.unwrap();
        for runtime in &runtimes {
            runtime.wait_for::<Tally>(&receipt).within(patience).await.unwrap();
        }
        let Some(paused) = holder(&runtimes) else { continue };
        let other = &runtimes[1 - paused];
        processes[paused].pause();
        // It has read this one, and is about to commit it.
        let receipt = other.execute(Raise { counter: 1, by: 1 }).await.unwrap();
        other.wait_for::<Tally>(&receipt).within(patience).await.unwrap();
        assert_eq!(tallies(other).await["1"].events, 2 * round);
        processes[paused].wake();
        // Its commit was refused.
        tokio::time::timeout(patience, processes[paused].has_been_refused()).await.unwrap();
        runtimes[paused].wait_for::<Tally>(&receipt).within(patience).await.unwrap();
    }
    let tally = &tallies(&runtimes[0]).await["1"];
    assert_eq!((tally.events, tally.version, tally.value), (16, 16, 16));
}

#[tokio::test]
async fn a_command_can_wait_for_its_projection() {
    let runtime = over(Arc::new(MemoryStore::new())).await;
    let waited = runtime
        .execute(Raise { counter: 1, by: 3 })
        .actor("ada")
        .and_wait::<Tally>()
        .within(Duration::from_secs(10))
        .await
        .unwrap();
    waited.projected.unwrap();
    assert_eq!(waited.receipt.position, Some(Position::new(1)));
    assert_eq!(tallies(&runtime).await["1"].value, 3);
}

#[tokio::test]
async fn a_subscription_hands_out_every_event_once_and_in_order() {
    let runtime = over(Arc::new(MemoryStore::new())).await;
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    let mut all = runtime.subscribe::<CounterEvent>(StartAt::After(Position::ZERO)).await.unwrap();
    let mut news = runtime.subscribe::<CounterEvent>(StartAt::Now).await.unwrap();
    let writing = {
        let runtime = runtime.clone();
        tokio::spawn(async move {
            for by in 2..=600 {
                runtime.execute(Raise { counter: by % 5, by }).await.unwrap();
            }
        })
    };
    for position in 1..=600 {
        assert_eq!(all.next().await.unwrap().recorded.position, Position::new(position));
        if position > 1 {
            let delivery = news.next().await.unwrap();
            assert_eq!(delivery.recorded.position, Position::new(position));
            assert_eq!(delivery.events.len(), 1);
        }
    }
    writing.await.unwrap();
    assert_eq!(all.position(), Position::new(600));
}

#[tokio::test]
async fn a_durable_subscription_goes_on_behind_what_was_acknowledged_and_has_one_consumer() {
    let store = Arc::new(MemoryStore::new());
    let runtime = over(Arc::clone(&store)).await;
    for by in 1..=5 {
        runtime.execute(Raise { counter: 1, by }).await.unwrap();
    }
    let subscribe = || runtime.subscribe::<CounterEvent>(StartAt::Durable("mail".to_owned()));
    let mut first = subscribe().await.unwrap();
    for _ in 0..3 {
        first.next().await.unwrap();
    }
    first.acknowledge(Position::new(2)).await.unwrap();
    drop(first);
    // What was handed out and not acknowledged comes again.
    let mut second = subscribe().await.unwrap();
    assert_eq!(second.next().await.unwrap().recorded.position, Position::new(3));
    let mut third = subscribe().await.unwrap();
    assert_eq!(third.next().await.unwrap().recorded.position, Position::new(3));
    third.acknowledge(Position::new(3)).await.unwrap();
    let overtaken = second.acknowledge(Position::new(3)).await.unwrap_err();
    assert!(matches!(overtaken, SubscriptionError::Overtaken { .. }), "{overtaken}");
}
