//! Projections: live, waited for, parked, and never skipping.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use es_core::bytes::Bytes;
use es_core::prelude::*;
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, LoadError, Metadata, NewEvent, NotRegistered,
    Position, ProjectionState, Registry, Runtime, SchemaVersion, StreamId, Tags, WaitError,
};
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, LowerByOnes, Raise, Raised, Sums};
use proptest::prelude::*;

async fn over(store: Arc<MemoryStore>) -> Runtime<MemoryStore> {
    let registry = Registry::builder().aggregate::<Counter>().projection::<Sums>();
    Runtime::builder_shared(store).registry(registry.build().unwrap()).start().await.unwrap()
}

/// Records what no derive would write.
async fn record(store: &MemoryStore, name: &'static str, version: u32, payload: &'static str) {
    let event = NewEvent {
        id: EventId::generate(),
        name: name.into(),
        schema_version: SchemaVersion::try_from(version).unwrap(),
        payload: Bytes::from_static(payload.as_bytes()),
        tags: Tags::new(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    let stream = StreamId::new("counter", 1).unwrap();
    store.append(&Commit::new(stream, ExpectedVersion::Any, vec![event]).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_write_is_read_after_waiting_for_its_receipt() {
    let runtime = over(Arc::default()).await;
    let sums = runtime.projection::<Sums>().unwrap();
    for round in 1..=100 {
        let receipt = runtime.execute(Raise { counter: round % 3, by: round }).await.unwrap();
        runtime.wait_for::<Sums>(&receipt).await.unwrap();
        assert_eq!(sums.read(|sums| sums.events), round);
    }
    let nothing = runtime.execute(Raise { counter: 1, by: 0 }).await.unwrap();
    runtime.wait_for::<Sums>(nothing).await.unwrap();
    assert_eq!(sums.status().state, ProjectionState::Live);
    assert_eq!(sums.status().position, Position::new(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_projection_under_load_and_one_that_starts_late_hold_the_same() {
    let store = Arc::new(MemoryStore::new());
    let runtime = over(Arc::clone(&store)).await;
    let tasks: Vec<_> = (0..8)
        .map(|counter| {
            let runtime = runtime.clone();
            tokio::spawn(async move {
                for by in 1..=300 {
                    runtime.execute(Raise { counter, by }).await.unwrap();
                    runtime.execute(LowerByOnes { counter, by: 2.min(by) }).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    runtime.wait_until_current::<Sums>().await.unwrap();
    let late = over(store).await;
    late.wait_until_current::<Sums>().await.unwrap();
    let live = runtime.projection::<Sums>().unwrap();
    late.projection::<Sums>().unwrap().read(|late| live.read(|live| assert_eq!(live, late)));
    let expected: BTreeMap<_, _> = (0..8).map(|counter| (counter, 300 * 301 / 2 - 599)).collect();
    live.read(|sums| assert_eq!(sums.by_counter, expected));
}

/// Far behind the head a thread reads ahead, and decodes as much as it comes to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_events_are_applied_in_order_and_a_poisoned_one_among_them_parks() {
    #[derive(Projection, Default)]
    #[projection(name = "in order", events(Raised), register = false)]
    struct InOrder {
        seen: Position,
        sum: u64,
    }
    impl Project<Raised> for InOrder {
        fn project(&mut self, event: &Raised, recorded: &Recorded) -> Result<(), ProjectError> {
            if recorded.position != self.seen.next() {
                return Err(ProjectError::new(format!("after {}", self.seen)));
            }
            (self.seen, self.sum) = (recorded.position, self.sum + event.by);
            Ok(())
        }
    }
    const EVENTS: u64 = 60_000;
    const POISONED: u64 = 45_678;
    let store = Arc::new(MemoryStore::new());
    let stream = StreamId::new("counter", 1).unwrap();
    for thousand in 0..EVENTS / 1_000 {
        let events = (1..=1_000).map(|number| {
            let position = thousand * 1_000 + number;
            let payload = match position {
                POISONED => "{}".to_owned(),
                _ => format!("{{\"by\":{position}}}"),
            };
            NewEvent {
                id: EventId::generate(),
                name: "counter.raised".into(),
                schema_version: SchemaVersion::FIRST,
                payload: Bytes::from(payload),
                tags: Tags::new(),
                occurred_at: None,
                metadata: Metadata::EMPTY,
            }
        });
        let commit = Commit::new(stream.clone(), ExpectedVersion::Any, events.collect()).unwrap();
        store.append(&commit).await.unwrap();
    }
    let registry = Registry::builder().projection::<InOrder>().build().unwrap();
    let runtime = Runtime::builder_shared(store).registry(registry).start().await.unwrap();
    let parked = runtime.wait_until_current::<InOrder>().await.unwrap_err();
    assert!(
        matches!(&parked, WaitError::Parked { position, .. } if position.get() == POISONED),
        "{parked}"
    );
    let in_order = runtime.projection::<InOrder>().unwrap();
    let before = POISONED - 1;
    in_order.read(|it| assert_eq!((it.seen.get(), it.sum), (before, before * POISONED / 2)));
    runtime.shutdown().await;
}

#[tokio::test]
async fn an_event_that_can_not_be_read_parks_the_projection_and_says_which() {
    let store = Arc::new(MemoryStore::new());
    let runtime = over(Arc::clone(&store)).await;
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    record(&store, "counter.raised", 1, "{\"by\":\"many\"}").await;
    let parked = runtime.wait_until_current::<Sums>().await.unwrap_err();
    assert!(matches!(&parked, WaitError::Parked { position, .. } if position.get() == 2));
    let text = parked.to_string();
    let place =
        "event `counter.raised` (schema version 1) at version 2 of stream `counter/1`, position 2";
    assert!(text.contains(place), "{text}");
    assert!(text.contains("invalid type: string \"many\", expected u64"), "{text}");
    let status = runtime.projection::<Sums>().unwrap().status();
    assert_eq!(status.position, Position::new(1));
    // What was applied before can still be waited for and read.
    assert_eq!(runtime.projection::<Sums>().unwrap().read(|sums| sums.events), 1);
}

#[tokio::test]
async fn a_handler_that_fails_parks_the_projection_and_says_why() {
    let store = Arc::new(MemoryStore::new());
    let runtime = over(Arc::clone(&store)).await;
    record(&store, "counter.lowered", 1, "{\"by\":1}").await;
    let parked = runtime.wait_until_current::<Sums>().await.unwrap_err();
    assert_eq!(
        parked.to_string(),
        "projection `sums` is parked at position 1 and has not applied 1: event `counter.lowered` at \
         version 1 of stream `counter/1`, position 1: sum below zero; `Runtime::projection_handle` can `resume` it after a fix, or \
         `skip` the event"
    );
}

#[tokio::test]
async fn a_handler_that_panics_parks_the_projection() {
    #[derive(Projection, Default)]
    #[projection(name = "touchy", events(Raised), register = false)]
    struct Touchy {}
    impl Project<Raised> for Touchy {
        fn project(&mut self, _: &Raised, _: &Recorded) -> Result<(), ProjectError> {
            panic!("too touchy");
        }
    }
    let registry = Registry::builder().projection::<Touchy>().build().unwrap();
    let runtime = Runtime::builder(MemoryStore::new()).registry(registry).start().await.unwrap();
    let receipt = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    let parked = runtime.wait_for::<Touchy>(receipt).await.unwrap_err();
    assert!(parked.to_string().contains("position 1: too touchy; "), "{parked}");
}

#[tokio::test]
async fn a_projection_that_does_not_run_is_told_apart_from_one_that_is_late() {
    let registry = Registry::builder().build().unwrap();
    let runtime = Runtime::builder(MemoryStore::new()).registry(registry).start().await.unwrap();
    let receipt = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    let missing = runtime.wait_for::<Sums>(&receipt).await.unwrap_err();
    assert!(matches!(missing, WaitError::NotRegistered(NotRegistered { name: "sums" })));
    assert!(runtime.projection::<Sums>().is_err());

    let runtime = over(Arc::default()).await;
    let receipt = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    runtime.wait_for::<Sums>(receipt).await.unwrap();
    runtime.shutdown().await;
    let receipt = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    let stopped = runtime.wait_for::<Sums>(receipt).await.unwrap_err();
    assert_eq!(
        stopped.to_string(),
        "projection `sums` ended at position 1 and has not applied 2: the runtime was shut down"
    );
}

#[tokio::test]
async fn a_projection_with_constructor_arguments_is_registered_by_hand() {
    #[derive(Projection)]
    #[projection(name = "large", events(Raised), register = false)]
    struct Large {
        from: u64,
        count: u64,
    }
    impl Project<Raised> for Large {
        fn project(&mut self, event: &Raised, _: &Recorded) -> Result<(), ProjectError> {
            self.count += u64::from(event.by >= self.from);
            Ok(())
        }
    }
    let registry = Registry::builder().projection_with(|| Large { from: 10, count: 0 });
    let registry = registry.build().unwrap();
    let runtime = Runtime::builder(MemoryStore::new()).registry(registry).start().await.unwrap();
    for by in [9, 10, 11] {
        runtime.execute(Raise { counter: 1, by }).await.unwrap();
    }
    runtime.wait_until_current::<Large>().await.unwrap();
    assert_eq!(runtime.projection::<Large>().unwrap().read(|large| large.count), 2);
}

#[tokio::test]
async fn an_event_that_an_aggregate_can_not_read_is_an_error_with_its_place() {
    let cases = [
        (
            "counter.reset",
            1,
            "{}",
            "`es_tests::counter::CounterEvent` knows no event of this name, only counter.raised, counter.lowered; add the event to the set",
        ),
        (
            "counter.raised",
            2,
            "{\"by\":1}",
            "it was written by a newer program; this one knows schema versions up to 1, so deploy the newer program here first",
        ),
        (
            "counter.raised",
            1,
            "{",
            "the payload does not hold it: EOF while parsing an object at line 1 column 1",
        ),
    ];
    for (name, version, payload, problem) in cases {
        let store = Arc::new(MemoryStore::new());
        let runtime = over(Arc::clone(&store)).await;
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
        record(&store, name, version, payload).await;
        let failed = runtime.load::<Counter>(&1).await.unwrap_err();
        assert!(matches!(failed, LoadError::Decode(_)));
        assert_eq!(
            failed.to_string(),
            format!(
                "event `{name}` (schema version {version}) at version 2 of stream `counter/1`, \
                 position 2: {problem}"
            )
        );
        // Nothing is decided on half a history either.
        let cold = over(store).await;
        assert!(cold.execute(Raise { counter: 1, by: 1 }).await.is_err());
    }
}

#[tokio::test]
async fn history_tells_the_state_at_a_version_and_as_of_a_time() {
    let clock = Arc::new(es_core::FixedClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock)));
    let runtime = over(store).await;
    for by in 1..=5 {
        runtime.execute(Raise { counter: 1, by }).await.unwrap();
        clock.advance(std::time::Duration::from_secs(60));
    }
    let history = runtime.history::<Counter>(&1).unwrap();
    let second = history.at_version(Version::new(2)).await.unwrap();
    assert_eq!((second.state.value, second.version), (3, Version::new(2)));
    let beyond = history.at_version(Version::new(99)).await.unwrap();
    assert_eq!((beyond.state.value, beyond.version), (15, Version::new(5)));
    let then = history.as_of("2026-01-01T00:02:00Z".parse().unwrap()).await.unwrap();
    assert_eq!(then.version, Version::new(3), "an event at that very time is in it");
    let before = history.as_of("2025-12-31T23:59:59Z".parse().unwrap()).await.unwrap();
    assert_eq!(before.version, Version::ZERO);
    let mut values = Vec::new();
    history.for_each(|state, _, _| values.push(state.value)).await.unwrap();
    assert_eq!(values, [1, 3, 6, 10, 15]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Every state that any reader gets is the fold of a beginning of the history.
    #[test]
    fn state_at_every_version_is_the_fold_of_the_events_up_to_it(
        steps in prop::collection::vec(1u64..100, 1..30)
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        tokio.block_on(async {
            let runtime = over(Arc::default()).await;
            for &by in &steps {
                runtime.execute(Raise { counter: 1, by }).await.unwrap();
            }
            for version in 0..=steps.len() {
                let history = runtime.history::<Counter>(&1).unwrap();
                let then = history.at_version(Version::new(version as u64)).await.unwrap();
                assert_eq!(then.state.value, steps[..version].iter().sum::<u64>());
            }
            runtime.wait_until_current::<Sums>().await.unwrap();
            let sums = runtime.projection::<Sums>().unwrap();
            assert_eq!(sums.read(|sums| sums.by_counter[&1]), steps.iter().sum::<u64>());
        });
    }
}
