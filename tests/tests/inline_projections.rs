//! Inline projections: there with the events, or the events are not there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use es_core::prelude::*;
use es_core::{
    AppendError, ErrorCategory, EventStore, ExecuteError, InlineStore, Position, ProjectionState,
    Query, QueryRange, Registry, Runtime, StartError, WaitError,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::{Durability, SqliteStore};
use es_tests::counter::{Counter, CounterEvent, LowerByOnes, Raise};
use es_tests::list_store::ListStore;
use es_tests::tally::{CEILING, InlineTally, InlineTallyRows, Tally, digest};
use proptest::prelude::*;

async fn over<S: EventStore>(store: Arc<S>) -> Runtime<S> {
    let registry = Registry::builder().aggregate::<Counter>();
    let registry = registry.projection::<InlineTally>().projection::<Tally>().build().unwrap();
    Runtime::builder_shared(store).registry(registry).start().await.unwrap()
}

async fn without<S: EventStore>(store: Arc<S>) -> Runtime<S> {
    let registry = Registry::builder().aggregate::<Counter>().build().unwrap();
    Runtime::builder_shared(store).registry(registry).start().await.unwrap()
}

fn open(file: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::builder(file).durability(Durability::Process).open().unwrap())
}

async fn with_rows(store: Arc<SqliteStore>) -> Runtime<SqliteStore> {
    let registry = Registry::builder().aggregate::<Counter>().projection::<InlineTally>();
    let registry = registry.projection::<InlineTallyRows>().build().unwrap();
    Runtime::builder_shared(store).registry(registry).start().await.unwrap()
}

async fn tallies<S: InlineStore>(runtime: &Runtime<S>) -> BTreeMap<String, Tally> {
    let all = runtime.documents::<InlineTally>().unwrap().all().await.unwrap();
    all.into_iter().map(|(key, it)| (key, it.tally)).collect()
}

/// A fold over the log that knows nothing of projections.
async fn fold<S: EventStore>(store: &S) -> BTreeMap<String, Tally> {
    let (mut tallies, mut range) = (BTreeMap::<String, Tally>::new(), QueryRange::all());
    loop {
        let page = store.read(&Query::all(), range).await.unwrap();
        for recorded in page.events.iter() {
            let tally = tallies.entry(recorded.stream.id().to_owned()).or_default();
            match CounterEvent::decode(&recorded).unwrap().one().unwrap() {
                CounterEvent::Raised(raised) => tally.value += raised.by,
                CounterEvent::Lowered(lowered) => tally.value -= lowered.by,
            }
            tally.events += 1;
            tally.version = recorded.version.get();
            tally.digest = digest(tally.digest, recorded.position);
        }
        if !page.more {
            return tallies;
        }
        range = QueryRange::after(page.token(&range));
    }
}

fn is_inline<S: EventStore>(runtime: &Runtime<S>) -> bool {
    let status = runtime.projection_handle("tally-inline").unwrap().status();
    status.state == ProjectionState::Inline
}

async fn what_is_answered_is_there<S: InlineStore>(runtime: &Runtime<S>) {
    for round in 0..50 {
        let receipt = runtime.execute(Raise { counter: round % 3, by: 2 }).await.unwrap();
        let document = runtime.documents::<InlineTally>().unwrap().get(round % 3).await.unwrap();
        let tally = document.unwrap().tally;
        assert_eq!((tally.version, tally.events), (receipt.version.get(), receipt.version.get()));
        // Nothing is waited for: the first look finds it.
        runtime.wait_for::<InlineTally>(&receipt).within(Duration::ZERO).await.unwrap();
    }
    assert!(is_inline(runtime));
    assert_eq!(tallies(runtime).await, fold(&**runtime.store()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_led_to_can_be_read_when_it_is_answered() {
    what_is_answered_is_there(&over(Arc::new(MemoryStore::new())).await).await;
    let directory = tempfile::tempdir().unwrap();
    let runtime = over(open(&directory.path().join("tally.db"))).await;
    what_is_answered_is_there(&runtime).await;
}

async fn a_refused_event_stores_nothing<S: InlineStore>(runtime: &Runtime<S>) {
    runtime.execute(Raise { counter: 1, by: CEILING }).await.unwrap();
    let before = (tallies(runtime).await, runtime.store().head().await.unwrap());
    let refused = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap_err();
    assert_eq!(refused.category(), ErrorCategory::Rejected);
    assert_eq!(
        refused.to_string(),
        "projection `tally-inline` is changed in the step that appends, and can not apply event `counter.raised` for version 2 of stream `counter/1`: 1001 is too high; nothing was stored"
    );
    let ExecuteError::Append(AppendError::Inline(refusal)) = refused else {
        panic!("{refused}");
    };
    assert_eq!((refusal.projection, &*refusal.event), ("tally-inline", "counter.raised"));
    assert_eq!(refusal.key.as_deref(), Some("1"));
    assert_eq!((tallies(runtime).await, runtime.store().head().await.unwrap()), before);
    // The aggregate decides on what is stored.
    let receipt = runtime.execute(LowerByOnes { counter: 1, by: 2 }).await.unwrap();
    assert_eq!(receipt.version.get(), 3);
    runtime.execute(Raise { counter: 1, by: 2 }).await.unwrap();
    assert_eq!(tallies(runtime).await, fold(&**runtime.store()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_can_not_be_applied_is_refused_with_its_command() {
    a_refused_event_stores_nothing(&over(Arc::new(MemoryStore::new())).await).await;
    let directory = tempfile::tempdir().unwrap();
    let runtime = over(open(&directory.path().join("tally.db"))).await;
    a_refused_event_stores_nothing(&runtime).await;
}

/// Commands of many tasks on few aggregates: appends share transactions, and commands queues.
async fn one_loser_fails_nobody_else<S: InlineStore>(runtime: &Runtime<S>) {
    let mut tasks = Vec::new();
    for task in 0..64_u64 {
        let runtime = runtime.clone();
        tasks.push(tokio::spawn(async move {
            let mut refused = 0;
            for round in 0..8 {
                // Every fourth would go too high, whatever the others did.
                let by = if (task + round) % 4 == 0 { CEILING + 1 } else { 1 };
                let done = runtime.execute(Raise { counter: task % 5, by }).await;
                assert_eq!(done.is_err(), by > 1, "{done:?}");
                refused += u64::from(done.is_err());
            }
            refused
        }));
    }
    let mut refused = 0;
    for task in tasks {
        refused += task.await.unwrap();
    }
    let found = tallies(runtime).await;
    assert_eq!(found, fold(&**runtime.store()).await);
    assert_eq!(found.values().map(|tally| tally.events).sum::<u64>() + refused, 64 * 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_refused_fails_no_command_beside_it() {
    one_loser_fails_nobody_else(&over(Arc::new(MemoryStore::new())).await).await;
    let directory = tempfile::tempdir().unwrap();
    let runtime = with_rows(open(&directory.path().join("tally.db"))).await;
    one_loser_fails_nobody_else(&runtime).await;
    rows_are_the_fold(&runtime).await;
}

async fn rows_are_the_fold(runtime: &Runtime<SqliteStore>) {
    let expected = fold(&**runtime.store()).await;
    let rows = runtime.store().read_rows(|connection| {
        let mut rows = connection.prepare("SELECT counter, value, events FROM inline_tallies")?;
        let rows = rows.query_map([], |row| {
            Ok((row.get(0)?, (row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64)))
        })?;
        let count: i64 =
            connection.query_row("SELECT count(*) FROM inline_events", [], |row| row.get(0))?;
        Ok((rows.collect::<Result<BTreeMap<String, _>, _>>()?, count as u64))
    });
    let (rows, events) = rows.await.unwrap();
    assert_eq!(events, expected.values().map(|tally| tally.events).sum::<u64>());
    let expected: BTreeMap<_, _> =
        expected.into_iter().map(|(counter, it)| (counter, (it.value, it.events))).collect();
    assert_eq!(rows, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_documents_are_there_together_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tally.db");
    let runtime = with_rows(open(&file)).await;
    for round in 0..40 {
        runtime.execute(Raise { counter: round % 3, by: 20 }).await.unwrap();
        let _ = runtime.execute(Raise { counter: round % 3, by: CEILING }).await.unwrap_err();
        rows_are_the_fold(&runtime).await;
        assert_eq!(tallies(&runtime).await, fold(&**runtime.store()).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_is_applied_before_the_runtime_has_started() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tally.db");
    let plain = without(open(&file)).await;
    for round in 0..200 {
        plain.execute(Raise { counter: round % 7, by: 1 }).await.unwrap();
    }
    plain.shutdown().await;
    drop(plain);
    let runtime = with_rows(open(&file)).await;
    assert_eq!(tallies(&runtime).await, fold(&**runtime.store()).await);
    rows_are_the_fold(&runtime).await;
    what_is_answered_is_there(&runtime).await;
    runtime.shutdown().await;
    drop(runtime);
    // A program without it appends past it, and the next one with it notices.
    let plain = without(open(&file)).await;
    plain.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    plain.shutdown().await;
    drop(plain);
    let runtime = with_rows(open(&file)).await;
    assert_eq!(tallies(&runtime).await, fold(&**runtime.store()).await);
    rows_are_the_fold(&runtime).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_append_through_the_store_changes_it() {
    let store = Arc::new(MemoryStore::new());
    let with = over(Arc::clone(&store)).await;
    // Another runtime of the process, which does not know the projection, and one that also does.
    let others = [without(Arc::clone(&store)).await, over(Arc::clone(&store)).await];
    for round in 0..60 {
        let runtime = others.iter().chain([&with]).nth(round % 3).unwrap();
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
        assert_eq!(tallies(&with).await, fold(&*store).await);
    }
    let [plain, also] = others;
    let _ = plain.execute(Raise { counter: 1, by: CEILING }).await.unwrap_err();
    // One that goes leaves it to the other.
    also.shutdown().await;
    plain.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    assert_eq!(tallies(&with).await, fold(&*store).await);
    // After the last one has gone nobody keeps it, and nothing is refused.
    with.shutdown().await;
    plain.execute(Raise { counter: 2, by: CEILING + 1 }).await.unwrap();
}

async fn a_rebuild_leaves_no_gap<S: InlineStore>(runtime: &Runtime<S>, names: &[&str]) {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writers: Vec<_> = (0..4_u64)
        .map(|writer| {
            let (runtime, stopped) = (runtime.clone(), stopped.clone());
            tokio::spawn(async move {
                let mut version = 0;
                while !*stopped.borrow() {
                    let by = u64::from(version < CEILING);
                    let receipt = match by {
                        1 => runtime.execute(Raise { counter: writer, by }).await.unwrap(),
                        _ => return version,
                    };
                    version = receipt.version.get();
                    let documents = runtime.documents::<InlineTally>().unwrap();
                    let document = documents.get(writer).await.unwrap().unwrap();
                    assert_eq!(document.tally.version, version, "it is there with its event");
                    tokio::task::yield_now().await;
                }
                version
            })
        })
        .collect();
    for round in 0..5 {
        for name in names {
            let handle = runtime.projection_handle(name).unwrap();
            let rebuild = handle.rebuild().await.unwrap();
            tokio::time::timeout(Duration::from_secs(60), rebuild.finished())
                .await
                .unwrap_or_else(|_| panic!("round {round}: {:?}", handle.status()))
                .unwrap();
            handle.discard_others().await.unwrap();
        }
    }
    stop.send_replace(true);
    for writer in writers {
        assert!(writer.await.unwrap() > 0);
    }
    assert_eq!(tallies(runtime).await, fold(&**runtime.store()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_replaces_it_between_two_appends() {
    let runtime = over(Arc::new(MemoryStore::new())).await;
    a_rebuild_leaves_no_gap(&runtime, &["tally-inline"]).await;
    let directory = tempfile::tempdir().unwrap();
    let runtime = with_rows(open(&directory.path().join("tally.db"))).await;
    a_rebuild_leaves_no_gap(&runtime, &["tally-inline", "tally-rows-inline"]).await;
    rows_are_the_fold(&runtime).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_event_that_can_not_be_applied_parks_it_and_keeps_nobody_from_appending() {
    let store = Arc::new(MemoryStore::new());
    let plain = without(Arc::clone(&store)).await;
    plain.execute(Raise { counter: 1, by: CEILING + 1 }).await.unwrap();
    plain.execute(Raise { counter: 2, by: 1 }).await.unwrap();
    let runtime = over(Arc::clone(&store)).await;
    assert!(!is_inline(&runtime));
    let handle = runtime.projection_handle("tally-inline").unwrap();
    let letters = handle.dead_letters().await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].position, letters[0].key.as_deref()), (Position::new(1), Some("1")));
    // It is kept as any other projection meanwhile: what fails parks, and is not refused.
    let receipt = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    let patience = Duration::from_secs(30);
    let parked = runtime.wait_for::<InlineTally>(&receipt).within(patience).await.unwrap_err();
    assert!(matches!(parked, WaitError::Parked { .. }), "{parked}");
    let receipt = runtime.execute(Raise { counter: 2, by: 1 }).await.unwrap();
    runtime.wait_for::<InlineTally>(&receipt).within(patience).await.unwrap();
    // Skipped, the versions of the other events do not fit: those are skipped too.
    for _ in 0..2 {
        let letters = handle.dead_letters().await.unwrap();
        let Some(letter) = letters.first() else { break };
        handle.skip(letter.position, "it came before the rule", "ada").await.unwrap();
        let mut status = handle.status();
        while status.state != ProjectionState::Inline
            && status.dead_letters.iter().all(|it| it.position == letter.position)
        {
            tokio::task::yield_now().await;
            status = handle.status();
        }
    }
    assert!(is_inline(&runtime));
    let refused = runtime.execute(Raise { counter: 2, by: CEILING }).await.unwrap_err();
    assert_eq!(refused.category(), ErrorCategory::Rejected);
}

#[tokio::test]
async fn a_store_that_can_not_is_refused_at_the_start() {
    let registry = Registry::builder().projection::<InlineTally>().build().unwrap();
    let builder = Runtime::builder(ListStore::default()).registry(registry);
    let refused = builder.start().await.err().unwrap();
    assert!(matches!(refused, StartError::NotInline { name: "tally-inline" }), "{refused}");
}

#[derive(Debug, Clone)]
enum Step {
    Raise(u64, u64),
    Lower(u64),
    Restart,
    Rebuild,
    /// Some events by a program that does not have the projection.
    Elsewhere(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        // Some of them are refused.
        8 => (0..4_u64, 1..400_u64).prop_map(|(counter, by)| Step::Raise(counter, by)),
        4 => (0..4_u64).prop_map(Step::Lower),
        1 => Just(Step::Restart),
        1 => Just(Step::Rebuild),
        1 => (1..4_u64).prop_map(Step::Elsewhere),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Inline = incremental = rebuilt = a plain fold, at every step.
    #[test]
    fn it_holds_the_fold_of_exactly_what_is_stored_at_every_moment(steps in steps()) {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2).enable_time().build().unwrap();
        tokio.block_on(async {
            let store = Arc::new(MemoryStore::new());
            let mut runtime = over(Arc::clone(&store)).await;
            for step in steps {
                match step {
                    Step::Raise(counter, by) => {
                        let _ = runtime.execute(Raise { counter, by }).await;
                    }
                    Step::Lower(counter) => {
                        let _ = runtime.execute(LowerByOnes { counter, by: 3 }).await;
                    }
                    Step::Restart => {
                        runtime.shutdown().await;
                        runtime = over(Arc::clone(&store)).await;
                    }
                    Step::Rebuild => {
                        let handle = runtime.projection_handle("tally-inline").unwrap();
                        handle.rebuild().await.unwrap().finished().await.unwrap();
                    }
                    Step::Elsewhere(events) => {
                        runtime.shutdown().await;
                        let plain = without(Arc::clone(&store)).await;
                        for _ in 0..events {
                            plain.execute(Raise { counter: 9, by: 1 }).await.unwrap();
                        }
                        runtime = over(Arc::clone(&store)).await;
                    }
                }
                assert_eq!(tallies(&runtime).await, fold(&*store).await);
            }
            runtime.wait_until_current::<Tally>().await.unwrap();
            let incremental = runtime.documents::<Tally>().unwrap().all().await.unwrap();
            assert_eq!(tallies(&runtime).await, incremental.into_iter().collect());
        });
    }
}
