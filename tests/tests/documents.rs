//! Projections in documents: durable, parked by key, skipped by decision, rebuilt beside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use es_core::bytes::Bytes;
use es_core::prelude::*;
use es_core::{
    Commit, Differences, EventId, EventStore, ExpectedVersion, HandleError, Metadata, NewEvent,
    Position, ProjectionState, Registry, RegistryBuilder, Runtime, SchemaVersion, StreamId, Tags,
    WaitError,
};
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, LowerByOnes, Lowered, Raise, Raised};

/// One document for each counter.
#[derive(Projection, Default, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[projection(name = "totals", events(Raised, Lowered), documents, register = false)]
struct Total {
    value: u64,
    events: u64,
}

impl Project<Raised> for Total {
    fn project(&mut self, event: &Raised, _: &Recorded) -> Result<(), ProjectError> {
        self.events += 1;
        self.value += event.by;
        Ok(())
    }
}

impl Project<Lowered> for Total {
    fn project(&mut self, event: &Lowered, _: &Recorded) -> Result<(), ProjectError> {
        self.events += 1;
        self.value =
            self.value.checked_sub(event.by).ok_or_else(|| ProjectError::new("below zero"))?;
        Ok(())
    }
}

const LEASE: Duration = Duration::from_millis(400);

async fn start(store: &Arc<MemoryStore>, registry: RegistryBuilder) -> Runtime<MemoryStore> {
    let registry = registry.aggregate::<Counter>().build().unwrap();
    let builder = Runtime::builder_shared(Arc::clone(store)).registry(registry);
    builder.projection_lease(LEASE).start().await.unwrap()
}

async fn over(store: &Arc<MemoryStore>) -> Runtime<MemoryStore> {
    start(store, Registry::builder().projection::<Total>()).await
}

/// Records what no command would lead to.
async fn record(store: &MemoryStore, counter: u64, name: &'static str, payload: &'static str) {
    let event = NewEvent {
        id: EventId::generate(),
        name: name.into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from_static(payload.as_bytes()),
        tags: Tags::new(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    let stream = StreamId::new("counter", counter).unwrap();
    store.append(&Commit::new(stream, ExpectedVersion::Any, vec![event]).unwrap()).await.unwrap();
}

async fn totals(runtime: &Runtime<MemoryStore>) -> BTreeMap<String, Total> {
    runtime.documents::<Total>().unwrap().all().await.unwrap().into_iter().collect()
}

fn total(value: u64, events: u64) -> Total {
    Total { value, events }
}

#[tokio::test]
async fn a_write_is_read_in_its_document_after_waiting_for_its_receipt() {
    let store = Arc::new(MemoryStore::new());
    let runtime = over(&store).await;
    let documents = runtime.documents::<Total>().unwrap();
    let mut sums = [0; 3];
    for round in 1..=100 {
        let counter = round % 3;
        sums[counter as usize] += round;
        let receipt = runtime.execute(Raise { counter, by: round }).await.unwrap();
        runtime.wait_for::<Total>(&receipt).within(Duration::from_secs(10)).await.unwrap();
        let document = documents.get(counter).await.unwrap().unwrap();
        assert_eq!(document.value, sums[counter as usize]);
    }
    assert_eq!(documents.get(7).await.unwrap(), None);
    assert_eq!(documents.status().position, Position::new(100));
    let page = documents.range("1".., 1).await.unwrap();
    assert_eq!(page.documents.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["1"]);
    assert_eq!(page.next.as_deref(), Some("1"));
    let page = documents.range("0".."2", 10).await.unwrap();
    assert_eq!(page.documents.len(), 2);
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn a_restarted_program_goes_on_where_it_was_and_applies_nothing_twice() {
    let store = Arc::new(MemoryStore::new());
    for round in 1..=20 {
        let runtime = over(&store).await;
        for counter in 0..5 {
            runtime.execute(Raise { counter, by: 1 }).await.unwrap();
        }
        // Every second time everything is shut down with events that nobody has projected.
        if round % 2 == 0 {
            runtime.wait_until_current::<Total>().await.unwrap();
        }
        runtime.shutdown().await;
    }
    let runtime = over(&store).await;
    runtime.wait_until_current::<Total>().await.unwrap();
    let expected = (0..5).map(|counter: u64| (counter.to_string(), total(20, 20))).collect();
    assert_eq!(totals(&runtime).await, expected);
}

#[tokio::test]
async fn a_poison_event_parks_its_document_only_and_a_decision_lets_it_go_on_in_order() {
    let store = Arc::new(MemoryStore::new());
    let runtime = over(&store).await;
    for counter in 1..=2 {
        runtime.execute(Raise { counter, by: 10 }).await.unwrap();
    }
    record(&store, 1, "counter.lowered", "{\"by\":11}").await;
    record(&store, 1, "counter.raised", "{\"by\":5}").await;
    record(&store, 2, "counter.raised", "{\"by\":7}").await;

    let parked = runtime.wait_until_current::<Total>().await.unwrap_err();
    let WaitError::Parked { position, key, error, .. } = &parked else { panic!("{parked}") };
    assert_eq!((position.get(), key.as_deref()), (3, Some("1")));
    assert!(error.ends_with("position 3: below zero"), "{error}");
    // The other one is at the head, and whoever waits for it is not held up.
    assert_eq!(
        totals(&runtime).await,
        [("1".to_owned(), total(10, 1)), ("2".to_owned(), total(17, 2))].into()
    );
    let handle = runtime.projection_handle("totals").unwrap();
    assert_eq!(handle.status().state, ProjectionState::Live);
    assert_eq!(handle.status().position, Position::new(5));
    let other = runtime.execute(Raise { counter: 2, by: 1 }).await.unwrap();
    runtime.wait_for::<Total>(&other).await.unwrap();
    // The aggregate itself can not be loaded with this history.
    record(&store, 1, "counter.raised", "{\"by\":1}").await;

    let letters = handle.dead_letters().await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].stream.as_str(), letters[0].version.get()), ("counter/1", 2));
    let refused = handle.skip(Position::new(4), "no", "me").await.unwrap_err();
    assert!(matches!(refused, HandleError::NotParked { .. }), "{refused}");
    // Tried again without a fix it is parked again, and says how often it was tried.
    handle.resume().await.unwrap();
    while handle.dead_letters().await.unwrap()[0].attempts == 1 {
        tokio::task::yield_now().await;
    }
    handle.skip(Position::new(3), "the booking was wrong", "ada").await.unwrap();
    while !handle.dead_letters().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    runtime.wait_until_current::<Total>().await.unwrap();
    assert_eq!(totals(&runtime).await["1"], total(16, 3));
    let skips = handle.skips().await.unwrap();
    assert_eq!(
        (skips[0].reason.as_str(), skips[0].actor.as_str()),
        ("the booking was wrong", "ada")
    );

    // A rebuild of the same version keeps to the decision.
    let before = totals(&runtime).await;
    handle.rebuild().await.unwrap().finished().await.unwrap();
    runtime.wait_until_current::<Total>().await.unwrap();
    assert_eq!(totals(&runtime).await, before);
}

#[tokio::test]
async fn a_parked_document_survives_a_restart_and_is_freed_by_a_fix() {
    static FIXED: AtomicBool = AtomicBool::new(false);
    #[derive(Projection, Default, Serialize, Deserialize, Debug, PartialEq)]
    #[projection(name = "seen", events(Raised), documents, register = false)]
    struct Seen {
        amounts: Vec<u64>,
    }
    impl Project<Raised> for Seen {
        fn project(&mut self, event: &Raised, _: &Recorded) -> Result<(), ProjectError> {
            self.amounts.push(event.by);
            if event.by == 3 && !FIXED.load(Ordering::SeqCst) {
                panic!("three is too much");
            }
            Ok(())
        }
    }
    let store = Arc::new(MemoryStore::new());
    let seen = || start(&store, Registry::builder().projection::<Seen>());
    let runtime = seen().await;
    for by in 1..=5 {
        runtime.execute(Raise { counter: 1, by }).await.unwrap();
        runtime.execute(Raise { counter: 2, by: by + 10 }).await.unwrap();
    }
    runtime.wait_until_current::<Seen>().await.unwrap_err();
    runtime.shutdown().await;

    let runtime = seen().await;
    let parked = runtime.wait_until_current::<Seen>().await.unwrap_err();
    assert!(parked.to_string().contains("three is too much"), "{parked}");
    let documents = runtime.documents::<Seen>().unwrap();
    assert_eq!(documents.get(1).await.unwrap().unwrap().amounts, [1, 2]);
    assert_eq!(documents.get(2).await.unwrap().unwrap().amounts, [11, 12, 13, 14, 15]);
    FIXED.store(true, Ordering::SeqCst);
    let handle = runtime.projection_handle("seen").unwrap();
    handle.resume().await.unwrap();
    while !handle.status().dead_letters.is_empty() {
        tokio::task::yield_now().await;
    }
    runtime.wait_until_current::<Seen>().await.unwrap();
    assert_eq!(documents.get(1).await.unwrap().unwrap().amounts, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn documents_have_declared_keys_and_are_removed_when_they_say_so() {
    #[derive(Projection, Default, Serialize, Deserialize, Debug, PartialEq)]
    #[projection(
        name = "by-parity",
        events(Raised, Lowered),
        documents(key = parities, remove_when = Parity::is_nothing),
        register = false
    )]
    struct Parity {
        sum: u64,
    }
    fn parities(event: &ParityEvent, recorded: &Recorded<'_>) -> [String; 2] {
        let by = match event {
            ParityEvent::Raised(raised) => raised.by,
            ParityEvent::Lowered(lowered) => lowered.by,
        };
        [format!("all/{}", recorded.stream.category()), format!("{}", by % 2)]
    }
    impl Parity {
        fn is_nothing(&self) -> bool {
            self.sum == 0
        }
    }
    impl Project<Raised> for Parity {
        fn project(&mut self, event: &Raised, _: &Recorded) -> Result<(), ProjectError> {
            self.sum += event.by;
            Ok(())
        }
    }
    impl Project<Lowered> for Parity {
        fn project(&mut self, event: &Lowered, _: &Recorded) -> Result<(), ProjectError> {
            self.sum -= event.by;
            Ok(())
        }
    }
    let store = Arc::new(MemoryStore::new());
    let runtime = start(&store, Registry::builder().projection::<Parity>()).await;
    runtime.execute(Raise { counter: 1, by: 3 }).await.unwrap();
    runtime.execute(Raise { counter: 2, by: 4 }).await.unwrap();
    runtime.wait_until_current::<Parity>().await.unwrap();
    let documents = runtime.documents::<Parity>().unwrap();
    let sums = |all: Vec<(String, Parity)>| {
        all.into_iter().map(|(key, parity)| (key, parity.sum)).collect::<Vec<_>>()
    };
    let owned = |all: &[(&str, u64)]| -> Vec<(String, u64)> {
        all.iter().map(|(key, sum)| ((*key).to_owned(), *sum)).collect()
    };
    let found = sums(documents.all().await.unwrap());
    assert_eq!(found, owned(&[("0", 4), ("1", 3), ("all/counter", 7)]));
    runtime.execute(LowerByOnes { counter: 1, by: 3 }).await.unwrap();
    runtime.wait_until_current::<Parity>().await.unwrap();
    let found = sums(documents.all().await.unwrap());
    assert_eq!(found, owned(&[("0", 4), ("all/counter", 4)]));

    // Where it can not be read whose document an event is about, everything stands still.
    record(&store, 1, "counter.raised", "{\"by\":\"many\"}").await;
    let parked = runtime.wait_until_current::<Parity>().await.unwrap_err();
    assert!(
        matches!(&parked, WaitError::Parked { key: None, position, .. } if position.get() == 6)
    );
    let handle = runtime.projection_handle("by-parity").unwrap();
    handle.skip(Position::new(6), "unreadable", "ada").await.unwrap();
    while !matches!(handle.status().state, ProjectionState::Live) {
        tokio::task::yield_now().await;
    }
    runtime.wait_until_current::<Parity>().await.unwrap();
}

#[tokio::test]
async fn an_event_that_fails_in_passing_is_tried_again_before_anything_parks() {
    static FAILURES: AtomicU64 = AtomicU64::new(3);
    #[derive(Projection, Default, Serialize, Deserialize)]
    #[projection(name = "flaky", events(Raised), documents, register = false)]
    struct Flaky {
        events: u64,
    }
    impl Project<Raised> for Flaky {
        fn project(&mut self, _: &Raised, _: &Recorded) -> Result<(), ProjectError> {
            self.events += 1;
            let left = FAILURES.load(Ordering::SeqCst);
            if left > 0 {
                FAILURES.store(left - 1, Ordering::SeqCst);
                return Err(ProjectError::transient("not now"));
            }
            Ok(())
        }
    }
    let store = Arc::new(MemoryStore::new());
    let runtime = start(&store, Registry::builder().projection::<Flaky>()).await;
    let receipt = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    runtime.wait_for::<Flaky>(&receipt).await.unwrap();
    let document = runtime.documents::<Flaky>().unwrap().get(1).await.unwrap().unwrap();
    assert_eq!(document.events, 1);
    assert_eq!(FAILURES.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rebuild_under_load_swaps_in_the_same_documents_and_readers_never_go_back() {
    let store = Arc::new(MemoryStore::new());
    let runtime = over(&store).await;
    let writing = {
        let runtime = runtime.clone();
        tokio::spawn(async move {
            for round in 1..=2_000_u64 {
                let receipt = runtime.execute(Raise { counter: round % 7, by: 1 }).await.unwrap();
                if round % 10 == 0 {
                    runtime.wait_for::<Total>(&receipt).await.unwrap();
                    let documents = runtime.documents::<Total>().unwrap();
                    let seen = documents.get(round % 7).await.unwrap().unwrap().events;
                    assert!(seen >= round.div_ceil(7) - 1, "{seen} after {round}");
                }
            }
        })
    };
    runtime.wait_until_current::<Total>().await.unwrap();
    let handle = runtime.projection_handle("totals").unwrap();
    for number in 2..=6 {
        handle.rebuild().await.unwrap().finished().await.unwrap();
        assert_eq!(handle.status().generation, Some(number));
        handle.discard_others().await.unwrap();
    }
    writing.await.unwrap();
    runtime.wait_until_current::<Total>().await.unwrap();
    let expected: BTreeMap<_, _> = (0..7_u64)
        .map(|counter| {
            let events = (1..=2_000).filter(|round| round % 7 == counter).count() as u64;
            (counter.to_string(), total(events, events))
        })
        .collect();
    assert_eq!(totals(&runtime).await, expected);
}

#[tokio::test]
async fn a_rebuild_can_be_held_compared_swapped_and_rolled_back() {
    let store = Arc::new(MemoryStore::new());
    let runtime = over(&store).await;
    for counter in 0..10 {
        runtime.execute(Raise { counter, by: 1 }).await.unwrap();
    }
    runtime.wait_until_current::<Total>().await.unwrap();
    let handle = runtime.projection_handle("totals").unwrap();
    assert!(matches!(handle.swap().await, Err(HandleError::NoRebuild { .. })));
    assert!(matches!(handle.roll_back().await, Err(HandleError::NoRebuild { .. })));
    handle.rebuild_and_hold().await.unwrap().finished().await.unwrap();
    assert_eq!(handle.status().generation, Some(1));
    let differences = handle.differences(10).await.unwrap();
    assert_eq!(differences, Differences::Documents(vec![]));
    handle.swap().await.unwrap().finished().await.unwrap();
    assert_eq!(handle.status().generation, Some(2));
    // The way back catches up before it is served.
    runtime.execute(Raise { counter: 3, by: 5 }).await.unwrap();
    handle.roll_back().await.unwrap().finished().await.unwrap();
    assert_eq!(handle.status().generation, Some(1));
    runtime.wait_until_current::<Total>().await.unwrap();
    assert_eq!(totals(&runtime).await["3"], total(6, 2));
}

#[tokio::test]
async fn a_new_version_is_built_beside_the_old_one_which_old_processes_serve_meanwhile() {
    #[derive(Projection, Default, Serialize, Deserialize, Debug, PartialEq)]
    #[projection(
        name = "totals",
        version = 2,
        events(Raised, Lowered),
        documents,
        register = false
    )]
    struct Doubled {
        double: u64,
    }
    impl Project<Raised> for Doubled {
        fn project(&mut self, event: &Raised, _: &Recorded) -> Result<(), ProjectError> {
            self.double += event.by * 2;
            Ok(())
        }
    }
    impl Project<Lowered> for Doubled {
        fn project(&mut self, event: &Lowered, _: &Recorded) -> Result<(), ProjectError> {
            self.double -= event.by * 2;
            Ok(())
        }
    }
    let store = Arc::new(MemoryStore::new());
    let old = over(&store).await;
    for counter in 0..10 {
        old.execute(Raise { counter, by: 3 }).await.unwrap();
    }
    old.wait_until_current::<Total>().await.unwrap();
    let new = start(&store, Registry::builder().projection::<Doubled>()).await;
    let receipt = new.execute(Raise { counter: 3, by: 1 }).await.unwrap();
    new.wait_for::<Doubled>(&receipt).await.unwrap();
    old.wait_for::<Total>(&receipt).await.unwrap();
    let doubled = new.documents::<Doubled>().unwrap();
    assert_eq!(doubled.get(3).await.unwrap().unwrap().double, 8);
    assert_eq!(old.documents::<Total>().unwrap().get(3).await.unwrap().unwrap().value, 4);
    assert_eq!((doubled.status().generation, old.projections()[0].generation), (Some(2), Some(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_processes_one_projects_and_the_other_takes_over_when_it_is_gone() {
    let store = Arc::new(MemoryStore::new());
    let mut runtimes = Vec::new();
    for _ in 0..2 {
        runtimes.push(over(&store).await);
    }
    for round in 0..6_u64 {
        for runtime in &runtimes {
            let receipt = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
            // Whoever waits need not know who works.
            runtime.wait_for::<Total>(&receipt).within(Duration::from_secs(20)).await.unwrap();
        }
        let standby = |runtime: &Runtime<MemoryStore>| {
            runtime.projections()[0].state == ProjectionState::Standby
        };
        let holder = runtimes.iter().position(|runtime| !standby(runtime)).unwrap();
        let gone = runtimes.swap_remove(holder);
        if round % 2 == 0 {
            gone.shutdown().await;
        }
        drop(gone);
        runtimes.push(over(&store).await);
    }
    let runtime = &runtimes[0];
    runtime.wait_until_current::<Total>().within(Duration::from_secs(20)).await.unwrap();
    assert_eq!(totals(runtime).await["1"], total(12, 12));
}

#[tokio::test]
async fn whoever_waits_is_told_why_it_is_not_there_yet() {
    static OPEN: AtomicBool = AtomicBool::new(false);
    #[derive(Projection, Default, Serialize, Deserialize)]
    #[projection(name = "slow", events(Raised), documents, register = false)]
    struct Slow {}
    impl Project<Raised> for Slow {
        fn project(&mut self, _: &Raised, _: &Recorded) -> Result<(), ProjectError> {
            if OPEN.load(Ordering::SeqCst) {
                Ok(())
            } else {
                Err(ProjectError::transient("closed"))
            }
        }
    }
    let store = Arc::new(MemoryStore::new());
    let registry = Registry::builder().projection::<Slow>().build().unwrap();
    let retry = es_core::RetryPolicy { attempts: u32::MAX, ..es_core::RetryPolicy::default() };
    let builder = Runtime::builder_shared(Arc::clone(&store)).registry(registry).retry(retry);
    let runtime = builder.start().await.unwrap();
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    let receipt = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    let late = runtime.wait_for::<Slow>(&receipt).within(Duration::from_millis(50)).await;
    let late = late.unwrap_err();
    assert!(matches!(late, WaitError::Late { lag: 2, .. }), "{late}");
    OPEN.store(true, Ordering::SeqCst);
    runtime.wait_for::<Slow>(&receipt).await.unwrap();
}

#[tokio::test]
async fn documents_need_a_store_that_can_keep_them() {
    let store = es_tests::faulty::FaultyStore::new(Arc::default());
    let registry = Registry::builder().projection::<Total>().build().unwrap();
    let refused = Runtime::builder(store).registry(registry).start().await.err().unwrap();
    assert_eq!(
        refused.to_string(),
        "projection `totals` keeps documents, which this store can not: use a store that \
         implements `ProjectionStore`, or keep the projection in memory"
    );
}
