//! The bank's history in files and other stores.

use std::fs::File;
use std::io::BufReader;

use bank::account::{Account, AccountId};
use bank::program;
use es_memory_store::MemoryStore;
use es_sqlite_store::SqliteStore;
use es_transfer::{Copy, Format, digest, import};

use crate::books::{bank_of_the_sample, expected};
use crate::command_line::bank as run;

/// The balances of a bank on this store are those that are expected of the sample.
async fn balances_are_right<S: program::Store>(store: S) {
    let runtime = program::start(store).await.unwrap();
    for account in expected() {
        let loaded = runtime.load::<Account>(&AccountId(account.account_id)).await.unwrap();
        assert_eq!(loaded.state.balance(), account.final_balance);
    }
}

#[tokio::test]
async fn a_bank_that_was_moved_has_the_same_books() {
    let (runtime, _) = bank_of_the_sample().await;
    let directory = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(directory.path().join("moved.db")).unwrap();
    let copy = Copy::new(&**runtime.store(), &sqlite);
    copy.run(|_| {}).await.unwrap();
    let verified = copy.verify().await.unwrap();
    assert_eq!(verified.digest, digest(&**runtime.store()).await.unwrap().digest);
    balances_are_right(sqlite).await;
}

#[tokio::test]
async fn exported_and_imported_the_books_are_the_same() {
    let directory = tempfile::tempdir().unwrap();
    for (name, format) in [("jsonl", Format::JsonLines), ("cloudevents", Format::CloudEvents)] {
        let path = directory.path().join(name);
        let exported = run(&["export", path.to_str().unwrap(), "--format", name]);
        assert_eq!((exported.code, exported.err.as_str()), (Some(0), ""));
        let store = MemoryStore::new();
        let mut file = BufReader::new(File::open(&path).unwrap());
        let imported = import(&mut file, format, &store, |_| {}).await.unwrap();
        let line = format!("events={} digest={}\n", imported.events, imported.digest);
        assert_eq!(exported.out, line);
        balances_are_right(store).await;
        // A file that is there is not written over.
        assert_eq!(run(&["export", path.to_str().unwrap()]).code, Some(1));
    }
    assert_eq!(run(&["export", "x", "--format", "xml"]).code, Some(2));
}

#[test]
fn a_copy_from_the_command_line_is_verified() {
    let directory = tempfile::tempdir().unwrap();
    let to = format!("sqlite:{}", directory.path().join("copy.db").display());
    let copied = run(&["copy", "--to", &to]);
    assert_eq!((copied.code, copied.err.as_str()), (Some(0), ""));
    assert!(copied.out.starts_with("copied=2938 events=2938 digest="), "{}", copied.out);
    // Another run of the program has other events in its memory.
    let other = run(&["copy", "--to", &to]);
    assert_eq!(other.code, Some(1));
    assert_eq!(run(&["copy", "--to", "memory"]).code, Some(2));
}
