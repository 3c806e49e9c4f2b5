//! Partitions by law: partitioned = sequential = rebuilt = resumed anywhere, each key in order; what
//! fails stops its own partition; processes share the work and lose none of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use es_core::bytes::Bytes;
use es_core::prelude::*;
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Position, ProjectionState,
    ProjectionStatus, Query, QueryRange, Registry, Runtime, SchemaVersion, StreamId, Tags,
    WaitError,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::{Durability, SqliteStore};
use es_tests::counter::{Counter, CounterEvent, LowerByOnes, Raise};
use es_tests::partitioned::{PartedRows, PartedTally, StepRows, Steps};
use es_tests::paused::{PausedStore, Trouble};
use es_tests::tally::Tally;
use proptest::prelude::*;

const LEASE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(60);

async fn over<S: EventStore>(store: &Arc<S>) -> Runtime<S> {
    let registry = Registry::builder().aggregate::<Counter>();
    let registry = registry.projection::<Tally>().projection::<PartedTally>();
    let registry = registry.projection::<Steps>().build().unwrap();
    let builder = Runtime::builder_shared(Arc::clone(store)).registry(registry);
    builder.projection_lease(LEASE).start().await.unwrap()
}

/// What the partitioned read models must be: a plain fold over the log.
async fn steps_by_hand<S: EventStore>(store: &S) -> BTreeMap<String, Steps> {
    let mut steps = BTreeMap::<String, Steps>::new();
    let mut range = QueryRange::all();
    loop {
        let page = store.read(&Query::all(), range).await.unwrap();
        for recorded in page.events.iter() {
            let by = match CounterEvent::decode(&recorded).unwrap().one().unwrap() {
                CounterEvent::Raised(raised) => raised.by,
                CounterEvent::Lowered(lowered) => lowered.by,
            };
            let keys = [format!("counter-{}", recorded.stream.id()), format!("step-{}", by % 5)];
            for key in keys {
                steps.entry(key).or_default().note(&recorded).unwrap();
            }
        }
        if !page.more {
            return steps;
        }
        range = QueryRange::after(page.token(&range));
    }
}

/// Waits until all are current, and compares the partitioned with the sequential.
async fn check<S: EventStore>(runtime: &Runtime<S>) {
    runtime.wait_until_current::<Tally>().within(PATIENCE).await.unwrap();
    runtime.wait_until_current::<PartedTally>().within(PATIENCE).await.unwrap();
    runtime.wait_until_current::<Steps>().within(PATIENCE).await.unwrap();
    let sequential = runtime.documents::<Tally>().unwrap().all().await.unwrap();
    let parted = runtime.documents::<PartedTally>().unwrap().all().await.unwrap();
    let parted: Vec<_> = parted.into_iter().map(|(key, it)| (key, it.tally)).collect();
    assert_eq!(parted, sequential);
    let steps = runtime.documents::<Steps>().unwrap().all().await.unwrap();
    assert_eq!(
        steps.into_iter().collect::<BTreeMap<_, _>>(),
        steps_by_hand(&**runtime.store()).await
    );
}

#[derive(Debug, Clone)]
enum Step {
    Raise(u64, u64),
    Lower(u64),
    /// One of the processes is stopped, and another one starts.
    Restart(usize),
    /// Another process joins, or the last one leaves.
    JoinOrLeave,
    Rebuild,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..9_u64, 1..9_u64).prop_map(|(counter, by)| Step::Raise(counter, by)),
        6 => (0..9_u64).prop_map(Step::Lower),
        1 => (0..2_usize).prop_map(Step::Restart),
        1 => Just(Step::JoinOrLeave),
        1 => Just(Step::Rebuild),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn partitions_hold_what_one_worker_would_however_they_were_shared_interrupted_or_rebuilt(
        steps in steps()
    ) {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2).enable_time().build().unwrap();
        tokio.block_on(async {
            let store = Arc::new(MemoryStore::new());
            let mut processes = vec![over(&store).await];
            for step in steps {
                let last = processes.len() - 1;
                match step {
                    Step::Raise(counter, by) => {
                        let receipt =
                            processes[last].execute(Raise { counter, by }).await.unwrap();
                        if by == 8 {
                            for process in &processes {
                                let wait = process.wait_for::<PartedTally>(&receipt);
                                wait.within(PATIENCE).await.unwrap();
                            }
                        }
                    }
                    Step::Lower(counter) => {
                        let _ = processes[0].execute(LowerByOnes { counter, by: 1 }).await;
                    }
                    Step::Restart(which) => {
                        let which = which.min(last);
                        processes[which].shutdown().await;
                        processes[which] = over(&store).await;
                    }
                    Step::JoinOrLeave if last == 0 => processes.push(over(&store).await),
                    Step::JoinOrLeave => processes.pop().unwrap().shutdown().await,
                    Step::Rebuild => {
                        for name in ["parted-tally", "steps"] {
                            let handle = processes[last].projection_handle(name).unwrap();
                            let rebuild = handle.rebuild().await.unwrap();
                            tokio::time::timeout(PATIENCE, rebuild.finished()).await.unwrap().unwrap();
                        }
                    }
                }
            }
            for process in &processes {
                check(process).await;
            }
            for process in &processes {
                process.shutdown().await;
            }
        });
    }
}

/// How many histories: more by `ES_CASES`.
fn cases() -> u32 {
    std::env::var("ES_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(16)
}

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

/// Rows in three partitions that park at what is not to be counted.
#[derive(Projection, Default, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[projection(
    name = "fussy",
    events(es_tests::counter::Raised),
    documents(key = third),
    partitions = 3,
    register = false
)]
struct Fussy {
    sum: u64,
}

impl Project<es_tests::counter::Raised> for Fussy {
    fn project(
        &mut self,
        event: &es_tests::counter::Raised,
        _: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        if event.by == 13 {
            return Err(ProjectError::new("thirteen"));
        }
        self.sum += event.by;
        Ok(())
    }
}

fn third(_: &FussyEvent, recorded: &Recorded<'_>) -> [String; 1] {
    [recorded.stream.id().to_owned()]
}

#[tokio::test]
async fn what_fails_stops_its_key_and_what_can_not_be_told_stops_every_partition() {
    let store = Arc::new(MemoryStore::new());
    let registry = Registry::builder().aggregate::<Counter>().projection::<Fussy>();
    let builder = Runtime::builder_shared(Arc::clone(&store)).registry(registry.build().unwrap());
    let runtime = builder.projection_lease(LEASE).start().await.unwrap();
    let mut receipts = Vec::new();
    for counter in 0..20 {
        let by = if counter == 4 { 13 } else { 1 };
        receipts.push(runtime.execute(Raise { counter, by }).await.unwrap());
    }
    for (counter, receipt) in receipts.iter().enumerate() {
        let waited = runtime.wait_for::<Fussy>(receipt).within(PATIENCE).await;
        match (counter, waited) {
            (4, Err(WaitError::Parked { key, .. })) => assert_eq!(key.as_deref(), Some("4")),
            (4, other) => panic!("{other:?}"),
            (_, waited) => waited.unwrap(),
        }
    }
    let letters = runtime.projection_handle("fussy").unwrap().dead_letters().await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].position, letters[0].key.as_deref()), (Position::new(5), Some("4")));
    assert!(letters[0].partition.is_some());

    // Of an event that can not be read nobody knows the key: none may pass it by.
    record(&store, 7, "counter.raised", "{\"by\":\"many\"}").await;
    let late = runtime.execute(Raise { counter: 1, by: 1 }).await;
    let late = late.unwrap();
    let stopped = runtime.wait_for::<Fussy>(&late).within(PATIENCE).await.unwrap_err();
    assert!(matches!(stopped, WaitError::Parked { key: None, .. }), "{stopped}");
    let handle = runtime.projection_handle("fussy").unwrap();
    let stopped = |status: &ProjectionStatus| {
        status.dead_letters.iter().filter(|letter| letter.key.is_none()).count() == 3
    };
    handle.until(PATIENCE, stopped).await.unwrap();
    handle.skip(Position::new(21), "nobody knows how many", "ada").await.unwrap();
    handle.until(PATIENCE, |status| status.dead_letters.len() == 1).await.unwrap();
    runtime.wait_for::<Fussy>(&late).within(PATIENCE).await.unwrap();
    let documents = runtime.documents::<Fussy>().unwrap();
    assert_eq!(documents.get(1).await.unwrap(), Some(Fussy { sum: 2 }));
    handle.skip(Position::new(5), "an unlucky number", "ada").await.unwrap();
    handle.until(PATIENCE, |status| status.dead_letters.is_empty()).await.unwrap();
    runtime.wait_until_current::<Fussy>().within(PATIENCE).await.unwrap();
    assert_eq!(documents.all().await.unwrap().len(), 19);
}

/// The partitions that a process works on.
fn held(status: &ProjectionStatus) -> BTreeSet<u32> {
    let works = |state: &ProjectionState| {
        matches!(state, ProjectionState::Live | ProjectionState::CatchingUp)
    };
    let partitions = status.partitions.iter();
    partitions.filter(|it| works(&it.state)).map(|it| it.partition).collect()
}

/// Waits until a process works on so many partitions.
async fn holds<S: EventStore>(runtime: &Runtime<S>, name: &str, count: usize) {
    let handle = runtime.projection_handle(name).unwrap();
    handle.until(PATIENCE, |status| held(status).len() == count).await.unwrap();
}

/// Waits until two processes work on two partitions each, and not on the same ones.
async fn shared<S: EventStore, T: EventStore>(first: &Runtime<S>, second: &Runtime<T>) {
    let handle = first.projection_handle("steps").unwrap();
    loop {
        holds(first, "steps", 2).await;
        holds(second, "steps", 2).await;
        let others = held(&second.projection_handle("steps").unwrap().status());
        // The first one may have changed its mind meanwhile.
        let others_and_own = |status: &ProjectionStatus| {
            (held(status).len(), others.len()) == (2, 2) && held(status).is_disjoint(&others)
        };
        if others_and_own(&handle.status()) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_the_partitions_and_take_over_those_of_one_that_is_stopped() {
    let store = Arc::new(MemoryStore::new());
    let processes = [0, 1].map(|_| Arc::new(PausedStore::new(Arc::clone(&store))));
    let first = over(&processes[0]).await;
    holds(&first, "steps", 4).await;
    let second = over(&processes[1]).await;
    shared(&first, &second).await;
    for round in 0..200 {
        let process = if round % 2 == 0 { &first } else { &second };
        let receipt = process.execute(Raise { counter: round % 9, by: round }).await.unwrap();
        if round % 10 == 0 {
            // Whoever works on it, both see it.
            first.wait_for::<Steps>(&receipt).within(PATIENCE).await.unwrap();
            second.wait_for::<Steps>(&receipt).within(PATIENCE).await.unwrap();
        }
    }
    check(&first).await;

    // It is stopped with commits on their way, and wakes up when all is taken over.
    processes[0].pause();
    for round in 0..50 {
        second.execute(Raise { counter: round % 9, by: round }).await.unwrap();
    }
    holds(&second, "steps", 4).await;
    check(&second).await;
    processes[0].wake();
    processes[0].has_been_refused().await;
    shared(&first, &second).await;
    for round in 0..50 {
        first.execute(Raise { counter: round % 9, by: round }).await.unwrap();
    }
    check(&first).await;
    check(&second).await;

    // One that leaves says so: nobody waits for its time.
    first.shutdown().await;
    holds(&second, "steps", 4).await;
    check(&second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_of_all_partitions_is_swapped_and_rolled_back_as_one_while_events_come() {
    let store = Arc::new(MemoryStore::new());
    let (first, second) = (over(&store).await, over(&store).await);
    let writing = {
        let first = first.clone();
        tokio::spawn(async move {
            for round in 0..2_000 {
                first.execute(Raise { counter: round % 9, by: round % 11 + 1 }).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    };
    let handle = second.projection_handle("steps").unwrap();
    for _ in 0..3 {
        handle.rebuild().await.unwrap().finished().await.unwrap();
    }
    handle.rebuild_and_hold().await.unwrap().finished().await.unwrap();
    writing.await.unwrap();
    first.wait_until_current::<Steps>().within(PATIENCE).await.unwrap();
    handle.swap().await.unwrap().finished().await.unwrap();
    assert_eq!(handle.status().generation, Some(5));
    check(&first).await;
    check(&second).await;
    handle.roll_back().await.unwrap().finished().await.unwrap();
    assert_eq!(handle.status().generation, Some(4));
    check(&second).await;
    handle.discard_others().await.unwrap();
    check(&second).await;
    first.shutdown().await;
    second.shutdown().await;
}

async fn on_sqlite(file: &Path) -> Runtime<SqliteStore> {
    let store = SqliteStore::builder(file).durability(Durability::Process).open().unwrap();
    let registry = Registry::builder().aggregate::<Counter>();
    let registry = registry.projection::<PartedRows>().projection::<StepRows>();
    let builder = Runtime::builder(store).registry(registry.build().unwrap());
    builder.projection_lease(LEASE).start().await.unwrap()
}

type Rows = BTreeMap<String, (i64, i64, i64)>;

async fn rows(runtime: &Runtime<SqliteStore>, table: &'static str) -> Rows {
    let read = runtime.store().read_rows(move |connection| {
        let sql = format!("SELECT key, events, last, sum FROM {table}");
        let mut select = connection.prepare(&sql)?;
        let rows = select
            .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?))))?;
        rows.collect()
    });
    read.await.unwrap()
}

async fn rows_by_hand(store: &SqliteStore) -> (Rows, Rows) {
    let (mut by_counter, mut by_step) = (Rows::new(), Rows::new());
    let page = store.read(&Query::all(), QueryRange::all()).await.unwrap();
    assert!(!page.more);
    for recorded in page.events.iter() {
        let by = match CounterEvent::decode(&recorded).unwrap().one().unwrap() {
            CounterEvent::Raised(raised) => raised.by,
            CounterEvent::Lowered(lowered) => lowered.by,
        };
        let count = |(events, last, sum): &mut (i64, i64, i64)| {
            (*events, *last, *sum) =
                (*events + 1, recorded.position.get() as i64, *sum + by as i64);
        };
        count(by_counter.entry(recorded.stream.id().to_owned()).or_default());
        count(by_step.entry((by % 7).to_string()).or_default());
    }
    (by_counter, by_step)
}

async fn check_rows(runtime: &Runtime<SqliteStore>) {
    runtime.wait_until_current::<PartedRows>().within(PATIENCE).await.unwrap();
    runtime.wait_until_current::<StepRows>().within(PATIENCE).await.unwrap();
    let (by_counter, by_step) = rows_by_hand(runtime.store()).await;
    assert_eq!(rows(runtime, "parted").await, by_counter);
    assert_eq!(rows(runtime, "steps").await, by_step);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_by_stream_and_by_a_declared_key_are_those_of_a_fold_also_resumed_and_rebuilt() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("parted.db");
    for round in 0..5_u64 {
        let runtime = on_sqlite(&file).await;
        for step in 0..60 {
            let (counter, by) = (step % 11, round + step % 13 + 1);
            let receipt = runtime.execute(Raise { counter, by }).await.unwrap();
            if step % 20 == 0 {
                runtime.wait_for::<StepRows>(&receipt).within(PATIENCE).await.unwrap();
            }
        }
        // Every second time it is stopped with events that nobody has projected.
        if round % 2 == 0 {
            check_rows(&runtime).await;
        }
        runtime.shutdown().await;
    }
    let runtime = on_sqlite(&file).await;
    check_rows(&runtime).await;
    for name in ["parted-rows", "step-rows"] {
        let handle = runtime.projection_handle(name).unwrap();
        handle.rebuild_and_hold().await.unwrap().finished().await.unwrap();
        assert!(handle.differences(10).await.unwrap().is_empty());
        handle.swap().await.unwrap().finished().await.unwrap();
        handle.discard_others().await.unwrap();
    }
    check_rows(&runtime).await;
    runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_has_failed_for_good_is_brought_back_by_whoever_resumes_it() {
    let memory = Arc::new(MemoryStore::new());
    let store = Arc::new(PausedStore::new(Arc::clone(&memory)));
    // Another process, which works no more.
    let elsewhere = over(&memory).await;
    elsewhere.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    check(&elsewhere).await;
    elsewhere.shutdown().await;
    let other = elsewhere.projection_handle("steps").unwrap();
    let failed = |status: &ProjectionStatus| {
        let failed = |state: &ProjectionState| matches!(state, ProjectionState::Failed { reason } if !reason.may_pass());
        status.partitions.iter().filter(|it| failed(&it.state)).count() == 1
    };
    for from_elsewhere in [false, true] {
        // Its checkpoint is not what anybody writes there.
        store.set_trouble(Some(Trouble::Unreadable("checkpoint/steps/1/0")));
        let runtime = over(&store).await;
        let handle = runtime.projection_handle("steps").unwrap();
        handle.until(PATIENCE, failed).await.unwrap();
        for round in 0..40 {
            runtime.execute(Raise { counter: round % 9, by: round % 11 + 1 }).await.unwrap();
        }
        // The others go on.
        let head = store.head().await.unwrap();
        let others =
            |status: &ProjectionStatus| status.partitions[1..].iter().all(|it| it.position == head);
        handle.until(PATIENCE, others).await.unwrap();
        assert!(failed(&handle.status()));
        store.set_trouble(None);
        if from_elsewhere {
            other.resume().await.unwrap()
        } else {
            handle.resume().await.unwrap()
        }
        handle.until(PATIENCE, |status| !failed(status)).await.unwrap();
        check(&runtime).await;
        runtime.shutdown().await;
    }
}
