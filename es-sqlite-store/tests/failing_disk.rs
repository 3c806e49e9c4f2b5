//! A disk that fails to sync, to write and to read: the system calls of a process of its own answer with
//! errors, which `strace` makes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};

use es_core::bytes::Bytes;
use es_core::uuid::Uuid;
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Query, QueryRange,
    SchemaVersion, StreamId, Tags,
};
use es_sqlite_store::SqliteStore;

const DATABASE: &str = "ES_FAILING_DATABASE";
/// Whoever can not have `strace` says so, and then nothing of this is tested.
const WITHOUT: &str = "ES_TEST_WITHOUT_STRACE";

/// So many commits are acknowledged before a process is done.
const COMMITS: u64 = 40;

/// The n-th commit: two events, the second of which fills some pages.
fn commit(number: u64) -> Commit {
    let event = |index| NewEvent {
        id: EventId::from_uuid(Uuid::from_u64_pair(number + 1, index)),
        name: "noted".into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from(format!("[{number}, \"{}\"]", "x".repeat(8_000 * index as usize))),
        tags: Tags::default(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    let stream = StreamId::new("failing", number % 3).unwrap();
    Commit::new(stream, ExpectedVersion::Any, vec![event(0), event(1)]).unwrap()
}

/// How many events are read, page by page.
async fn count(store: &SqliteStore) -> Result<u64, es_core::ReadError> {
    let (mut range, mut count) = (QueryRange::all(), 0);
    loop {
        let page = store.read(&Query::all(), range).await?;
        count += page.events.len() as u64;
        if !page.more {
            return Ok(count);
        }
        range = QueryRange::after(page.token(&range));
    }
}

/// Appends, and appends again what failed; does nothing when it is run as a test.
#[test]
fn the_process_on_a_failing_disk() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let store = match SqliteStore::builder(database).checkpoint_at(128 * 1024).open() {
        Ok(store) => store,
        Err(error) => return println!("\nnot opened: {error}"),
    };
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio.block_on(async {
        let (mut number, mut failures) = (0, 0);
        while number < COMMITS && failures < 30 {
            match store.append(&commit(number)).await {
                Ok(_) => {
                    println!("\nacknowledged {number}");
                    number += 1;
                }
                Err(error) => {
                    println!("\n{}: {error}", error.category());
                    failures += 1;
                }
            }
        }
        match count(&store).await {
            Ok(count) => println!("\nread {count}"),
            Err(error) => println!("\n{} of a read: {error}", error.category()),
        }
    });
}

/// What a process on a failing disk said.
struct Said(String);

impl Said {
    fn acknowledged(&self) -> u64 {
        self.0.lines().filter(|line| line.starts_with("acknowledged ")).count() as u64
    }

    fn lines(&self, begin: &str) -> Vec<&str> {
        self.0.lines().filter(|line| line.starts_with(begin)).collect()
    }

    fn after_the_first(&self, begin: &str) -> Vec<&str> {
        self.0.lines().skip_while(|line| !line.starts_with(begin)).collect()
    }
}

/// Runs the process so that some of its system calls fail. `None`: not here, as somebody said.
fn run(database: &Path, calls: &str, failure: &str) -> Option<Said> {
    if std::env::var_os(WITHOUT).is_some() {
        eprintln!("NOT TESTED: a failing disk, because of {WITHOUT}");
        return None;
    }
    let mut process = Command::new("strace");
    process.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    process.args(["-e", &format!("inject={calls}:{failure}")]);
    // Of the files of the store alone: a program is read from a disk too.
    for end in ["", "-wal", "-shm"] {
        process.args(["-P", &format!("{}{end}", database.display())]);
    }
    process.arg("--");
    process.arg(std::env::current_exe().unwrap());
    process.args(["--exact", "the_process_on_a_failing_disk", "--nocapture", "--test-threads=1"]);
    let output = process.env(DATABASE, database).stderr(Stdio::inherit()).output();
    let needs = |what: &dyn std::fmt::Display| -> ! {
        panic!(
            "this test makes system calls fail with `strace`: {what}\n\
             help: install it (`apt-get install strace`), or set {WITHOUT}=1 and test no failing disk"
        )
    };
    let output = output.unwrap_or_else(|error| needs(&error));
    let said = String::from_utf8(output.stdout).unwrap();
    if said.is_empty() {
        needs(&output.status);
    }
    assert!(output.status.success(), "{said}");
    Some(Said(said))
}

/// All that was acknowledged is there once and whole, and the store works.
fn is_whole(database: &Path, acknowledged: u64) {
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio.block_on(async {
        let store = SqliteStore::open(database).unwrap();
        store.verify().await.unwrap();
        for number in 0..acknowledged {
            let again = store.append(&commit(number)).await.unwrap();
            assert!(again.repeated, "commit {number} was acknowledged and is lost");
        }
        let all = acknowledged.max(COMMITS) + 1;
        for number in acknowledged..all {
            store.append(&commit(number)).await.unwrap();
        }
        assert_eq!(count(&store).await.unwrap(), 2 * all);
        store.verify().await.unwrap();
    });
}

fn database() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("failing.db");
    drop(SqliteStore::open(&database).unwrap());
    (directory, database)
}

const SYNC: &str = "fsync,fdatasync";

#[test]
fn a_commit_that_can_not_be_synced_is_not_acknowledged() {
    let (_directory, database) = database();
    let Some(said) = run(&database, SYNC, "error=EIO:when=12+") else { return };
    let unknown = "outcome unknown: ";
    assert!(said.acknowledged() > 0 && !said.lines(unknown).is_empty(), "{}", said.0);
    // Nothing that comes after is acknowledged either: the disk has not come back.
    let later = said.after_the_first(unknown);
    assert!(!later.iter().any(|line| line.starts_with("acknowledged")), "{}", said.0);
    assert!(said.lines(unknown)[0].contains("the disk failed"), "{}", said.0);
    is_whole(&database, said.acknowledged());
}

#[test]
fn a_disk_that_syncs_again_takes_the_same_commits_and_stores_them_once() {
    for (first, last) in [(3, 3), (7, 9), (15, 15), (20, 26)] {
        let (_directory, database) = database();
        let failure = format!("error=EIO:when={first}..{last}");
        let Some(said) = run(&database, SYNC, &failure) else { return };
        assert_eq!(said.acknowledged(), COMMITS, "{failure}: {}", said.0);
        assert_eq!(said.lines("read "), [format!("read {}", 2 * COMMITS)], "{failure}");
        is_whole(&database, COMMITS);
    }
}

#[test]
fn a_disk_that_is_full_says_so_and_takes_the_same_commits_when_there_is_room() {
    for (first, last) in [(30, 30), (41, 44), (150, 160)] {
        let (_directory, database) = database();
        let failure = format!("error=ENOSPC:when={first}..{last}");
        let Some(said) = run(&database, "pwrite64", &failure) else { return };
        assert_eq!(said.acknowledged(), COMMITS, "{failure}: {}", said.0);
        let refused = said.0.lines().filter(|line| line.contains("make room"));
        assert!(refused.count() > 0, "{failure}: {}", said.0);
        is_whole(&database, COMMITS);
    }
}

#[test]
fn a_write_that_fails_is_an_error_and_the_same_commit_is_taken_when_it_works() {
    for (first, last) in [(30, 30), (41, 44), (150, 160)] {
        let (_directory, database) = database();
        let failure = format!("error=EIO:when={first}..{last}");
        let Some(said) = run(&database, "pwrite64", &failure) else { return };
        assert_eq!(said.acknowledged(), COMMITS, "{failure}: {}", said.0);
        let refused = said.0.lines().filter(|line| line.contains("the disk failed"));
        assert!(refused.count() > 0, "{failure}: {}", said.0);
        is_whole(&database, COMMITS);
    }
}

#[test]
fn a_read_that_fails_is_an_error_and_never_a_shorter_history() {
    // More pages than are read to open it.
    const STORED: u64 = 400;
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (_directory, database) = database();
    tokio.block_on(async {
        let store = SqliteStore::open(&database).unwrap();
        let chain: Vec<_> = (0..STORED).map(commit).collect();
        assert!(store.append_chain(&chain).await.iter().all(Result::is_ok));
        // The next transaction puts their ids in order, so that they are not read to open the file.
        store.append(&commit(STORED - 1)).await.unwrap();
    });
    let (mut opened, mut not_opened) = (0, 0);
    for first in [1, 2, 5, 20, 60, 100, 150, 250, 400, 600] {
        let failure = format!("error=EIO:when={first}+");
        let Some(said) = run(&database, "pread64", &failure) else { return };
        let wrong = said.lines("read ").iter().any(|line| *line != format!("read {}", 2 * STORED));
        assert!(!wrong, "{failure}: {}", said.0);
        // An input error of the system is to SQLite a file system that is damaged.
        let is_told = |line: &str| line.contains("the disk failed") || line.contains("is damaged");
        for line in said.lines("not opened: ") {
            assert!(is_told(line), "{line}");
            not_opened += 1;
        }
        for line in said.0.lines().filter(|line| line.starts_with("permanent")) {
            assert!(is_told(line), "{line}");
            opened += 1;
        }
        assert!(said.lines("transient").is_empty(), "{}", said.0);
    }
    assert!(opened > 0 && not_opened > 0, "{opened} after it was opened, {not_opened} before");
    is_whole(&database, STORED);
}

#[test]
fn a_store_that_can_not_be_synced_when_it_is_made_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("new.db");
    let Some(said) = run(&database, SYNC, "error=EIO:when=1+") else { return };
    assert!(said.lines("not opened: ")[0].contains("the disk failed"), "{}", said.0);
    is_whole(&database, 0);
}
