//! A command id stands for one command, and metadata flows from the request to every event.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use es_core::prelude::*;
use es_core::uuid::Uuid;
use es_core::{
    CommandDifference, CommandIdReused, ErrorCategory, EventStore, ExecuteError, Metadata, Query,
    QueryRange, RecordedEvent, StateStore,
};
use es_memory_store::MemoryStore;
use es_tests::faulty::FaultyStore;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "list.added")]
struct Added {
    items: Vec<String>,
}

#[derive(Aggregate, Default)]
#[aggregate(name = "list", id = u64, events(Added), register = false)]
struct List {
    items: Vec<String>,
}

impl Apply<Added> for List {
    fn apply(&mut self, event: &Added) {
        self.items.extend_from_slice(&event.items);
    }
}

/// A field of a type that serde does not know.
#[derive(Clone)]
struct Socket(#[expect(dead_code, reason = "it stands for what has no value")] u8);

#[derive(Command, Clone)]
#[command(aggregate = List)]
struct Add {
    #[command(id)]
    list: u64,
    items: HashSet<String>,
    #[command(varies)]
    sent: u64,
    answer_to: Socket,
}

/// Says what the first item is once more, if there is one.
#[derive(Command, Clone)]
#[command(aggregate = List)]
struct Fill(#[command(id)] u64, u8);

impl Handle<Fill> for List {
    type Error = std::convert::Infallible;

    fn handle(&self, _: &Fill, _: &Context) -> Result<impl IntoEvents<Self>, Self::Error> {
        Ok(self.items.first().map(|item| Added { items: vec![item.clone()] }))
    }
}

#[derive(Command, Clone)]
#[command(aggregate = List)]
struct AddTwice(#[command(id)] u64, String);

impl Handle<Add> for List {
    type Error = std::convert::Infallible;

    fn handle(&self, command: &Add, _: &Context) -> Result<impl IntoEvents<Self>, Self::Error> {
        let _ = (command.sent, &command.answer_to);
        let mut items: Vec<_> = command.items.iter().cloned().collect();
        items.sort();
        Ok((!items.is_empty()).then_some(Added { items }))
    }
}

impl Handle<AddTwice> for List {
    type Error = std::convert::Infallible;

    fn handle(
        &self,
        AddTwice(_, item): &AddTwice,
        _: &Context,
    ) -> Result<impl IntoEvents<Self>, Self::Error> {
        Ok((Added { items: vec![item.clone()] }, Added { items: vec![item.clone()] }))
    }
}

fn add(list: u64, items: &[&str], sent: u64) -> Add {
    let items = items.iter().map(|item| (*item).to_owned()).collect();
    Add { list, items, sent, answer_to: Socket(sent as u8) }
}

async fn runtime_over(store: Arc<MemoryStore>) -> Runtime<MemoryStore> {
    let registry = Registry::builder().aggregate::<List>().build().unwrap();
    Runtime::builder_shared(store).registry(registry).start().await.unwrap()
}

async fn events(runtime: &Runtime<MemoryStore>) -> Vec<RecordedEvent> {
    let page = runtime.store().read(&Query::all(), QueryRange::all()).await.unwrap();
    page.events.iter().map(|recorded| recorded.to_event()).collect()
}

fn reused<E: std::fmt::Debug>(error: ExecuteError<E>) -> CommandIdReused {
    assert_eq!(error.category(), ErrorCategory::Permanent);
    match error {
        ExecuteError::CommandIdReused(reused) => *reused,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_command_that_is_sent_again_is_known_by_what_it_says() {
    let store = Arc::new(MemoryStore::new());
    let id = CommandId::from_name("first");
    let first = runtime_over(Arc::clone(&store)).await;
    let receipt = first.execute(add(1, &["a", "b", "c"], 1)).command_id(id).await.unwrap();

    // Another process, another order in the set, and what was said to vary does.
    let second = runtime_over(store).await;
    let again = second.execute(add(1, &["c", "b", "a"], 2)).command_id(id).await.unwrap();
    assert!(again.repeated);
    assert_eq!((again.version, again.position), (receipt.version, receipt.position));

    let other = second.execute(add(1, &["a", "b", "d"], 1)).command_id(id).await.unwrap_err();
    let other = reused(other);
    assert_eq!(other.difference, CommandDifference::Fields);
    assert_eq!((other.version, Some(other.position)), (receipt.version, receipt.position));

    let name = second.execute(AddTwice(1, "a".to_owned())).command_id(id).await.unwrap_err();
    assert_eq!(reused(name).difference, CommandDifference::Name { recorded: "Add".to_owned() });

    let elsewhere = second.execute(add(2, &["a", "b", "c"], 1)).command_id(id).await.unwrap_err();
    let elsewhere = reused(elsewhere);
    assert!(matches!(elsewhere.difference, CommandDifference::Stream { .. }));
    assert_eq!(
        elsewhere.to_string(),
        format!(
            "command `Add` has id {id}, under which another command was carried out: that one was not \
             for stream `list/2` (version 1 of stream `list/1`, position 1); give every command an \
             id of its own"
        )
    );
    assert_eq!(events(&second).await.len(), 1);
}

#[tokio::test]
async fn another_command_under_an_id_is_refused_in_the_queue_too() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let registry = Registry::builder().aggregate::<List>().build().unwrap();
    let runtime = Runtime::builder_shared(Arc::clone(&store)).registry(registry);
    let runtime = runtime.start().await.unwrap();
    // Another command has the turn, so that these wait for it together.
    store.close();
    let holder = runtime.clone();
    let holder = tokio::spawn(async move { holder.execute(add(1, &["first"], 0)).await });
    while store.held_up() == 0 {
        tokio::task::yield_now().await;
    }
    let id = CommandId::from_name("raced");
    let (sent, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let send = |item: &'static str| {
        let (runtime, sent, outcomes) = (&runtime, &sent, &outcomes);
        async move {
            let mut waiting = pin!(runtime.execute(add(1, &[item], 0)).command_id(id));
            let outcome = poll_fn(|context| {
                let poll = waiting.as_mut().poll(context);
                sent.fetch_add(1, Ordering::Relaxed);
                poll
            });
            let outcome = outcome.await;
            outcomes.lock().unwrap().push((item, outcome));
        }
    };
    let open = async {
        while sent.load(Ordering::Relaxed) < 6 {
            tokio::task::yield_now().await;
        }
        store.open();
    };
    tokio::join!(send("a"), send("b"), send("a"), send("b"), send("a"), send("b"), open);
    holder.await.unwrap().unwrap();
    let outcomes = outcomes.into_inner().unwrap();
    let first = outcomes.iter().find(|(_, it)| it.as_ref().is_ok_and(|it| !it.repeated));
    let winner = first.unwrap().0;
    for (item, outcome) in outcomes {
        match outcome {
            Ok(_) => assert_eq!(item, winner),
            Err(error) => {
                assert_ne!(item, winner);
                assert_eq!(reused(error).difference, CommandDifference::Fields);
            }
        }
    }
    assert_eq!(runtime.load::<List>(&1).await.unwrap().state.items, ["first", winner]);
}

#[tokio::test]
async fn a_command_that_led_to_no_event_is_known_too() {
    let store = Arc::new(MemoryStore::new());
    let runtime = runtime_over(Arc::clone(&store)).await;
    let id = CommandId::from_name("once");
    let nothing = runtime.execute(Fill(1, 0)).command_id(id).await.unwrap();
    assert_eq!((nothing.events, nothing.repeated), (0, false));
    runtime.execute(add(1, &["a"], 0)).await.unwrap();

    // Now it would lead to events, had it not been carried out. Also in another process.
    for runtime in [&runtime, &runtime_over(Arc::clone(&store)).await] {
        let again = runtime.execute(Fill(1, 0)).command_id(id).await.unwrap();
        assert_eq!((again.events, again.repeated, again.version), (0, true, nothing.version));
        let other = runtime.execute(Fill(1, 1)).command_id(id).await.unwrap_err();
        assert_eq!(reused(other).difference, CommandDifference::Fields);
        let elsewhere = runtime.execute(Fill(2, 0)).command_id(id).await.unwrap_err();
        assert!(matches!(reused(elsewhere).difference, CommandDifference::Stream { .. }));
    }
    assert_eq!(events(&runtime).await.len(), 1);

    // One that was refused or has no id leaves nothing behind.
    let spaces = store.list(es_core::COMMANDS_WITHOUT_EVENTS, None, 10).await.unwrap();
    assert_eq!(spaces.records.len(), 1);
    let now = es_core::jiff::Timestamp::now();
    assert_eq!(runtime.forget_commands(es_core::jiff::Timestamp::MIN).await.unwrap(), 0);
    assert_eq!(runtime.forget_commands(now).await.unwrap(), 1);
    let anew = runtime.execute(Fill(1, 0)).command_id(id).await.unwrap();
    assert_eq!((anew.events, anew.repeated), (1, false));
}

#[tokio::test]
async fn commands_that_lead_to_no_event_are_known_when_they_wait_together() {
    let store = Arc::new(MemoryStore::new());
    let runtime = runtime_over(Arc::clone(&store)).await;
    for round in 0..2 {
        let send = |number: u32| {
            let id = CommandId::from_name(&format!("command {number}"));
            let runtime = runtime.clone();
            tokio::spawn(async move { runtime.execute(Fill(1, 0)).command_id(id).await.unwrap() })
        };
        let sent: Vec<_> = (0..40).map(send).collect();
        for receipt in sent {
            let receipt = receipt.await.unwrap();
            assert_eq!((receipt.events, receipt.repeated), (0, round == 1));
        }
        runtime.execute(add(1, &["a"], 0)).await.unwrap();
    }
    let spaces = store.list(es_core::COMMANDS_WITHOUT_EVENTS, None, 100).await.unwrap();
    assert_eq!(spaces.records.len(), 40);
}

#[tokio::test]
async fn what_is_known_of_a_request_is_in_every_event_it_led_to() {
    let runtime = runtime_over(Arc::new(MemoryStore::new())).await;
    let request = Uuid::from_u128(7);
    let metadata = Metadata::default().with_correlation_id(request).with_actor("teller 7");
    let in_request =
        runtime.with_metadata(metadata).with_metadata(Metadata::default().with("branch", "1"));
    let id = CommandId::from_name("root");
    in_request.execute(AddTwice(1, "a".to_owned())).command_id(id).await.unwrap();
    in_request.execute(add(2, &["b"], 0)).actor("teller 8").await.unwrap();
    let recorded = events(&runtime).await;
    let command = |place: usize| recorded[place].metadata.command().unwrap();
    for event in &recorded {
        assert_eq!(event.metadata.correlation_id(), Some(request));
        assert_eq!(event.metadata.get("branch"), Some("1"));
    }
    assert_eq!((command(0).name.as_str(), command(0).id), ("AddTwice", Some(id)));
    assert!(command(0).fingerprint.is_some());
    assert_eq!((command(1).id, command(1).fingerprint), (Some(id), None));
    assert_eq!((command(2).name.as_str(), command(2).id), ("Add", None));
    assert_eq!(recorded[1].metadata.actor(), Some("teller 7"));
    assert_eq!(recorded[2].metadata.actor(), Some("teller 8"));

    // A reaction to an event belongs to the same request and names its cause.
    let cause = recorded[1].as_recorded();
    runtime.caused_by(&cause).execute(add(3, &["c"], 0)).await.unwrap();
    runtime.execute(add(3, &["d"], 0)).metadata("why", "stock").caused_by(&cause).await.unwrap();
    let recorded = events(&runtime).await;
    for reaction in &recorded[3..] {
        assert_eq!(reaction.metadata.correlation_id(), Some(request));
        assert_eq!(reaction.metadata.causation_id(), Some(*cause.event_id.as_uuid()));
        assert_eq!(reaction.metadata.actor(), Some("teller 7"));
        assert_eq!(reaction.metadata.get("branch"), None);
    }
    assert_eq!(recorded[4].metadata.get("why"), Some("stock"));

    // Where no request is known, the first event begins the chain.
    runtime.execute(add(4, &["e"], 0)).await.unwrap();
    let root = events(&runtime).await.pop().unwrap();
    assert!(root.metadata.is_empty());
    let caused = Metadata::caused_by(&root.as_recorded());
    assert_eq!(caused.correlation_id(), Some(*root.event_id.as_uuid()));
}
