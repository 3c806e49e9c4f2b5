//! What was archived is still in the books.

use std::path::Path;
use std::process::{Command, Stdio};

use bank::account::{Account, AccountId};
use bank::program;
use es_archive::{Archive, Policy, ReadThrough};
use es_core::{Aggregate, EventStore, Runtime};
use es_sqlite_store::{Durability, SqliteStore};

use crate::books::{SAMPLE, import_all, rows_by_account};
use crate::command_line::SUMMARY_LINE;
use crate::past::{balances_are_those_of_the_books, first_overdrafts_are_those_of_the_books};

/// What a run leaves behind: its code, what it printed, what it complained about.
fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bank"));
    let command = command.args(arguments).current_dir(directory).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn printed_by(directory: &Path, arguments: &[&str]) -> String {
    let (code, out, err) = run(directory, arguments);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{arguments:?}");
    out
}

#[test]
fn reports_on_archived_events_are_as_before_and_so_they_are_after_a_restore() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    std::fs::write(directory.join("sample.csv"), SAMPLE).unwrap();
    assert_eq!(printed_by(directory, &["import", "sample.csv"]), SUMMARY_LINE);
    let questions: [&[&str]; 4] = [
        &["statement", "1539", "--at", "1995-06-30"],
        &["audit", "1539"],
        &["why-negative", "2"],
        &["balances"],
    ];
    let before: Vec<_> = questions.iter().map(|question| printed_by(directory, question)).collect();
    let exported = printed_by(directory, &["export", "before.jsonl"]);

    // Nobody has closed an account.
    let none = printed_by(directory, &["archive", "--closed-before", "1999-01-01", "--dir", "old"]);
    assert!(none.starts_with("accounts=0 events=0 "), "{none}");
    let moved = printed_by(directory, &["archive", "--older-than", "1998-01-01", "--dir", "old"]);
    assert!(moved.starts_with("accounts=30 events=2787 segments=1 "), "{moved}");
    assert_eq!(printed_by(directory, &["segments", "--dir", "old"]).lines().count(), 2);

    let (code, out, err) = run(directory, &["statement", "1539"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("is archived in segment") && err.contains("--archive DIR"), "{err}");
    // What projections hold needs no archive.
    assert_eq!(printed_by(directory, &["balances"]), before[3]);
    for (question, before) in questions.iter().zip(&before) {
        let through = [&["--archive", "old"], *question].concat();
        assert_eq!(&printed_by(directory, &through), before, "{question:?}");
    }
    assert_eq!(printed_by(directory, &["--archive", "old", "export", "through.jsonl"]), exported);
    // Commands of archived events are still known.
    let again = ["--archive", "old", "import", "sample.csv"];
    assert_eq!(printed_by(directory, &again), SUMMARY_LINE);
    let verified = printed_by(directory, &["verify", "--dir", "old"]);
    assert_eq!(verified, "events=151 streams=30 segments=1 archived=2787\n");

    assert_eq!(printed_by(directory, &["restore", "--dir", "old"]), "accounts=30 events=2787\n");
    assert_eq!(printed_by(directory, questions[0]), before[0]);
    assert_eq!(printed_by(directory, &["export", "after.jsonl"]), exported);
    assert_eq!(printed_by(directory, &["verify"]), "events=2938 streams=30\n");
}

#[test]
fn a_closed_account_is_archived_and_a_segment_that_was_changed_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let header = SAMPLE.lines().next().unwrap();
    let rows = "1,7,1,1,1995-01-01,credit,,,,,100,100,0,\n2,7,2,2,1995-02-01,debit,,,,,100,0,0,\n\
                3,8,1,3,1995-01-01,credit,,,,,100,100,0,\n";
    std::fs::write(directory.join("two.csv"), format!("{header}\n{rows}")).unwrap();
    printed_by(directory, &["import", "two.csv"]);
    assert_eq!(
        printed_by(directory, &["close", "7", "--on", "1996-05-01"]),
        "account=7 version=4\n"
    );
    let early = ["archive", "--closed-before", "1996-05-01", "--dir", "old"];
    assert!(printed_by(directory, &early).starts_with("accounts=0 "));
    let moved =
        printed_by(directory, &["archive", "--closed-before", "1996-06-01", "--dir", "old"]);
    assert!(moved.starts_with("accounts=1 events=3 segments=1 "), "{moved}");
    assert_eq!(printed_by(directory, &["--archive", "old", "statement", "7"]).lines().count(), 5);
    assert_eq!(printed_by(directory, &["statement", "8"]).lines().count(), 3);

    let segment = std::fs::read_dir(directory.join("old")).unwrap().next().unwrap().unwrap();
    let mut bytes = std::fs::read(segment.path()).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    std::fs::write(segment.path(), bytes).unwrap();
    let (code, _, err) = run(directory, &["verify", "--dir", "old"]);
    let name = segment.file_name();
    let name = name.to_str().unwrap().strip_suffix(".jsonl.zst").unwrap();
    assert!(code == Some(1) && err.contains(name) && err.contains("damaged"), "{err}");
    let (code, _, _) = run(directory, &["--archive", "old", "statement", "7"]);
    assert_eq!(code, Some(1));
    let memory = ["--store", "memory", "archive", "--older-than", "1996-01-01", "--dir", "old"];
    assert_eq!(run(directory, &memory).0, Some(1));
    assert_eq!(run(directory, &["archive", "--dir", "old"]).0, Some(2));
}

#[test]
fn a_directory_that_is_not_there_is_no_empty_archive() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let reading: [&[&str]; 4] = [
        &["restore", "--dir", "odl"],
        &["segments", "--dir", "odl"],
        &["verify", "--dir", "odl"],
        &["--archive", "odl", "balances"],
    ];
    for arguments in reading {
        let (code, out, err) = run(directory, arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(err.contains("there is no archive in `odl`"), "{err}");
    }
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), 0);
}

#[tokio::test]
async fn balances_of_any_day_and_first_overdrafts_are_those_of_the_books_through_the_archive() {
    let directory = tempfile::tempdir().unwrap();
    let file = SqliteStore::builder(directory.path().join("bank.db"));
    let store = file.durability(Durability::Process).open().unwrap();
    let archive = Archive::create(directory.path().join("old")).unwrap();
    let runtime = program::start(ReadThrough::new(store, archive.clone())).await.unwrap();
    import_all(&runtime, &bank::movements::Movements::sample().unwrap(), 8).await;
    runtime.wait_until_current::<bank::projections::Balance>().await.unwrap();
    runtime.wait_until_current::<bank::projections::Movements>().await.unwrap();
    let archived =
        archive.archiver(&runtime).archive(&Policy::whole_where(|_| true)).await.unwrap();
    assert_eq!(archived.events, 2938 - 30);
    balances_are_those_of_the_books(&runtime).await;
    first_overdrafts_are_those_of_the_books(&runtime).await;
    accounts_load_as_they_ended(&runtime).await;
}

async fn accounts_load_as_they_ended<S: EventStore>(runtime: &Runtime<S>) {
    for (account, rows) in rows_by_account() {
        let account = AccountId(account);
        let loaded = runtime.load::<Account>(&account).await.unwrap();
        let stream = Account::stream(&account).unwrap();
        assert_eq!(loaded.state.balance(), rows.last().unwrap().balance, "{stream}");
    }
}
