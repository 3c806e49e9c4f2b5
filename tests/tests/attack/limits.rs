//! Limits at their ends, and long work that must let others in.

use std::sync::Arc;

use es_core::{ProjectionState, Registry, Runtime};
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, LowerByOnes, Raise, Sums};
use es_tests::faulty::FaultyStore;

use crate::{over, poll_once, spawn, until, value};

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
