//! Tokio runtimes that lack something, or end too early.

use std::future::IntoFuture;
use std::sync::Arc;

use es_core::prelude::*;
use es_core::{ErrorCategory, ProjectionState, Registry, Runtime, StartError, WaitError};
use es_memory_store::MemoryStore;
use es_tests::counter::{Raise, Raised, Sums};
use es_tests::faulty::{Fault, FaultyStore};

use crate::{faulty, over, poll_once, soon, spawn, until};

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
