//! Whatever is changed behind the back of the program is found, and the first of it is named.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use es_core::bytes::Bytes;
use es_core::jiff::Timestamp;
use es_core::prelude::*;
use es_core::uuid::Uuid;
use es_core::{
    BrokenLink, ChainError, ChainHead, Commit, EventId, EventStore, ExpectedVersion, NewEvent,
    Query, QueryRange, RecordedEvent, SchemaVersion, Tag,
};
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, CounterEvent, LowerByOnes, Raise, Raised};
use proptest::prelude::*;

async fn over(store: Arc<MemoryStore>) -> Runtime<MemoryStore> {
    let registry = Registry::builder().aggregate::<Counter>().build().unwrap();
    let builder = Runtime::builder_shared(store).registry(registry);
    builder.hash_chain().start().await.unwrap()
}

async fn events(store: &MemoryStore) -> Vec<RecordedEvent> {
    let page = store.read(&Query::all(), QueryRange::all()).await.unwrap();
    page.events.iter().map(|recorded| recorded.to_event()).collect()
}

/// A store in which these events stand as if they had always.
async fn forged(events: &[RecordedEvent]) -> Runtime<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    for event in events {
        let copy = NewEvent {
            id: event.event_id,
            name: event.name.clone().into(),
            schema_version: event.schema_version,
            payload: event.payload.clone(),
            tags: event.tags.clone(),
            occurred_at: event.occurred_at,
            metadata: event.metadata.clone(),
        };
        let commit = Commit::new(event.stream.clone(), ExpectedVersion::Any, vec![copy]).unwrap();
        store.append(&commit).await.unwrap();
    }
    over(store).await
}

async fn counted() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let runtime = over(Arc::clone(&store)).await;
    for number in 0..4 {
        let id = CommandId::from_name(&number.to_string());
        let raise = runtime.execute(Raise { counter: 1, by: 3 }).command_id(id).actor("Ada");
        raise.metadata("branch", "1").occurred_at(Timestamp::UNIX_EPOCH).await.unwrap();
        runtime.execute(LowerByOnes { counter: 1, by: 2 }).await.unwrap();
    }
    store
}

fn stream() -> es_core::StreamId {
    Counter::stream(&1).unwrap()
}

/// The version of the event that is named, and what is wrong with it.
fn named(error: ChainError) -> (u64, BrokenLink) {
    match error {
        ChainError::Broken { version, problem, .. } => (version.get(), problem),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn every_change_of_an_event_names_that_event() {
    let events = events(&*counted().await).await;
    let whole = forged(&events).await;
    let head = whole.verify_chain(&stream(), None).await.unwrap().unwrap();
    assert_eq!((head.version.get(), events.len()), (12, 12));

    type Change = (&'static str, fn(&mut RecordedEvent));
    let changes: [Change; 11] = [
        ("id", |event| event.event_id = EventId::generate()),
        ("name", |event| event.name.push('!')),
        ("schema version", |event| event.schema_version = SchemaVersion::try_from(2).unwrap()),
        ("payload", |event| event.payload = Bytes::from_static(b"{\"by\":9}")),
        ("tag", |event| event.tags.insert(Tag::from("a:b"))),
        ("time", |event| event.occurred_at = Some(Timestamp::MAX)),
        ("actor", |event| event.metadata = event.metadata.clone().with_actor("Eve")),
        ("value", |event| event.metadata = event.metadata.clone().with("branch", "2")),
        ("cause", |event| {
            event.metadata = event.metadata.clone().with_causation_id(Uuid::from_u128(1));
        }),
        ("request", |event| {
            event.metadata = event.metadata.clone().with_correlation_id(Uuid::from_u128(1));
        }),
        ("hash", |event| {
            let mut hash = *event.metadata.chain_hash().unwrap().as_bytes();
            hash[7] ^= 1;
            let hash = es_core::ChainHash::new(hash);
            event.metadata = event.metadata.clone().with_chain_hash(Some(hash));
        }),
    ];
    for (what, change) in changes {
        for place in 0..events.len() {
            let mut events = events.clone();
            change(&mut events[place]);
            let error = forged(&events).await.verify_chain(&stream(), None).await.unwrap_err();
            let expected = (place as u64 + 1, BrokenLink::OtherHash);
            assert_eq!(named(error), expected, "{what} of version {}", place + 1);
        }
    }
}

#[tokio::test]
async fn what_is_put_in_taken_out_exchanged_or_not_linked_is_named() {
    let events = events(&*counted().await).await;
    let verify = async |events: &[RecordedEvent]| {
        named(forged(events).await.verify_chain(&stream(), None).await.unwrap_err())
    };
    for place in 1..events.len() - 1 {
        let version = place as u64 + 1;
        let mut without = events.clone();
        without.remove(place);
        assert_eq!(verify(&without).await, (version, BrokenLink::OtherHash));

        let mut exchanged = events.clone();
        exchanged.swap(place, place + 1);
        assert_eq!(verify(&exchanged).await, (version, BrokenLink::OtherHash));

        let mut more = events.clone();
        more.insert(
            place,
            RecordedEvent { event_id: EventId::generate(), ..events[place].clone() },
        );
        assert_eq!(verify(&more).await, (version, BrokenLink::OtherHash));

        let mut stripped = events.clone();
        let metadata = stripped[place].metadata.clone().with_chain_hash(None);
        stripped[place].metadata = metadata;
        assert_eq!(verify(&stripped).await, (version, BrokenLink::NoHash));
    }
}

#[tokio::test]
async fn a_head_that_was_kept_finds_a_stream_that_was_cut_off_or_linked_anew() {
    let store = counted().await;
    let runtime = over(Arc::clone(&store)).await;
    let known = runtime.verify_chain(&stream(), None).await.unwrap().unwrap();
    runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    assert!(runtime.verify_chain(&stream(), Some(&known)).await.is_ok());
    let events = events(&store).await;

    let short = forged(&events[..11]).await;
    assert!(short.verify_chain(&stream(), None).await.is_ok());
    let error = short.verify_chain(&stream(), Some(&known)).await.unwrap_err();
    assert!(matches!(error, ChainError::Short { .. }), "{error}");

    // Somebody who has all of the program writes another history.
    let other = over(Arc::new(MemoryStore::new())).await;
    for _ in 0..13 {
        other.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    }
    assert!(other.verify_chain(&stream(), None).await.is_ok());
    let error = other.verify_chain(&stream(), Some(&known)).await.unwrap_err();
    assert_eq!(named(error), (12, BrokenLink::LinkedAnew));
}

#[tokio::test]
async fn a_stream_may_have_begun_without_links() {
    let store = Arc::new(MemoryStore::new());
    for by in [5, 6] {
        let event = CounterEvent::from(Raised { by }).encode(&mut Vec::new()).unwrap();
        let event = NewEvent::new(EventId::generate(), event);
        let commit = Commit::new(stream(), ExpectedVersion::Any, vec![event]).unwrap();
        store.append(&commit).await.unwrap();
    }
    let runtime = over(Arc::clone(&store)).await;
    assert_eq!(runtime.verify_chain(&stream(), None).await.unwrap(), None);
    runtime.execute(LowerByOnes { counter: 1, by: 3 }).await.unwrap();
    let head = runtime.verify_chain(&stream(), None).await.unwrap().unwrap();
    assert_eq!(head.version.get(), 5);
    let checked = runtime.verify_chains(|_| {}).await.unwrap();
    assert_eq!((checked.streams, checked.events, checked.linked), (1, 5, 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Two processes that get in each other's way leave chains that hold.
    #[test]
    fn chains_hold_whoever_wins_a_race(
        commands in prop::collection::vec((any::<bool>(), 0..3_u64, 1..4_u64), 1..40),
    ) {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
        tokio.unwrap().block_on(async {
            let store = Arc::new(MemoryStore::new());
            let processes = [over(Arc::clone(&store)).await, over(Arc::clone(&store)).await];
            let mut running = tokio::task::JoinSet::new();
            for (process, counter, by) in commands {
                let runtime = processes[usize::from(process)].clone();
                running.spawn(async move {
                    runtime.execute(Raise { counter, by }).await.unwrap();
                    // Refused when another was faster.
                    let _ = runtime.execute(LowerByOnes { counter, by }).await;
                });
            }
            while let Some(done) = running.join_next().await {
                done.unwrap();
            }
            let mut heads = Vec::<ChainHead>::new();
            let checked = processes[0].verify_chains(|head| heads.push(head)).await.unwrap();
            prop_assert_eq!(checked.events, checked.linked);
            prop_assert_eq!(heads.len() as u64, checked.streams);
            for head in heads {
                let again = processes[1].verify_chain(&head.stream, Some(&head)).await.unwrap();
                prop_assert_eq!(again, Some(head));
            }
            Ok(())
        })?;
    }
}
