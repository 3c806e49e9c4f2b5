//! What a request caused is found again, as it was caused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use es_core::jiff::Timestamp;
use es_core::prelude::*;
use es_core::uuid::Uuid;
use es_core::{
    CausalMessage, CausalTree, Commit, EventId, EventStore, ExpectedVersion, FixedClock,
};
use es_core::{Metadata, NewEvent, Query, QueryItem, QueryRange, RecordedEvent};
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, CounterEvent, LowerByOnes, Raise, Raised};
use es_tests::faulty::FaultyStore;
use proptest::prelude::*;

async fn runtime_at(clock: Arc<FixedClock>) -> Runtime<MemoryStore> {
    let registry = Registry::builder().aggregate::<Counter>().build().unwrap();
    let store = MemoryStore::with_clock(clock);
    Runtime::builder(store).registry(registry).start().await.unwrap()
}

async fn runtime() -> Runtime<MemoryStore> {
    runtime_at(Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH))).await
}

async fn last_event(runtime: &Runtime<MemoryStore>) -> RecordedEvent {
    let head = runtime.store().head().await.unwrap().get();
    let range = QueryRange::after(es_core::Position::new(head - 1));
    let page = runtime.store().read(&Query::all(), range).await.unwrap();
    page.events.last().unwrap().to_event()
}

/// One line for each node, as deep as it is.
fn outline(tree: &CausalTree) -> Vec<(usize, String)> {
    let line = |message: &CausalMessage| match message {
        CausalMessage::Command(command) => command.name.clone().unwrap_or_default(),
        CausalMessage::Event(event) => format!("{} {}", event.stream, event.version),
    };
    tree.nodes().iter().map(|node| (node.depth, line(&node.message))).collect()
}

#[tokio::test]
async fn a_request_is_the_tree_of_its_commands_and_their_events() {
    let runtime = runtime().await;
    let request = Uuid::from_u128(1);
    let in_request = runtime.with_metadata(Metadata::default().with_correlation_id(request));
    in_request.execute(Raise { counter: 1, by: 5 }).actor("Ada").await.unwrap();
    let cause = last_event(&runtime).await;
    runtime.execute(Raise { counter: 9, by: 1 }).actor("somebody else").await.unwrap();
    let id = CommandId::from_name("reaction");
    let reaction = runtime.caused_by(&cause.as_recorded());
    reaction.execute(LowerByOnes { counter: 1, by: 2 }).command_id(id).await.unwrap();
    let cause = last_event(&runtime).await;
    runtime.execute(Raise { counter: 2, by: 1 }).caused_by(&cause.as_recorded()).await.unwrap();
    in_request.execute(Raise { counter: 3, by: 1 }).await.unwrap();

    let tree = runtime.audit().tree(request).await.unwrap();
    let expected = [
        (0, "Raise"),
        (1, "counter/1 1"),
        (2, "LowerByOnes"),
        (3, "counter/1 2"),
        (3, "counter/1 3"),
        (4, "Raise"),
        (5, "counter/2 1"),
        (0, "Raise"),
        (1, "counter/3 1"),
    ];
    assert_eq!(outline(&tree), expected.map(|(depth, line)| (depth, line.to_owned())));
    let printed = tree.to_string();
    assert!(printed.contains("\n      LowerByOnes to counter/1, id "), "{printed}");
    assert!(
        printed.contains(", by Ada\n        counter.lowered version 2, position 3"),
        "{printed}"
    );
}

#[tokio::test]
async fn a_request_that_an_event_began_has_that_event_at_its_root() {
    let runtime = runtime().await;
    runtime.execute(Raise { counter: 1, by: 5 }).await.unwrap();
    let root = last_event(&runtime).await;
    runtime.execute(Raise { counter: 2, by: 1 }).caused_by(&root.as_recorded()).await.unwrap();
    let tree = runtime.audit().tree(*root.event_id.as_uuid()).await.unwrap();
    let expected = [(0, ""), (1, "counter/1 1"), (2, "Raise"), (3, "counter/2 1")];
    assert_eq!(outline(&tree), expected.map(|(depth, line)| (depth, line.to_owned())));
    assert_eq!(runtime.audit().tree(Uuid::from_u128(7)).await.unwrap().nodes(), []);
}

#[tokio::test]
async fn causes_that_go_round_in_a_circle_end() {
    let runtime = runtime().await;
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for (own, cause, counter) in [(first, second, 1), (second, first, 2), (second, second, 3)] {
        let event = CounterEvent::from(Raised { by: 1 }).encode(&mut Vec::new()).unwrap();
        let id = if counter == 3 { EventId::generate() } else { EventId::from_uuid(own) };
        let metadata = Metadata::default().with_causation_id(cause).with_correlation_id(first);
        let event = NewEvent { metadata, ..NewEvent::new(id, event) };
        let stream = Counter::stream(&counter).unwrap();
        let commit = Commit::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
        runtime.store().append(&commit).await.unwrap();
    }
    let tree = runtime.audit().tree(first).await.unwrap();
    assert_eq!(outline(&tree).len(), 6);
}

#[tokio::test]
async fn who_did_what_is_answered_by_actor_time_query_and_position() {
    let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
    let runtime = runtime_at(Arc::clone(&clock)).await;
    for number in 0..3000 {
        let actor = if number % 3 == 0 { "Ada" } else { "Grace" };
        runtime.execute(Raise { counter: number % 5, by: 1 }).actor(actor).await.unwrap();
        clock.advance(Duration::from_secs(1));
    }
    runtime.execute(LowerByOnes { counter: 0, by: 1 }).actor("Ada").await.unwrap();
    let second = |second| Timestamp::UNIX_EPOCH + Duration::from_secs(second);
    let count = async |audit: es_core::Audit<'_, MemoryStore>| {
        let mut count = 0;
        audit.for_each(|_| count += 1).await.unwrap();
        count
    };
    assert_eq!(count(runtime.audit()).await, 3001);
    assert_eq!(count(runtime.audit().by("Ada")).await, 1001);
    assert_eq!(count(runtime.audit().by("Ada").since(second(10)).until(second(20))).await, 3);
    let lowered = Query::from(QueryItem::named(["counter.lowered"]));
    assert_eq!(count(runtime.audit().matching(lowered)).await, 1);
    let position = es_core::Position::new;
    assert_eq!(count(runtime.audit().after(position(10)).up_to(position(1500))).await, 1490);
}

#[tokio::test]
async fn a_question_about_a_time_or_a_request_of_an_event_reads_little_of_a_long_history() {
    let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
    let store = FaultyStore::immediate(Arc::new(MemoryStore::with_clock(Arc::clone(&clock))));
    let store = Arc::new(store);
    let registry = Registry::builder().aggregate::<Counter>().build().unwrap();
    let runtime = Runtime::builder_shared(Arc::clone(&store)).registry(registry);
    let runtime = runtime.start().await.unwrap();
    for number in 0..20_000 {
        runtime.execute(Raise { counter: number % 5, by: 1 }).await.unwrap();
        // Several at one time, and times at which nothing was recorded.
        if number % 7 == 0 {
            clock.advance(Duration::from_secs(10));
        }
    }
    let mut asked = 0;
    let mut all = Vec::new();
    runtime.audit().for_each(|event| all.push(event.to_event())).await.unwrap();
    let second = |second| Timestamp::UNIX_EPOCH + Duration::from_secs(second);
    for (since, until) in
        [(0, 0), (0, 25), (5, 5), (10, 10), (15_555, 15_560), (28_000, 90_000), (99_999, 99_999)]
    {
        let before = store.events_read();
        let mut found = Vec::new();
        let audit = runtime.audit().since(second(since)).until(second(until));
        audit.for_each(|event| found.push(event.position)).await.unwrap();
        let wanted = all
            .iter()
            .filter(|event| (second(since)..=second(until)).contains(&event.recorded_at))
            .map(|event| event.position);
        let wanted: Vec<_> = wanted.collect();
        assert_eq!(found, wanted, "from {since} to {until}");
        asked = asked.max(store.events_read() - before - found.len() as u64);
    }
    // The rest of a page behind the last, and what was read to find the first.
    assert!(asked < 1024 + 64, "{asked}");

    let cause = &all[19_000];
    runtime.execute(Raise { counter: 2, by: 1 }).caused_by(&cause.as_recorded()).await.unwrap();
    let before = store.events_read();
    let tree = runtime.audit().tree(*cause.event_id.as_uuid()).await.unwrap();
    assert_eq!(outline(&tree).len(), 4);
    assert_eq!(store.events_read() - before, 1_001);
}

proptest! {
    /// Every command has an earlier event as its cause, or none.
    #[test]
    fn every_message_stands_below_its_cause(
        commands in prop::collection::vec((prop::option::of(0..30_usize), 1..4_u64), 1..30),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
            let runtime = runtime().await;
            let request = Uuid::from_u128(1);
            let in_request = runtime.with_metadata(Metadata::default().with_correlation_id(request));
            let mut events = Vec::<RecordedEvent>::new();
            for (number, (cause, count)) in (0..).zip(&commands) {
                runtime.execute(Raise { counter: number, by: *count }).await.unwrap();
                let lower = LowerByOnes { counter: number, by: *count };
                let cause = cause.and_then(|cause| events.get(cause));
                match cause {
                    Some(event) => runtime.execute(lower).caused_by(&event.as_recorded()).await.unwrap(),
                    None => in_request.execute(lower).await.unwrap(),
                };
                let mut all = Vec::new();
                runtime.audit().of_request(request).for_each(|event| all.push(event.to_event())).await.unwrap();
                events = all;
            }
            let tree = runtime.audit().tree(request).await.unwrap();
            let mut open = Vec::<&CausalMessage>::new();
            let mut seen = 0;
            for node in tree.nodes() {
                open.truncate(node.depth);
                match (open.last(), &node.message) {
                    (None, CausalMessage::Command(command)) => prop_assert_eq!(command.causation_id, None),
                    (Some(CausalMessage::Event(event)), CausalMessage::Command(command)) => {
                        prop_assert_eq!(command.causation_id, Some(*event.event_id.as_uuid()));
                    }
                    (Some(CausalMessage::Command(command)), CausalMessage::Event(event)) => {
                        prop_assert_eq!(&command.stream, &event.stream);
                        seen += 1;
                    }
                    _ => prop_assert!(false, "an event without a command"),
                }
                open.push(&node.message);
            }
            prop_assert_eq!(seen, events.len());
            Ok(())
        })?;
    }
}
