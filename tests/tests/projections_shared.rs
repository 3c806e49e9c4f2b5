//! Several processes keep the same projections in one file, and are killed and stopped.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use es_core::{EventStore, Registry, Runtime};
use es_sqlite_store::{Durability, SqliteStore};
use es_tests::process::Process;
use es_tests::tally::{Tally, TallyRows, assert_read_models_hold_the_fold};

/// Longer than anything takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it is waited for another process to take over from one that is stopped. One that is stopped
/// in the middle of a transaction has the lock of the file, and nobody can.
const TAKEOVER: Duration = Duration::from_secs(2);

const PROJECTIONS: [&str; 2] = ["tally", "tally-rows"];

/// What processes have said of themselves.
struct Processes {
    file: std::path::PathBuf,
    started: usize,
    said: Receiver<(usize, String)>,
    saying: Sender<(usize, String)>,
    /// The last that each has said of each projection.
    states: HashMap<(usize, String), String>,
    appended: u64,
}

impl Processes {
    fn new(file: &Path) -> Self {
        let (saying, said) = channel();
        let file = file.to_owned();
        Self { file, started: 0, said, saying, states: HashMap::new(), appended: 0 }
    }

    fn start(&mut self, role: &str) -> Process {
        let (number, saying) = (self.started, self.saying.clone());
        self.started += 1;
        Process::start(
            env!("CARGO_BIN_EXE_share_a_file"),
            &[self.file.as_os_str(), role.as_ref()],
            number,
            move |line| saying.send((number, line)).is_ok(),
        )
    }

    /// Listens until something is so, or for this long.
    fn wait_until(&mut self, patience: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let begun = Instant::now();
        while !is_so(self) {
            let left = patience.saturating_sub(begun.elapsed());
            match self.said.recv_timeout(left) {
                Ok((_, line)) if line == "appended" => self.appended += 1,
                Ok((process, line)) => {
                    let (projection, state) = line.split_once(' ').unwrap();
                    self.states.insert((process, projection.to_owned()), state.to_owned());
                }
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => panic!("the sender is kept here"),
            }
        }
        true
    }

    fn is(&self, process: &Process, projection: &str, state: &str) -> bool {
        let said = self.states.get(&(process.number, projection.to_owned()));
        said.is_some_and(|said| said == state)
    }

    /// Lets something happen for a while that nobody has chosen.
    fn let_go_on(&mut self, time: Duration) {
        self.wait_until(time, |_| false);
    }
}

/// Two processes project, a third one appends. Who holds a lease is killed, or stopped and awakened
/// when another one has taken over.
#[test]
fn a_holder_that_is_killed_or_stopped_and_awakened_applies_nothing_twice_and_leaves_no_gap() {
    let rounds = std::env::var("ES_SHARE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds: u64 = rounds.unwrap_or(8);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shared.db");
    let mut all = Processes::new(&file);
    let mut appender = all.start("append");
    let mut workers = [all.start("project"), all.start("project")];
    let (mut kills, mut overtaken, mut blocked) = (0, 0, 0);
    for round in 0..rounds {
        let projection = PROJECTIONS[round as usize % 2];
        // One of them holds the lease, and the other one has seen it.
        let settled = all.wait_until(PATIENCE, |all| {
            let is = |worker, state| all.is(&workers[worker], projection, state);
            (is(0, "live") && is(1, "standby")) || (is(1, "live") && is(0, "standby"))
        });
        assert!(settled, "round {round}: nobody works on {projection}: {:?}", all.states);
        let holder = usize::from(!all.is(&workers[0], projection, "live"));
        let moment = (round * 7_919 + 13) % 50;
        all.let_go_on(Duration::from_millis(moment));
        if round % 4 == 3 {
            kills += 1;
            workers[holder].end();
            workers[holder] = all.start("project");
        } else {
            workers[holder].signal("-STOP");
            let taken_over =
                all.wait_until(TAKEOVER, |all| all.is(&workers[1 - holder], projection, "live"));
            workers[holder].signal("-CONT");
            if taken_over {
                overtaken += 1;
                // It could not commit: it has noticed that it holds nothing any more.
                let noticed =
                    all.wait_until(PATIENCE, |all| all.is(&workers[holder], projection, "standby"));
                assert!(noticed, "round {round}: {projection}: {:?}", all.states);
            } else {
                blocked += 1;
            }
        }
        let before = all.appended;
        assert!(all.wait_until(PATIENCE, |all| all.appended > before), "nobody appends any more");
    }
    appender.end();
    workers.iter_mut().for_each(Process::end);

    let tokio = tokio::runtime::Runtime::new().unwrap();
    let events = tokio.block_on(async {
        let store = SqliteStore::builder(&file).durability(Durability::Process).open().unwrap();
        store.verify().await.unwrap();
        let registry =
            Registry::builder().projection::<Tally>().projection::<TallyRows>().build().unwrap();
        let runtime = Runtime::builder(store).registry(registry).start().await.unwrap();
        assert_read_models_hold_the_fold(&runtime).await;
        runtime.store().head().await.unwrap().get()
    });
    assert!(events >= all.appended);
    println!(
        "{rounds} rounds: {kills} holders killed, {overtaken} overtaken while they were stopped, {blocked} stopped with the lock; {events} events"
    );
}
