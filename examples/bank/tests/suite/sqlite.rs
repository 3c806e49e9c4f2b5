//! The bank in a file: its durable read models against the books, looked after from the command line.

use std::path::PathBuf;

use bank::account::AccountId;
use bank::program;
use es_core::bytes::Bytes;
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, SchemaVersion, StreamId, Tags,
};
use es_sqlite_store::SqliteStore;

use crate::books::SAMPLE;
use crate::command_line::{Run, bank, file};

/// A file for one test, which is not there yet, and how the command line names it.
fn database(name: &str) -> (PathBuf, String) {
    let path = file(name, "");
    for end in ["", "-wal", "-shm", ".lock"] {
        let mut name = path.clone().into_os_string();
        name.push(end);
        // What an earlier run has left.
        let _ = std::fs::remove_file(name);
    }
    let store = format!("sqlite:{}", path.display());
    (path, store)
}

fn printed(arguments: &[&str]) -> String {
    let Run { code, out, err } = bank(arguments);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{arguments:?}");
    out
}

#[test]
fn a_file_that_is_not_there_leaves_no_file_of_accounts_behind() {
    let (path, store) = database("not_made.db");
    for arguments in [["import", "no_such.csv"].as_slice(), &["balances", "--from", "no_such.csv"]]
    {
        let run = bank(&[&["--store", &store], arguments].concat());
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
        assert!(run.err.starts_with("error: no_such.csv: can not be read: "), "{}", run.err);
        assert!(!path.exists(), "{arguments:?}");
    }
}

#[test]
fn what_is_imported_into_a_file_is_there_in_the_next_run_with_all_read_models() {
    let (_, store) = database("read_models.db");
    let sample = file("sample_for_sqlite.csv", SAMPLE);
    let import = ["--store", &store, "import", sample.to_str().unwrap()];
    let line = printed(&import);
    assert_eq!(line, "accounts=30 movements=2771 roundings=137 rejected=0\n");
    // Again it changes nothing.
    assert_eq!(printed(&import), line);
    for report in ["balances", "summary"] {
        assert_eq!(printed(&["--store", &store, report]), printed(&[report]), "{report}");
    }
    let rebuilt = printed(&["--store", &store, "rebuild", "balances"]);
    assert_eq!(rebuilt, "projection=balances generation=2 position=2938\n");
    printed(&["--store", &store, "rebuild", "movements"]);
    for report in ["balances", "summary"] {
        assert_eq!(printed(&["--store", &store, report]), printed(&[report]), "{report}");
    }
    let table = printed(&["--store", &store, "status"]);
    let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], Vec::from(["balances", "1", "2", "live", "2938", "2938", "0", "0"]));
    assert_eq!(lines[2], Vec::from(["movements", "1", "2", "live", "2938", "2938", "0", "0"]));
    let json = printed(&["--store", &store, "status", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["state"]["is"], "live");
    assert_eq!(json[1]["position"], 2938);
}

#[tokio::test]
async fn an_event_that_can_not_be_projected_is_shown_and_skipped_from_the_command_line() {
    let (path, store) = database("poison.db");
    let sample =
        file("sample_for_poison.csv", SAMPLE.lines().take(9).collect::<Vec<_>>().join("\n"));
    printed(&["--store", &store, "import", sample.to_str().unwrap()]);
    let runtime = program::start(SqliteStore::open(&path).unwrap()).await.unwrap();
    let head = runtime.store().head().await.unwrap();
    // Written by an older program: what parks has gone through the steps too.
    let poison = NewEvent {
        id: EventId::generate(),
        name: "account.deposited".into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from_static(b"{\"amount\":\"a lot\"}"),
        tags: Tags::new(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    let stream = StreamId::new("account", AccountId(1539)).unwrap();
    let commit = Commit::new(stream, ExpectedVersion::Any, vec![poison]).unwrap();
    runtime.store().append(&commit).await.unwrap();
    runtime.shutdown().await;
    drop(runtime);

    let position = head.next().to_string();
    let parked = printed(&["--store", &store, "parked"]);
    let lines: Vec<_> = parked.lines().collect();
    assert_eq!(lines.len(), 2, "{parked}");
    assert!(lines[0].starts_with(&format!("position={position} projection=balances key=1539 ")));
    assert!(lines[1].starts_with(&format!("position={position} projection=movements attempts=")));
    assert!(lines[1].contains("no amount such as"), "{parked}");
    let refused = bank(&["--store", &store, "skip", "1", "--reason", "no"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("nothing is parked at position 1"), "{}", refused.err);
    let skipped = printed(&["--store", &store, "skip", &position, "--reason", "a typing mistake"]);
    assert_eq!(skipped.lines().count(), 2);
    assert_eq!(printed(&["--store", &store, "parked"]), "");
    let status = printed(&["--store", &store, "status"]);
    assert_eq!(status.matches("live").count(), 2, "{status}");
}
