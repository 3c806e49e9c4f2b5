//! Projections that fail halfway, can not read, or are registered twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use es_core::prelude::*;
use es_core::{
    Commit, EventStore, ExpectedVersion, Position, ProjectionState, Registry, Runtime, StreamId,
};
use es_memory_store::MemoryStore;
use es_tests::counter::{Raise, Raised, Sums};

use crate::worst::Worst;
use crate::{new_event, over, until};

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

#[tokio::test]
async fn a_projection_that_is_added_by_hand_is_not_replaced_by_the_derived_one() {
    let build =
        |registry: Registry| Runtime::builder(MemoryStore::new()).registry(registry).start();
    let made = || Sums { events: 1000, ..Sums::default() };
    let registry = Registry::linked().projection_with(made).build().unwrap();
    let runtime = build(registry).await.unwrap();
    assert_eq!(runtime.projection::<Sums>().unwrap().read(|sums| sums.events), 1000);
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
