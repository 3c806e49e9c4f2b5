//! What an attacker tries: races at the worst moment, tokio runtimes that end, stores that fail
//! halfway, and limits at their ends.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod fuses;
mod limits;
mod projections;
mod races;
mod stores;
mod tokio_runtimes;
mod worst;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use es_core::prelude::*;
use es_core::{
    EventId, EventSet, EventStore, ExecuteError, NewEvent, Registry, RetryPolicy, Runtime,
};
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, Raised, Sums};
use es_tests::faulty::FaultyStore;

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

fn new_event() -> NewEvent {
    let encoded = CounterEventOf::encode(&Raised { by: 1 }.into(), &mut Vec::new()).unwrap();
    NewEvent::new(EventId::generate(), encoded)
}

type CounterEventOf = <Counter as Aggregate>::Event;
