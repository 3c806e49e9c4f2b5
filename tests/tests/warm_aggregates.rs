//! Aggregates are kept warm up to a number and up to so many bytes, and it shows how well that works.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use es_core::prelude::*;
use es_core::{Registry, RuntimeBuilder};
use es_memory_store::MemoryStore;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "text.written")]
struct Written {
    line: String,
}

#[derive(Aggregate, Default)]
#[aggregate(name = "text", id = u64, events(Written), register = false)]
struct Text {
    text: String,
}

impl Apply<Written> for Text {
    fn apply(&mut self, event: &Written) {
        self.text.push_str(&event.line);
    }
}

#[derive(Command)]
#[command(aggregate = Text)]
struct Write {
    #[command(id)]
    text: u64,
    line: String,
    /// How long the text is before.
    after: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("the text has {bytes} bytes")]
struct Other {
    bytes: usize,
}

impl Handle<Write> for Text {
    type Error = Other;

    fn handle(&self, command: &Write, _: &Context) -> Result<impl IntoEvents<Self>, Other> {
        if self.text.len() != command.after {
            return Err(Other { bytes: self.text.len() });
        }
        Ok(Written { line: command.line.clone() })
    }
}

async fn started(
    set: impl FnOnce(RuntimeBuilder<MemoryStore>) -> RuntimeBuilder<MemoryStore>,
) -> Runtime<MemoryStore> {
    let registry = Registry::builder().build().unwrap();
    set(Runtime::builder(MemoryStore::new()).registry(registry)).start().await.unwrap()
}

async fn write(runtime: &Runtime<MemoryStore>, text: u64, bytes: usize, after: usize) {
    runtime.execute(Write { text, line: "x".repeat(bytes), after }).await.unwrap();
}

#[tokio::test]
async fn a_command_that_finds_its_aggregate_is_a_hit_and_one_that_loads_it_a_miss() {
    let runtime = started(|builder| builder).await;
    assert_eq!(runtime.warm_aggregates().hit_rate(), None);
    for (round, after) in [(0, 0), (1, 3), (2, 6), (3, 9)] {
        for text in 0..5 {
            write(&runtime, text, 3, after).await;
        }
        let warm = runtime.warm_aggregates();
        assert_eq!((warm.entries, warm.misses, warm.hits), (5, 5, 5 * round), "{warm:?}");
        assert_eq!(warm.evictions, 0);
    }
    assert_eq!(runtime.warm_aggregates().hit_rate(), Some(0.75));
}

#[tokio::test]
async fn no_more_instances_are_kept_than_were_allowed_and_what_is_forgotten_is_loaded() {
    let runtime = started(|builder| builder.warm_aggregates(64)).await;
    for after in [0, 3, 6] {
        for text in 0..1_000 {
            write(&runtime, text, 3, after).await;
            assert!(runtime.warm_aggregates().entries <= 64);
        }
    }
    let warm = runtime.warm_aggregates();
    assert_eq!(warm.hits + warm.misses, 3_000, "{warm:?}");
    assert_eq!(warm.evictions + warm.entries, warm.misses, "{warm:?}");
}

#[tokio::test]
async fn states_are_kept_up_to_the_bytes_that_were_allowed_as_the_program_weighs_them() {
    const LIMIT: u64 = 1024 * 1024;
    let runtime = started(|builder| {
        builder.warm_bytes(LIMIT).warm_weight::<Text>(|text| text.text.capacity())
    })
    .await;
    // They grow while they are kept, a page in each round.
    for round in 0..8 {
        for text in 0..200 {
            write(&runtime, text, 4096, round * 4096).await;
            let warm = runtime.warm_aggregates();
            // The weight that the cache knows may be a quarter too low.
            assert!(warm.bytes <= LIMIT * 5 / 4 + 64 * 1024, "{warm:?}");
        }
    }
    let warm = runtime.warm_aggregates();
    assert!(warm.bytes > LIMIT / 2, "{warm:?}");
    assert!((10..60).contains(&warm.entries), "{warm:?}");
    // Without being told so nobody sees what a string points to.
    let unweighed = started(|builder| builder.warm_bytes(LIMIT)).await;
    for text in 0..200 {
        write(&unweighed, text, 32 * 1024, 0).await;
    }
    assert_eq!(unweighed.warm_aggregates().entries, 200);
}

#[tokio::test]
async fn a_state_that_is_larger_than_all_that_was_allowed_still_takes_commands() {
    let runtime = started(|builder| {
        let builder = builder.warm_aggregates(8).warm_bytes(10_000);
        builder.warm_weight::<Text>(|text| text.text.capacity())
    })
    .await;
    for round in 0..20 {
        for text in 0..3 {
            write(&runtime, text, 4096, round * 4096).await;
        }
    }
    let warm = runtime.warm_aggregates();
    assert!(warm.entries <= 2, "{warm:?}");
    assert!(warm.evictions > 40, "{warm:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_wait_on_one_aggregate_are_counted_too() {
    let runtime = started(|builder| {
        builder.warm_weight::<Text>(|text| text.text.capacity()).warm_aggregates(1)
    })
    .await;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let runtime = runtime.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    let write = Write { text: task % 2, line: String::new(), after: 0 };
                    runtime.execute(write).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let warm = runtime.warm_aggregates();
    assert_eq!(warm.hits + warm.misses, 400, "{warm:?}");
}
