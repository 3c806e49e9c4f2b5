//! Several processes append to one file and keep inline projections there, and are killed and stopped.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use es_core::{Position, Registry, Runtime};
use es_sqlite_store::rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use es_sqlite_store::{Durability, SqliteStore};
use es_tests::process::Process;
use es_tests::tally::{InlineTally, InlineTallyRows, Tally, digest, next};

/// Longer than anything takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Those who append, and what they have said.
struct Processes {
    file: PathBuf,
    said: Receiver<(usize, u64)>,
    saying: Sender<(usize, u64)>,
    /// The last position that each has appended.
    appended: Vec<u64>,
}

impl Processes {
    fn new(file: &Path) -> Self {
        let (saying, said) = channel();
        Self { file: file.to_owned(), said, saying, appended: Vec::new() }
    }

    fn start(&mut self, role: &str) -> Process {
        let (number, saying) = (self.appended.len(), self.saying.clone());
        self.appended.push(0);
        Process::start(
            env!("CARGO_BIN_EXE_share_inline"),
            &[self.file.as_os_str(), role.as_ref()],
            number,
            move |line| {
                let position = line.strip_prefix("appended ").unwrap().parse().unwrap();
                saying.send((number, position)).is_ok()
            },
        )
    }

    /// Listens until something is so, or for this long.
    fn wait_until(&mut self, patience: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let begun = Instant::now();
        while !is_so(self) {
            match self.said.recv_timeout(patience.saturating_sub(begun.elapsed())) {
                Ok((process, position)) => self.appended[process] = position,
                Err(_) => return false,
            }
        }
        true
    }

    /// Waits until each of them has appended something beyond a position.
    fn append_beyond(&mut self, position: u64, processes: &[&Process]) {
        let numbers: Vec<_> = processes.iter().map(|process| process.number).collect();
        let beyond = self.wait_until(PATIENCE, |all| {
            numbers.iter().all(|number| all.appended[*number] > position)
        });
        assert!(beyond, "nobody appends beyond {position}: {:?}", self.appended);
    }

    /// Lets something happen for a while that nobody has chosen.
    fn let_go_on(&mut self, time: Duration) {
        self.wait_until(time, |_| false);
    }
}

/// A fold of the log up to a position, which knows nothing of projections.
#[derive(Default)]
struct Fold {
    position: u64,
    tallies: BTreeMap<String, Tally>,
}

impl Fold {
    fn go_on(&mut self, connection: &Connection, up_to: u64) {
        let mut events = connection
            .prepare_cached(
                "SELECT position, streams.name, version, event_types.name, payload ->> '$.by'
                 FROM event_records JOIN streams USING (stream_id) JOIN event_types USING (type_id)
                 WHERE position > ?1 AND position <= ?2 ORDER BY position",
            )
            .unwrap();
        let mut events = events.query([self.position as i64, up_to as i64]).unwrap();
        while let Some(event) = events.next().unwrap() {
            let (stream, name): (String, String) = (event.get(1).unwrap(), event.get(3).unwrap());
            let counter = stream.strip_prefix("counter/").unwrap();
            let tally = self.tallies.entry(counter.to_owned()).or_default();
            let by = event.get::<_, i64>(4).unwrap() as u64;
            match &*name {
                "counter.raised" => tally.value += by,
                _ => tally.value -= by,
            }
            tally.events += 1;
            tally.version = event.get::<_, i64>(2).unwrap() as u64;
            self.position = event.get::<_, i64>(0).unwrap() as u64;
            tally.digest = digest(tally.digest, Position::new(self.position));
        }
        assert_eq!(self.position, up_to, "an event is missing");
    }
}

/// Looks at the file as anybody can, at one instant each time.
struct Witness {
    connection: Connection,
    /// A fold for each projection and generation that was seen, as far as that is.
    folds: BTreeMap<(&'static str, u64), Fold>,
    looks: u64,
}

/// How far read models must be.
#[derive(Clone, Copy, PartialEq)]
enum Must {
    /// The fold of exactly the events that are stored.
    BeCurrent,
    /// The fold of the events up to the checkpoint that is stored with them.
    HoldTheCheckpoint,
}

impl Witness {
    fn new(file: &Path) -> Self {
        let connection = Connection::open(file).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        Self { connection, folds: BTreeMap::new(), looks: 0 }
    }

    fn head(&self) -> u64 {
        let sql = "SELECT coalesce(max(position), 0) FROM event_records";
        self.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as u64
    }

    /// Compares documents and rows of each version with the fold.
    fn look(&mut self, must: Must, versions: &[u64]) {
        self.looks += 1;
        let snapshot = self.connection.transaction_with_behavior(TransactionBehavior::Deferred);
        let snapshot = snapshot.unwrap();
        let head: i64 = snapshot
            .query_row("SELECT coalesce(max(position), 0) FROM event_records", [], |row| row.get(0))
            .unwrap();
        for projection in ["tally-inline", "tally-rows-inline"] {
            for version in versions {
                let Some(generation) = generation(&snapshot, projection, *version) else {
                    assert!(
                        must == Must::HoldTheCheckpoint || head == 0,
                        "{projection} is not there"
                    );
                    continue;
                };
                let key = format!("{projection}/{generation}");
                let checkpoint = json(&snapshot, "checkpoint", &key);
                let applied = checkpoint.map_or(0, |it| it["position"].as_u64().unwrap());
                if must == Must::BeCurrent {
                    assert_eq!(applied, head as u64, "{projection} is behind");
                }
                let fold = self.folds.entry((projection, generation)).or_default();
                fold.go_on(&snapshot, applied);
                if projection == "tally-inline" {
                    let found = documents(&snapshot, generation);
                    assert_eq!(found, fold.tallies, "{projection} of version {version}");
                } else {
                    let expected = fold
                        .tallies
                        .iter()
                        .map(|(key, tally)| (key.clone(), (tally.value, tally.events)));
                    let found = rows(&snapshot, generation, applied);
                    assert_eq!(found, expected.collect(), "{projection} of version {version}");
                }
            }
        }
    }
}

/// The generation that programs of a version serve.
fn generation(connection: &Connection, projection: &str, version: u64) -> Option<u64> {
    let all = json(connection, "projection", projection)?;
    let mut all = all["generations"].as_array().unwrap().iter();
    let live = all.rfind(|it| it["version"] == version && it["is"] == "live")?;
    Some(live["number"].as_u64().unwrap())
}

fn json(connection: &Connection, space: &str, name: &str) -> Option<serde_json::Value> {
    let sql = "SELECT value FROM state_records WHERE space = ?1 AND name = ?2";
    let value = connection.query_row(sql, [space, name], |row| row.get::<_, Vec<u8>>(0));
    Some(serde_json::from_slice(&value.optional().unwrap()?).unwrap())
}

fn documents(connection: &Connection, generation: u64) -> BTreeMap<String, Tally> {
    let sql = "SELECT name, value FROM state_records WHERE space = ?1";
    let mut documents = connection.prepare_cached(sql).unwrap();
    let space = format!("documents/tally-inline/{generation}");
    let documents = documents.query_map([space], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let documents = documents.map(|document| {
        let (key, value): (String, Vec<u8>) = document.unwrap();
        (key, serde_json::from_slice::<InlineTally>(&value).unwrap().tally)
    });
    documents.collect()
}

/// The rows of each counter, after a look at those of each event.
fn rows(connection: &Connection, generation: u64, applied: u64) -> BTreeMap<String, (u64, u64)> {
    let sql =
        format!("SELECT count(*), coalesce(max(position), 0) FROM inline_events__g{generation}");
    let events = connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
    let (count, last): (i64, i64) = events.unwrap();
    assert_eq!((count as u64, last as u64), (applied, applied), "the rows of events");
    let sql = format!("SELECT counter, value, events FROM inline_tallies__g{generation}");
    let mut rows = connection.prepare(&sql).unwrap();
    let rows = rows.query_map([], |row| {
        Ok((row.get(0)?, (row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64)))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn rounds() -> u64 {
    let rounds = std::env::var("ES_SHARE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    rounds.unwrap_or(8)
}

/// A moment that nobody has chosen.
fn moment(round: u64) -> Duration {
    Duration::from_millis((round * 7_919 + 13) % 50)
}

/// Whoever appends has the projections: at every moment they are the fold of what is stored, whoever was
/// killed or stopped just then. One that has none comes, appends past them and goes: until the next
/// append they are the fold of what was stored before.
#[test]
fn whoever_is_killed_or_stopped_inline_projections_are_the_fold_of_what_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shared.db");
    let mut all = Processes::new(&file);
    let mut both = [all.start("inline"), all.start("inline")];
    all.append_beyond(0, &[&both[0], &both[1]]);
    let mut witness = Witness::new(&file);
    let (mut kills, mut stops, mut past) = (0, 0, 0);
    for round in 0..rounds() {
        all.let_go_on(moment(round));
        witness.look(Must::BeCurrent, &[1]);
        let chosen = (round / 3 % 2) as usize;
        match round % 3 {
            0 => {
                kills += 1;
                both[chosen].end();
                witness.look(Must::BeCurrent, &[1]);
                both[chosen] = all.start("inline");
            }
            1 => {
                stops += 1;
                both[chosen].signal("-STOP");
                for _ in 0..4 {
                    witness.look(Must::BeCurrent, &[1]);
                    all.let_go_on(moment(round) / 2);
                }
                both[chosen].signal("-CONT");
            }
            _ => {
                past += 1;
                let mut stranger = all.start("without");
                all.append_beyond(0, &[&stranger]);
                for _ in 0..4 {
                    witness.look(Must::HoldTheCheckpoint, &[1]);
                    all.let_go_on(moment(round) / 4);
                }
                stranger.end();
                // What it has said last may not be the last that it has appended.
                let head = witness.head();
                all.append_beyond(head, &[&both[0]]);
            }
        }
        let head = witness.head();
        witness.look(Must::BeCurrent, &[1]);
        all.append_beyond(head, &[&both[0], &both[1]]);
        witness.look(Must::BeCurrent, &[1]);
    }
    both.iter_mut().for_each(Process::end);
    witness.look(Must::BeCurrent, &[1]);
    println!(
        "{} rounds: {kills} killed, {stops} stopped, {past} times appended past; {} events, {} looks",
        rounds(),
        witness.head(),
        witness.looks
    );
    let tokio = tokio::runtime::Runtime::new().unwrap();
    tokio.block_on(async {
        let store = SqliteStore::builder(&file).durability(Durability::Process).open().unwrap();
        store.verify().await.unwrap();
    });
}

/// A process of the last version and one of the next append to one file: each version is the fold of
/// what is stored up to its own checkpoint, at every moment, and current after its own append.
#[test]
fn each_version_of_an_inline_projection_is_the_fold_up_to_its_own_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shared.db");
    let mut all = Processes::new(&file);
    let mut old = all.start("inline");
    all.append_beyond(60, &[&old]);
    let mut new = all.start("next");
    all.append_beyond(60, &[&new]);
    let mut witness = Witness::new(&file);
    for round in 0..rounds() {
        all.let_go_on(moment(round));
        witness.look(Must::HoldTheCheckpoint, &[1, 2]);
        let (chosen, role) =
            if round / 2 % 2 == 0 { (&mut old, "inline") } else { (&mut new, "next") };
        if round % 2 == 0 {
            chosen.end();
            witness.look(Must::HoldTheCheckpoint, &[1, 2]);
            *chosen = all.start(role);
        } else {
            chosen.signal("-STOP");
            for _ in 0..4 {
                witness.look(Must::HoldTheCheckpoint, &[1, 2]);
                all.let_go_on(moment(round) / 2);
            }
            chosen.signal("-CONT");
        }
        let head = witness.head();
        all.append_beyond(head, &[&old, &new]);
    }
    old.end();
    new.end();
    // Whichever is started again catches up with what the other has appended.
    let tokio = tokio::runtime::Runtime::new().unwrap();
    tokio.block_on(async {
        let open = || SqliteStore::builder(&file).durability(Durability::Process).open().unwrap();
        let registry =
            Registry::builder().projection::<InlineTally>().projection::<InlineTallyRows>();
        let builder = Runtime::builder(open()).registry(registry.build().unwrap());
        builder.start().await.unwrap().shutdown().await;
        witness.look(Must::HoldTheCheckpoint, &[2]);
        witness.look(Must::BeCurrent, &[1]);
        let registry = Registry::builder()
            .projection::<next::InlineTally>()
            .projection::<next::InlineTallyRows>();
        let builder = Runtime::builder(open()).registry(registry.build().unwrap());
        builder.start().await.unwrap().shutdown().await;
        witness.look(Must::BeCurrent, &[1, 2]);
    });
    println!("{} rounds: {} events, {} looks", rounds(), witness.head(), witness.looks);
}
