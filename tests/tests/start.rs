//! A program with two aggregates of one name in it: it must not start.

use es_core::prelude::*;
use es_core::{Runtime, StartError};
use es_memory_store::MemoryStore;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "lamp.lit")]
struct Lit;

#[derive(Aggregate, Default)]
#[aggregate(name = "lamp", id = u64, events(Lit))]
struct Lamp {}

#[derive(Aggregate, Default)]
#[aggregate(name = "lamp", id = u64, events(Lit))]
struct Lantern {}

impl Apply<Lit> for Lamp {
    fn apply(&mut self, _: &Lit) {}
}

impl Apply<Lit> for Lantern {
    fn apply(&mut self, _: &Lit) {}
}

#[tokio::test]
async fn a_program_with_two_aggregates_of_one_name_does_not_start() {
    let error = Runtime::builder(MemoryStore::new()).start().await.err();
    assert!(
        matches!(&error, Some(StartError::Registry(error)) if {
            let text = error.to_string();
            text.contains("`start::Lamp`") && text.contains("`start::Lantern`")
        }),
        "{error:?}"
    );
}

#[test]
fn a_runtime_outside_tokio_does_not_start_and_says_what_to_write() {
    let mut start = std::pin::pin!(Runtime::builder(MemoryStore::new()).start());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = start.as_mut().poll(&mut context) else {
        unreachable!("it did not answer, or started without a tokio runtime");
    };
    assert!(matches!(error, StartError::NoTokio));
    assert!(error.to_string().contains("#[tokio::main]"));
}
