//! The bank in a file: what a run leaves to the next one, also when it is killed.

use std::path::Path;
use std::process::{Command, Stdio};

use es_core::{EventStore, Query, QueryRange};
use es_sqlite_store::SqliteStore;
use tempfile::TempDir;

use crate::books::SAMPLE;
use crate::command_line::{SUMMARY_LINE, balances_of_the_sample};

/// How often an import is killed before it may end.
const KILLS: u64 = 12;

fn bank(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bank"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    command
}

fn printed_by(directory: &Path, arguments: &[&str]) -> String {
    let output = bank(directory, arguments).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn directory_with_the_sample() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("sample.csv"), SAMPLE).unwrap();
    directory
}

#[test]
fn what_is_imported_is_there_in_the_next_run() {
    let directory = directory_with_the_sample();
    let directory = directory.path();
    assert_eq!(printed_by(directory, &["import", "sample.csv", "--tasks", "8"]), SUMMARY_LINE);
    assert!(directory.join("bank.db").exists());
    assert_eq!(printed_by(directory, &["balances"]), balances_of_the_sample());
    assert!(printed_by(directory, &["statement", "2"]).lines().count() > 2);
}

#[test]
fn a_file_of_accounts_is_made_by_an_import_and_by_no_slip_of_the_pen() {
    let directory = directory_with_the_sample();
    let directory = directory.path();
    printed_by(directory, &["import", "sample.csv"]);
    printed_by(directory, &["archive", "--older-than", "1994-01-01", "--dir", "old"]);
    let refused = |arguments: &[&str], expected: &str| {
        let output = bank(directory, arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    };
    let missing = "bnak.db: there is no such file of accounts; `bank import FILE` makes one";
    refused(&["--store", "sqlite:bnak.db", "balances"], missing);
    refused(&["--store", "sqlite:bnak.db", "restore", "--dir", "old"], missing);
    assert!(!directory.join("bnak.db").exists());
    refused(&["copy", "--to", "sqlite:bank.db"], "bank.db: that is the file that is copied");
    refused(&["restore", "9999", "--dir", "old"], "there is no account 9999");
}

#[test]
fn a_demo_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    printed_by(directory.path(), &["demo"]);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_import_that_is_killed_anywhere_and_run_again_ends_as_one_clean_run() {
    let directory = directory_with_the_sample();
    let directory = directory.path();
    let database = directory.join("bank.db");
    let (mut before, mut grew) = (0, 0);
    for kill in 1..=KILLS {
        let mut import = bank(directory, &["import", "sample.csv", "--tasks", "8"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // At another length of the log every time; an import that is faster ends by itself.
        while !(import.try_wait().unwrap().is_some() || length(directory) > kill * 150_000) {
            std::thread::yield_now();
        }
        import.kill().unwrap();
        import.wait().unwrap();
        let store = SqliteStore::open(&database).unwrap();
        let head = store.verify().await.unwrap().head.get();
        assert!(head >= before, "events are lost");
        grew += u64::from(head > before);
        before = head;
    }
    assert!(grew > 2, "the imports were hardly killed while they ran");
    assert_eq!(printed_by(directory, &["import", "sample.csv"]), SUMMARY_LINE);
    assert_eq!(printed_by(directory, &["balances"]), balances_of_the_sample());
    // Nothing was done twice.
    let store = SqliteStore::open(&database).unwrap();
    let head = store.head().await.unwrap();
    assert_eq!(head.get(), 30 + 2771 + 137);
    let page = store.read(&Query::all(), QueryRange::all()).await.unwrap();
    assert!(page.more);
}

/// The bytes of the database and its log.
fn length(directory: &Path) -> u64 {
    let file = |name| std::fs::metadata(directory.join(name)).map_or(0, |file| file.len());
    file("bank.db") + file("bank.db-wal")
}
