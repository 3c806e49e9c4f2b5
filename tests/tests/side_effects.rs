//! Side effects: at least once for every event that comes, in order, and never for a replay.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use es_core::prelude::*;
use es_core::{
    EventStore, HandleError, Occasion, Position, ProjectionHome, ProjectionState, React, Registry,
    Runtime, StartError, WaitError,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::SqliteStore;
use es_tests::counter::{Counter, LowerByOnes, Lowered, Raise, Raised};
use es_tests::faulty::FaultyStore;
use es_tests::paused::{PausedStore, Trouble};

const PATIENCE: Duration = Duration::from_secs(60);

/// What a receiver outside got.
#[derive(Clone, Debug, PartialEq)]
struct Notice {
    position: u64,
    key: String,
    attempt: u32,
    may_be_repeated: bool,
}

/// What the world answers, by the number in the event.
type Answer = fn(u64) -> Result<(), ProjectError>;

/// The world outside, and what it does with notices.
#[derive(Clone, Default)]
struct Outside {
    notices: Arc<Mutex<Vec<Notice>>>,
    trouble: Arc<Mutex<Option<Answer>>>,
    takes: Duration,
}

impl Outside {
    fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }

    fn positions(&self) -> Vec<u64> {
        self.notices().into_iter().map(|notice| notice.position).collect()
    }

    fn set_trouble(&self, trouble: Option<Answer>) {
        *self.trouble.lock().unwrap() = trouble;
    }
}

#[derive(Projection)]
#[projection(name = "notices", events(Raised, Lowered), effects, register = false)]
struct Notices(Outside);

impl Notices {
    async fn tell(&self, by: u64, occasion: &Occasion<'_>) -> Result<(), ProjectError> {
        tokio::time::sleep(self.0.takes).await;
        self.0.notices.lock().unwrap().push(Notice {
            position: occasion.recorded.position.get(),
            key: occasion.key(),
            attempt: occasion.attempt,
            may_be_repeated: occasion.may_be_repeated,
        });
        let trouble = *self.0.trouble.lock().unwrap();
        trouble.map_or(Ok(()), |trouble| trouble(by))
    }
}

impl React<Raised> for Notices {
    async fn react(&self, event: &Raised, occasion: &Occasion<'_>) -> Result<(), ProjectError> {
        self.tell(event.by, occasion).await
    }
}

impl React<Lowered> for Notices {
    async fn react(&self, event: &Lowered, occasion: &Occasion<'_>) -> Result<(), ProjectError> {
        self.tell(event.by, occasion).await
    }
}

async fn with<S: EventStore>(store: &Arc<S>, outside: &Outside) -> Runtime<S> {
    let outside = outside.clone();
    let registry = Registry::builder().aggregate::<Counter>();
    let registry = registry.effects_with(move || Notices(outside.clone())).build().unwrap();
    let builder = Runtime::builder_shared(Arc::clone(store)).registry(registry);
    builder.projection_lease(Duration::from_millis(300)).start().await.unwrap()
}

async fn without<S: EventStore>(store: &Arc<S>) -> Runtime<S> {
    let registry = Registry::builder().aggregate::<Counter>().build().unwrap();
    Runtime::builder_shared(Arc::clone(store)).registry(registry).start().await.unwrap()
}

async fn raise<S: EventStore>(runtime: &Runtime<S>, times: u64) {
    for _ in 0..times {
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    }
}

async fn done<S: EventStore>(runtime: &Runtime<S>) {
    runtime.wait_until_current::<Notices>().within(PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_for_what_comes_after_its_first_start_once_and_in_order() {
    let store = Arc::new(MemoryStore::new());
    raise(&without(&store).await, 5).await;
    let outside = Outside::default();
    let runtime = with(&store, &outside).await;
    raise(&runtime, 3).await;
    runtime.execute(LowerByOnes { counter: 1, by: 2 }).await.unwrap();
    done(&runtime).await;
    assert_eq!(outside.positions(), [6, 7, 8, 9, 10]);
    let keys: BTreeSet<_> = outside.notices().into_iter().map(|notice| notice.key).collect();
    assert_eq!(keys.len(), 5);
    let status = runtime.projection_handle("notices").unwrap().status();
    assert_eq!((status.home, status.lag()), (ProjectionHome::Effects, 0));
    // What happens while nobody runs it is done when somebody does.
    runtime.shutdown().await;
    raise(&without(&store).await, 2).await;
    let runtime = with(&store, &outside).await;
    done(&runtime).await;
    assert_eq!(outside.positions(), [6, 7, 8, 9, 10, 11, 12]);
    // Of the first after a start nobody can know; of those after it everybody does.
    let may: Vec<_> = outside.notices()[5..].iter().map(|notice| notice.may_be_repeated).collect();
    assert_eq!(may, [true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_never_done_again_by_a_rebuild() {
    let store = Arc::new(MemoryStore::new());
    let outside = Outside::default();
    let runtime = with(&store, &outside).await;
    raise(&runtime, 3).await;
    done(&runtime).await;
    let handle = runtime.projection_handle("notices").unwrap();
    let refused = handle.rebuild().await.err().unwrap();
    assert!(matches!(refused, HandleError::NothingHeld { name: "notices" }), "{refused}");
    assert!(handle.roll_back().await.is_err());
    assert_eq!(outside.positions(), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_done_and_not_noted_is_done_again_under_the_same_key() {
    let store = Arc::new(PausedStore::new(Arc::new(MemoryStore::new())));
    let outside = Outside::default();
    let runtime = with(&store, &outside).await;
    raise(&runtime, 2).await;
    done(&runtime).await;
    store.set_trouble(Some(Trouble::Commits("checkpoint/notices")));
    raise(&runtime, 2).await;
    let handle = runtime.projection_handle("notices").unwrap();
    while !matches!(handle.status().state, ProjectionState::Failed { .. }) {
        tokio::task::yield_now().await;
    }
    // One at a time: nothing behind it was begun.
    assert_eq!(outside.positions(), [1, 2, 3]);
    store.set_trouble(None);
    handle.resume().await.unwrap();
    while matches!(handle.status().state, ProjectionState::Failed { .. }) {
        tokio::task::yield_now().await;
    }
    done(&runtime).await;
    assert_eq!(outside.positions(), [1, 2, 3, 3, 4]);
    let notices = outside.notices();
    assert_eq!(notices[2].key, notices[3].key);
    assert!(notices[3].may_be_repeated && !notices[4].may_be_repeated);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_is_tried_again_if_that_may_help_and_parks_if_not() {
    let store = Arc::new(MemoryStore::new());
    let outside = Outside::default();
    let runtime = with(&store, &outside).await;
    outside.set_trouble(Some(|by| match by {
        7 => Err(ProjectError::transient("the line is busy")),
        _ => Ok(()),
    }));
    raise(&runtime, 1).await;
    let receipt = runtime.execute(Raise { counter: 1, by: 7 }).await.unwrap();
    raise(&runtime, 1).await;
    let parked = runtime.wait_for::<Notices>(&receipt).within(PATIENCE).await.unwrap_err();
    assert!(matches!(parked, WaitError::Parked { .. }), "{parked}");
    let handle = runtime.projection_handle("notices").unwrap();
    let letters = handle.dead_letters().await.unwrap();
    assert_eq!(
        (letters.len(), letters[0].position, letters[0].attempts),
        (1, Position::new(2), 10)
    );
    let attempts: Vec<_> = outside.notices()[1..].iter().map(|notice| notice.attempt).collect();
    assert_eq!(attempts, (1..=10).collect::<Vec<_>>());
    assert!(outside.notices()[2..].iter().all(|notice| notice.may_be_repeated));
    outside.set_trouble(None);
    handle.resume().await.unwrap();
    while handle.status().position < Position::new(3) {
        tokio::task::yield_now().await;
    }
    assert_eq!(outside.positions()[11..], [2, 3]);
    // A panic is a failure that does not pass.
    outside.set_trouble(Some(|_| panic!("no such address")));
    let receipt = runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    let parked = runtime.wait_for::<Notices>(&receipt).within(PATIENCE).await.unwrap_err();
    assert!(parked.to_string().contains(": no such address; "), "{parked}");
    outside.set_trouble(None);
    handle.skip(Position::new(4), "told by telephone", "ada").await.unwrap();
    while handle.status().position < Position::new(4) {
        tokio::task::yield_now().await;
    }
    let skipped = runtime.wait_for::<Notices>(&receipt).await.unwrap_err();
    assert!(matches!(skipped, WaitError::Skipped { .. }), "{skipped}");
    raise(&runtime, 1).await;
    done(&runtime).await;
    assert_eq!(outside.positions()[13..], [4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_one_does_it_however_long_it_takes() {
    let store = Arc::new(MemoryStore::new());
    // Longer than the lease, which is kept meanwhile.
    let outside = Outside { takes: Duration::from_millis(450), ..Outside::default() };
    let processes = [
        with(&Arc::new(PausedStore::new(Arc::clone(&store))), &outside).await,
        with(&Arc::new(PausedStore::new(Arc::clone(&store))), &outside).await,
    ];
    raise(&processes[0], 3).await;
    for process in &processes {
        done(process).await;
    }
    assert_eq!(outside.positions(), [1, 2, 3]);
    // A graceful stop ends what was begun, and the other goes on behind it.
    raise(&processes[0], 2).await;
    while outside.positions().len() < 4 {
        tokio::task::yield_now().await;
    }
    let [one, other] = processes;
    one.shutdown().await;
    done(&other).await;
    assert_eq!(outside.positions(), [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_cursor_is_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("notices.db");
    let outside = Outside::default();
    for round in 0..4 {
        let store = Arc::new(SqliteStore::open(&file).unwrap());
        let runtime = with(&store, &outside).await;
        raise(&runtime, 3).await;
        done(&runtime).await;
        runtime.shutdown().await;
        assert_eq!(outside.positions().len(), 3 * (round + 1));
    }
    assert_eq!(outside.positions(), (1..=12).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_store_that_can_not_keep_the_cursor_is_refused_at_the_start() {
    let registry = Registry::builder().effects_with(|| Notices(Outside::default()));
    let builder = Runtime::builder(FaultyStore::new(Arc::new(MemoryStore::new())))
        .registry(registry.build().unwrap());
    let refused = builder.start().await.err().unwrap();
    assert!(matches!(refused, StartError::NoHome { name: "notices", .. }), "{refused}");
}
