//! Side effects in partitions by law: partitioned = sequential for each key; several processes share
//! them, what fails stops its own partition, another number of partitions goes on where the former was.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use es_core::{
    EventStore, HandleError, Position, ProjectError, ProjectionFailure, ProjectionState, Runtime,
    WaitError,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::{Durability, SqliteStore};
use es_tests::counter::Raise;
use es_tests::mail::{MailInFive, Outside, Parted};
use es_tests::paused::PausedStore;
use proptest::prelude::*;

const LEASE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(60);

/// What a receiver outside got: the counter, the step, the version and whether it may be repeated.
#[derive(Clone, Debug, PartialEq)]
struct Notice {
    counter: String,
    by: u64,
    version: u64,
    position: u64,
    may_be_repeated: bool,
}

/// A receiver that writes down what it gets.
#[derive(Clone, Default)]
struct Receiver {
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Receiver {
    /// It refuses a step that it does not like.
    fn outside(&self, unwanted: &Arc<Mutex<Option<u64>>>) -> Outside {
        let (notices, unwanted) = (Arc::clone(&self.notices), Arc::clone(unwanted));
        Arc::new(move |by, occasion| {
            if *unwanted.lock().unwrap() == Some(by) {
                return Err(ProjectError::new("no such address"));
            }
            let recorded = &occasion.recorded;
            notices.lock().unwrap().push(Notice {
                counter: recorded.stream.id().to_owned(),
                by,
                version: recorded.version.get(),
                position: recorded.position.get(),
                may_be_repeated: occasion.may_be_repeated,
            });
            Ok(())
        })
    }

    fn glad(&self) -> Outside {
        self.outside(&Arc::default())
    }

    fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }
}

/// Every version of every counter comes at least once and in order; again at most the last one, and
/// then it says so.
fn check<'a>(
    notices: impl IntoIterator<Item = (&'a str, u64, bool)>,
) -> (usize, BTreeMap<&'a str, u64>) {
    let (mut last, mut repeated) = (BTreeMap::new(), 0);
    for (counter, version, may_be_repeated) in notices {
        let before = last.insert(counter, version).unwrap_or_default();
        if version == before {
            assert!(may_be_repeated, "counter {counter} at version {version}");
            repeated += 1;
        } else {
            assert_eq!(version, before + 1, "counter {counter}");
        }
    }
    (repeated, last)
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Raise(u64, u64),
    /// All are stopped, and others start, with another number of partitions.
    Change(Parted),
    /// One of the processes is stopped, and another one starts.
    Restart,
    JoinOrLeave,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let parted = prop_oneof![Just(Parted::In1), Just(Parted::In2), Just(Parted::In5)];
    let step = prop_oneof![
        16 => (0..9_u64, 1..9_u64).prop_map(|(counter, by)| Step::Raise(counter, by)),
        1 => parted.prop_map(Step::Change),
        1 => Just(Step::Restart),
        1 => Just(Step::JoinOrLeave),
    ];
    prop::collection::vec(step, 1..80)
}

/// How many histories: more by `ES_CASES`.
fn cases() -> u32 {
    std::env::var("ES_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn each_event_is_told_once_and_in_the_order_of_its_key_however_it_is_shared_and_parted(
        steps in steps()
    ) {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2).enable_time().build().unwrap();
        tokio.block_on(async {
            let store = Arc::new(MemoryStore::new());
            let receiver = Receiver::default();
            let outside = receiver.glad();
            let mut parted = Parted::In5;
            let mut processes = vec![parted.start(&store, &outside, LEASE).await.unwrap()];
            let mut events = 0;
            for step in steps {
                match step {
                    Step::Raise(counter, by) => {
                        processes[0].execute(Raise { counter, by }).await.unwrap();
                        events += 1;
                    }
                    Step::Change(other) => {
                        for process in processes.drain(..) {
                            process.shutdown().await;
                        }
                        parted = other;
                        processes.push(parted.start(&store, &outside, LEASE).await.unwrap());
                    }
                    Step::Restart => {
                        processes.pop().unwrap().shutdown().await;
                        processes.push(parted.start(&store, &outside, LEASE).await.unwrap());
                    }
                    Step::JoinOrLeave if processes.len() == 1 => {
                        processes.push(parted.start(&store, &outside, LEASE).await.unwrap());
                    }
                    Step::JoinOrLeave => processes.pop().unwrap().shutdown().await,
                }
            }
            parted.done(&processes[0], PATIENCE).await.unwrap();
            for process in processes {
                process.shutdown().await;
            }
            let notices = receiver.notices();
            let told = notices.iter().map(|it| (&*it.counter, it.version, it.may_be_repeated));
            // Whoever stops in an orderly way leaves nothing that is not noted.
            assert_eq!(check(told).0, 0);
            assert_eq!(notices.len(), events);
        });
    }
}

async fn raise<S: EventStore>(runtime: &Runtime<S>, counters: u64, times: u64) {
    for round in 0..times {
        for counter in 0..counters {
            runtime.execute(Raise { counter, by: round % 6 + 1 }).await.unwrap();
        }
    }
}

/// The partitions that a process works on.
fn held(status: &es_core::ProjectionStatus) -> BTreeSet<u32> {
    let works = |state: &ProjectionState| {
        matches!(state, ProjectionState::Live | ProjectionState::CatchingUp)
    };
    let partitions = status.partitions.iter();
    partitions.filter(|it| works(&it.state)).map(|it| it.partition).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_them_and_after_a_takeover_only_the_first_may_be_repeated() {
    let store = Arc::new(MemoryStore::new());
    let stores = [0, 1].map(|_| Arc::new(PausedStore::new(Arc::clone(&store))));
    let receiver = Receiver::default();
    let outside = receiver.glad();
    let first = Parted::In5.start(&stores[0], &outside, LEASE).await.unwrap();
    let second = Parted::In5.start(&stores[1], &outside, LEASE).await.unwrap();
    let handles =
        [first.projection_handle("mail").unwrap(), second.projection_handle("mail").unwrap()];
    for (handle, share) in handles.iter().zip([2..=3, 2..=3]) {
        handle.until(PATIENCE, |status| share.contains(&held(status).len())).await.unwrap();
    }
    raise(&second, 12, 5).await;
    Parted::In5.done(&second, PATIENCE).await.unwrap();
    assert_eq!(receiver.notices().len(), 60);

    // It is stopped behind what it has done and before that is noted, and another one takes over.
    stores[0].pause();
    raise(&second, 12, 5).await;
    handles[1].until(PATIENCE, |status| held(status).len() == 5).await.unwrap();
    Parted::In5.done(&second, PATIENCE).await.unwrap();
    let notices = receiver.notices();
    let told = notices.iter().map(|it| (&*it.counter, it.version, it.may_be_repeated));
    let (repeated, last) = check(told);
    assert!(repeated <= 3, "one for each partition that it had: {repeated}");
    assert_eq!(last.values().sum::<u64>(), 120);
    assert_eq!(notices.len(), 120 + repeated);
    stores[0].wake();
    second.shutdown().await;
    raise(&first, 12, 1).await;
    Parted::In5.done(&first, PATIENCE).await.unwrap();
    first.shutdown().await;
    let notices = receiver.notices();
    let (_, last) = check(notices.iter().map(|it| (&*it.counter, it.version, it.may_be_repeated)));
    assert_eq!(last.values().sum::<u64>(), 132);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_stops_its_own_partition_and_a_declared_key_decides_which() {
    let store = Arc::new(MemoryStore::new());
    let (receiver, unwanted) = (Receiver::default(), Arc::new(Mutex::new(Some(6))));
    let outside = receiver.outside(&unwanted);
    let runtime = Parted::ByStep.start(&store, &outside, LEASE).await.unwrap();
    let handle = runtime.projection_handle("mail").unwrap();
    raise(&runtime, 1, 24).await;
    let parked = |status: &es_core::ProjectionStatus| !status.dead_letters.is_empty();
    handle.until(PATIENCE, parked).await.unwrap();
    let letters = handle.dead_letters().await.unwrap();
    assert_eq!((letters.len(), letters[0].position), (1, Position::new(6)));
    let stopped = letters[0].partition.unwrap();
    // Those of other partitions go on up to the head.
    let others = |status: &es_core::ProjectionStatus| {
        let others = status.partitions.iter().filter(|it| it.partition != stopped);
        others.clone().count() == 3 && others.clone().all(|it| it.position == Position::new(24))
    };
    handle.until(PATIENCE, others).await.unwrap();
    let told: BTreeSet<_> = receiver.notices().iter().map(|it| it.by).collect();
    assert!(told.len() >= 3 && !told.contains(&6), "{told:?}");
    *unwanted.lock().unwrap() = None;
    handle.skip(Position::new(6), "told by telephone", "ada").await.unwrap();
    handle.until(PATIENCE, |status| status.dead_letters.is_empty()).await.unwrap();
    runtime.wait_until_current::<es_tests::mail::MailByStep>().within(PATIENCE).await.unwrap();
    let notices = receiver.notices();
    assert_eq!(notices.len(), 23);
    // The order is that of the key, which is the step here.
    for step in 1..=6 {
        let of_it: Vec<_> =
            notices.iter().filter(|it| it.by == step).map(|it| it.position).collect();
        assert!(of_it.is_sorted() && of_it.len() == if step == 6 { 3 } else { 4 }, "{of_it:?}");
    }
    assert!(matches!(handle.roll_back().await, Err(HandleError::NothingHeld { .. })));
    assert!(matches!(handle.discard_others().await, Err(HandleError::NothingHeld { .. })));
    runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_with_another_number_takes_over_and_the_one_before_says_why_it_stands_still() {
    let store = Arc::new(MemoryStore::new());
    let receiver = Receiver::default();
    let outside = receiver.glad();
    let old = Parted::In2.start(&store, &outside, LEASE).await.unwrap();
    raise(&old, 7, 3).await;
    Parted::In2.done(&old, PATIENCE).await.unwrap();
    let new = Parted::In5.start(&store, &outside, LEASE).await.unwrap();
    let handle = old.projection_handle("mail").unwrap();
    let failed = |status: &es_core::ProjectionStatus| {
        let here = ProjectionFailure::OtherPartitions { here: 2, there: 5 };
        matches!(&status.state, ProjectionState::Failed { reason } if *reason == here)
    };
    handle.until(PATIENCE, failed).await.unwrap();
    let receipt = old.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    new.wait_for::<MailInFive>(&receipt).within(PATIENCE).await.unwrap();
    let stopped = Parted::In2.done(&old, PATIENCE).await.unwrap_err();
    assert!(matches!(stopped, WaitError::Stopped { .. }), "{stopped}");
    assert_eq!(receiver.notices().len(), 22);
    new.shutdown().await;
    // Somebody has decided that it goes on with two.
    raise(&old, 7, 1).await;
    handle.resume().await.unwrap();
    handle.until(PATIENCE, |status| !failed(status)).await.unwrap();
    Parted::In2.done(&old, PATIENCE).await.unwrap();
    let notices = receiver.notices();
    let told = notices.iter().map(|it| (&*it.counter, it.version, it.may_be_repeated));
    assert_eq!((check(told).0, notices.len()), (0, 29));
    old.shutdown().await;
}

/// Runs a program that tells and writes, and kills it.
fn round(file: &Path, notices: &Path, round: u64) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_react_until_killed"))
        .args([file.as_os_str(), notices.as_os_str()])
        .arg(round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut started = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut started).unwrap();
    assert_eq!(started, "started\n");
    // A moment that nobody has chosen.
    std::thread::sleep(Duration::from_millis((round * 7_919 + 13) % 90));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn killed_at_any_moment_and_parted_otherwise_each_event_is_told_and_only_the_last_again() {
    let rounds = std::env::var("ES_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds: u64 = rounds.unwrap_or(9);
    let directory = tempfile::tempdir().unwrap();
    let (file, notices) = (directory.path().join("mail.db"), directory.path().join("notices"));
    for number in 0..rounds {
        round(&file, &notices, number);
    }
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let events = tokio.block_on(async {
        let store = SqliteStore::builder(&file).durability(Durability::Process).open().unwrap();
        let store = Arc::new(store);
        let outside: Outside = {
            let notices = notices.clone();
            Arc::new(move |_, occasion| {
                use std::io::Write as _;
                let mut file = std::fs::OpenOptions::new().append(true).open(&notices)?;
                let recorded = &occasion.recorded;
                let (stream, version) = (recorded.stream.id(), recorded.version);
                // In one call: others write too.
                let line = format!("{stream} {version} {}\n", occasion.may_be_repeated);
                Ok(file.write_all(line.as_bytes())?)
            })
        };
        let runtime = Parted::In5.start(&store, &outside, LEASE).await.unwrap();
        Parted::In5.done(&runtime, PATIENCE).await.unwrap();
        runtime.shutdown().await;
        store.head().await.unwrap().get()
    });
    let told = std::fs::read_to_string(&notices).unwrap();
    let told = told.lines().map(|line| {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap();
        (word(), word().parse().unwrap(), word().parse().unwrap())
    });
    let (repeated, last) = check(told);
    assert_eq!(last.values().sum::<u64>(), events);
    println!("{rounds} kills: {events} events, {repeated} told twice");
}
