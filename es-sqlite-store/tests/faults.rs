//! Disks that are full, files that are cut off, removed, altered, or somebody else's.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use es_core::bytes::Bytes;
use es_core::uuid::Uuid;
use es_core::{
    AppendError, Commit, ErrorCategory, EventId, EventStore, ExpectedRevision, ExpectedVersion,
    Metadata, NewEvent, Query, QueryRange, ReadError, RecordedEvent, SchemaVersion, StateKey,
    StateStore, StreamId, StreamRange, Tag,
};
use es_sqlite_store::{MaintenanceError, OpenError, SqliteStore};
use proptest::prelude::*;
use rusqlite::Connection;

const FULL_DATABASE: &str = "ES_FULL_DATABASE";
#[cfg(unix)]
const READ_ONLY_DIRECTORY: &str = "ES_READ_ONLY_DIRECTORY";
const IN_USE_DATABASE: &str = "ES_IN_USE_DATABASE";

/// The n-th commit: two events to one of three streams.
fn commit(number: u64) -> Commit {
    let event = |index| NewEvent {
        id: EventId::from_uuid(Uuid::from_u64_pair(number, index)),
        name: ["opened", "noted"][index as usize % 2].into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from(format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(200))),
        tags: [Tag::of("number", number % 7)].into_iter().collect(),
        occurred_at: None,
        metadata: Metadata::default().with_actor("somebody"),
    };
    let stream = StreamId::new("fault", number % 3).unwrap();
    Commit::new(stream, ExpectedVersion::Any, vec![event(0), event(1)]).unwrap()
}

async fn fill(store: &SqliteStore, commits: u64) {
    for number in 0..commits {
        store.append(&commit(number)).await.unwrap();
    }
}

async fn everything(store: &SqliteStore) -> Result<Vec<RecordedEvent>, ReadError> {
    let (mut range, mut events) = (QueryRange::all(), Vec::new());
    loop {
        let page = store.read(&Query::all(), range).await?;
        events.extend(page.events.iter().map(|recorded| recorded.to_event()));
        if !page.more {
            return Ok(events);
        }
        range = QueryRange::after(page.token(&range));
    }
}

/// Runs one test of this program in a process of its own, under a shell's words.
fn run_alone(test: &str, variable: &str, database: &Path, shell: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", &format!("{shell} exec \"$0\" --exact \"$1\" --nocapture")])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(variable, database)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Runs in a process whose files may not grow; does nothing when it is run as a test.
#[tokio::test]
async fn the_process_on_a_full_disk() {
    let Ok(database) = std::env::var(FULL_DATABASE) else { return };
    let store = SqliteStore::open(database).unwrap();
    for number in 0.. {
        match store.append(&commit(number)).await {
            Ok(_) => println!("acknowledged"),
            Err(error) => {
                println!("{}: {error}", error.category());
                // It does not come to itself, and reads go on.
                assert!(store.append(&commit(number)).await.is_err());
                assert!(everything(&store).await.unwrap().len() as u64 >= 2 * number);
                return;
            }
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_full_disk_is_an_error_and_what_was_acknowledged_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("full.db");
    drop(SqliteStore::open(&database).unwrap());
    // A file may have 512 KiB, and who writes more is told by an error and not killed.
    let shell = "trap '' XFSZ; ulimit -f 1024;";
    let printed = run_alone("the_process_on_a_full_disk", FULL_DATABASE, &database, shell);
    let acknowledged = printed.lines().filter(|line| line.ends_with("acknowledged")).count() as u64;
    assert!(acknowledged > 10, "{printed}");
    assert!(printed.contains("permanent: ") || printed.contains("outcome unknown: "), "{printed}");

    let store = SqliteStore::open(&database).unwrap();
    store.verify().await.unwrap();
    for number in 0..acknowledged {
        assert!(store.append(&commit(number)).await.unwrap().repeated, "commit {number} is lost");
    }
    // There is room again: the commit that failed can be made.
    store.append(&commit(acknowledged)).await.unwrap();
    assert_eq!(everything(&store).await.unwrap().len() as u64, 2 * (acknowledged + 1));
}

#[tokio::test]
async fn a_log_that_is_cut_off_leaves_whole_commits_from_the_beginning() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let store = SqliteStore::open(path("whole.db")).unwrap();
    fill(&store, 60).await;
    let events = everything(&store).await.unwrap();
    let length = fs::metadata(path("whole.db-wal")).unwrap().len();
    let mut heads = Vec::new();
    for part in 0..=40 {
        fs::copy(path("whole.db"), path("cut.db")).unwrap();
        fs::copy(path("whole.db-wal"), path("cut.db-wal")).unwrap();
        let log = fs::OpenOptions::new().write(true).open(path("cut.db-wal")).unwrap();
        log.set_len(length * part / 40).unwrap();
        // At first not even the tables are there: that is a new store.
        let cut = SqliteStore::open(path("cut.db")).unwrap();
        let left = everything(&cut).await.unwrap();
        assert_eq!(left, events[..left.len()]);
        assert_eq!(left.len() % 2, 0, "a commit is torn");
        cut.verify().await.unwrap();
        heads.push(left.len());
    }
    assert!(heads.is_sorted());
    assert_eq!(heads.last(), Some(&events.len()));
}

#[tokio::test]
async fn a_byte_that_changed_is_never_other_data_without_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flipped.db");
    let store = SqliteStore::open(&path).unwrap();
    fill(&store, 100).await;
    let events = everything(&store).await.unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    let (mut noticed, mut only_verified) = (0, 0);
    for place in (0..whole.len()).step_by(whole.len() / 500) {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        for end in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{end}", path.display()));
        }
        fs::write(&path, &flipped).unwrap();
        let Ok(store) = SqliteStore::open(&path) else {
            noticed += 1;
            continue;
        };
        match everything(&store).await {
            Ok(read) => assert_eq!(read, events, "byte {place}"),
            Err(error) => {
                assert!(!error.to_string().contains("has ended"), "a panic at byte {place}");
                assert_eq!(error.category(), ErrorCategory::Permanent);
                noticed += 1;
            }
        }
        // A key of an index that changed is not found any more: only a check of everything knows.
        for stream in 0..3 {
            let id = StreamId::new("fault", stream).unwrap();
            let read = store.read_stream(&id, StreamRange::all()).await;
            let found = read.map(|page| page.events.len() as u64);
            if !matches!(&found, Ok(length) if *length == 2 * (100_u64 - stream).div_ceil(3)) {
                assert!(store.verify().await.is_err(), "byte {place}: {found:?}");
                only_verified += u64::from(found.is_ok());
            }
        }
    }
    assert!(noticed > 100, "{noticed} flipped bytes were noticed by reading everything");
    println!("{noticed} noticed by reading, {only_verified} only by verify");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_removed_takes_no_more_appends() {
    for removed in ["removed.db", "removed.db-wal"] {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("removed.db")).unwrap();
        fill(&store, 3).await;
        fs::remove_file(directory.path().join(removed)).unwrap();
        let error = store.append(&commit(4)).await.unwrap_err();
        assert!(matches!(error, AppendError::Permanent(_)), "{error}");
        assert!(error.to_string().contains("removed or replaced"), "{error}");
        let key = StateKey::new("space", "name");
        assert!(store.put(&key, Bytes::new(), ExpectedRevision::Any).await.is_err());
    }
}

#[tokio::test]
async fn a_program_that_holds_the_lock_makes_appends_wait_and_then_fail_for_now() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("busy.db");
    let store = SqliteStore::builder(&path)
        .busy_timeout(std::time::Duration::from_millis(20))
        .open()
        .unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.append(&commit(1)).await.unwrap_err();
    assert_eq!(error.category(), ErrorCategory::Transient, "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    store.append(&commit(1)).await.unwrap();
}

/// Opens what it may not write to, as a user who has no rights beyond the permissions; does nothing
/// when it is run as a test.
#[cfg(unix)]
#[tokio::test]
async fn the_process_that_may_not_write() {
    let Ok(directory) = std::env::var(READ_ONLY_DIRECTORY) else { return };
    for part in ["file", "directory", "lock", "new"] {
        let database = Path::new(&directory).join(part).join("a.db");
        match SqliteStore::open(&database) {
            Err(error) => println!("refused: {part}: {error}"),
            Ok(store) => panic!("{part} is opened: {:?}", store.append(&commit(1)).await),
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_may_not_be_written_to_is_refused_when_it_is_opened_and_stays_as_it_is() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    let directory = tempfile::tempdir().unwrap();
    let may = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    may(directory.path(), 0o755);
    for part in ["file", "directory", "lock", "new"] {
        let of_part = directory.path().join(part);
        fs::create_dir(&of_part).unwrap();
        if part != "new" {
            let store = SqliteStore::open(of_part.join("a.db")).unwrap();
            fill(&store, 2).await;
        }
    }
    let of = |path: &str| directory.path().join(path);
    for (path, mode) in [
        ("file/a.db", 0o444),
        ("file/a.db-lock", 0o666),
        ("file", 0o777),
        ("directory/a.db", 0o666),
        ("directory/a.db-lock", 0o666),
        ("directory", 0o555),
        ("lock/a.db", 0o666),
        ("lock/a.db-lock", 0o444),
        ("lock", 0o777),
        ("new", 0o555),
    ] {
        may(&of(path), mode);
    }
    let databases = ["file/a.db", "directory/a.db", "lock/a.db"];
    let before = databases.map(|database| fs::read(of(database)).unwrap());

    // Permissions do not bind root: it gives them up. Others may not read where the program lies.
    let program = of("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut process = Command::new(&program);
    process.args(["--exact", "the_process_that_may_not_write", "--nocapture"]);
    process.env(READ_ONLY_DIRECTORY, directory.path()).current_dir(directory.path());
    if fs::metadata(directory.path()).unwrap().uid() == 0 {
        process.uid(65_534).gid(65_534);
    }
    let output = process.stderr(Stdio::inherit()).output().unwrap();
    for (path, mode) in [("directory", 0o755), ("new", 0o755)] {
        may(&of(path), mode);
    }
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    let says = |part: &str, words: &[&str]| {
        let line = printed.lines().find_map(|line| line.split_once(&format!("refused: {part}: ")));
        let (_, message) = line.unwrap_or_else(|| panic!("{part}: {printed}"));
        for word in words {
            assert!(message.contains(word), "{part}: {message}");
        }
    };
    says("file", &["file/a.db` is read-only", "let this program write to it"]);
    says("directory", &["directory `", "/directory` is read-only", "write to the directory"]);
    says("lock", &["lock/a.db-lock` can not be opened", "ermission denied", "read and write it"]);
    says("new", &["directory `", "/new` is read-only", "write to the directory"]);

    assert_eq!(databases.map(|database| fs::read(of(database)).unwrap()), before);
    assert!(fs::read_dir(of("new")).unwrap().next().is_none());
}

/// Tries to open a file that is in use; does nothing when it is run as a test.
#[test]
fn the_second_process() {
    let Ok(database) = std::env::var(IN_USE_DATABASE) else { return };
    match SqliteStore::open(database) {
        Err(error @ OpenError::InUse { .. }) => println!("refused: {error}"),
        _ => panic!("two processes have one file"),
    }
}

#[tokio::test]
async fn a_second_store_on_a_file_is_refused_here_and_in_another_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("one.db");
    let store = SqliteStore::open(&path).unwrap();
    fill(&store, 1).await;
    let message = format!("is in use by process {}", std::process::id());
    let second = SqliteStore::open(&path).err().unwrap();
    assert!(second.to_string().contains(&message), "{second}");
    #[cfg(unix)]
    {
        let link = directory.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(SqliteStore::open(&link), Err(OpenError::InUse { .. })));
        let printed = run_alone("the_second_process", IN_USE_DATABASE, &path, "");
        assert!(printed.contains(&message), "{printed}");
    }
    #[cfg(unix)]
    {
        // A link that was there before the file.
        let (early, target) = (directory.path().join("early.db"), directory.path().join("late.db"));
        std::os::unix::fs::symlink(&target, &early).unwrap();
        let first = SqliteStore::open(&early).unwrap();
        assert!(matches!(SqliteStore::open(&target), Err(OpenError::InUse { .. })));
        drop(first);
        let hard = directory.path().join("hard.db");
        fs::hard_link(&target, &hard).unwrap();
        for name in [&hard, &target, &early] {
            let error = SqliteStore::open(name).err().unwrap();
            assert!(matches!(error, OpenError::HardLinks { links: 2, .. }), "{error}");
        }
        fs::remove_file(hard).unwrap();
        drop(SqliteStore::open(&early).unwrap());
    }
    // It did no harm, and the file is free when the first one goes.
    store.append(&commit(2)).await.unwrap();
    drop(store);
    assert_eq!(everything(&SqliteStore::open(&path).unwrap()).await.unwrap().len(), 4);
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("text.db"), "This is a letter, and not a short one. ".repeat(50)).unwrap();
    let foreign = Connection::open(path("foreign.db")).unwrap();
    foreign.execute_batch("CREATE TABLE mine (a); PRAGMA application_id = 7;").unwrap();
    drop(foreign);
    drop(SqliteStore::open(path("newer.db")).unwrap());
    let newer = Connection::open(path("newer.db")).unwrap();
    newer.execute_batch("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE);").unwrap();
    drop(newer);

    type Expected = fn(&OpenError) -> bool;
    let refusals: [(&str, Expected); 3] = [
        ("text.db", |error| matches!(error, OpenError::NotADatabase { .. })),
        ("foreign.db", |error| {
            matches!(error, OpenError::OtherApplication { application_id: 7, .. })
        }),
        ("newer.db", |error| matches!(error, OpenError::NewerSchema { found: 99, .. })),
    ];
    for (name, expected) in refusals {
        let before = fs::read(path(name)).unwrap();
        let error = SqliteStore::open(path(name)).err().unwrap();
        assert!(expected(&error), "{error}");
        assert_eq!(fs::read(path(name)).unwrap(), before, "{name}");
    }
    let missing = SqliteStore::open(path("no such directory/a.db"));
    let missing = missing.err().unwrap();
    assert!(matches!(missing, OpenError::File { .. }), "{missing}");
    assert!(missing.to_string().ends_with("make its directory first"), "{missing}");
    let folder = SqliteStore::open(directory.path()).err().unwrap();
    assert!(folder.to_string().contains("choose a file in it"), "{folder}");
    assert!(fs::read_dir(directory.path()).unwrap().all(|entry| entry.unwrap().path().is_file()));
}

#[tokio::test]
async fn a_backup_is_a_whole_store_and_does_not_overwrite() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let store = SqliteStore::open(path("a.db")).unwrap();
    fill(&store, 700).await;
    store.back_up(path("b.db")).await.unwrap();
    let again = store.back_up(path("b.db")).await;
    assert!(matches!(again, Err(MaintenanceError::Exists { .. })));
    store.append(&commit(1_000)).await.unwrap();
    let copy = SqliteStore::open(path("b.db")).unwrap();
    assert_eq!(copy.identity(), store.identity());
    assert_eq!(copy.verify().await.unwrap().events, 1_400);
    assert_eq!(everything(&copy).await.unwrap(), everything(&store).await.unwrap()[..1_400]);
    assert!(copy.append(&commit(3)).await.unwrap().repeated);
}

#[tokio::test]
async fn the_log_begins_anew_although_somebody_reads_page_by_page() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::builder(directory.path().join("log.db"))
        .checkpoint_at(256 * 1024)
        .open()
        .unwrap();
    let mut range = QueryRange { limit: 10, ..QueryRange::all() };
    for number in 0..1_500 {
        store.append(&commit(number)).await.unwrap();
        let page = store.read(&Query::all(), range).await.unwrap();
        range.after = page.token(&range);
    }
    let size = store.size().unwrap();
    assert!(size.log < 2 * 1024 * 1024, "{size:?}");
    let done = store.checkpoint().await.unwrap();
    assert!(done.complete);
    assert_eq!(store.size().unwrap().log, 0);
}

#[test]
fn people_can_query_the_events() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("people.db");
    let store = SqliteStore::open(&path).unwrap();
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio.block_on(fill(&store, 4));
    let event = tokio.block_on(everything(&store)).unwrap().swap_remove(2);
    let connection = Connection::open(&path).unwrap();
    let columns = "stream, version, event_id, name, schema_version, payload ->> '$.number', tags,
        metadata ->> '$.actor', occurred_at, recorded_at";
    let sql = format!("SELECT {columns} FROM events WHERE position = 3");
    let row: Vec<String> = connection
        .query_row(&sql, [], |row| {
            (0..10)
                .map(|index| {
                    Ok(match row.get_ref(index)? {
                        rusqlite::types::ValueRef::Null => "NULL".to_owned(),
                        rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                        text => text.as_str().unwrap().to_owned(),
                    })
                })
                .collect()
        })
        .unwrap();
    let recorded_at = format!("{:.6}", event.recorded_at);
    let id = event.event_id.to_string();
    let wanted = ["fault/1", "1", &id, "opened", "1", "1", "[\"number:1\"]", "somebody", "NULL"];
    assert_eq!(row[..9], wanted);
    assert_eq!(row[9], recorded_at);
}

/// What a hand could write into a column.
fn value() -> impl Strategy<Value = rusqlite::types::Value> {
    use rusqlite::types::Value;
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Real),
        ".{0,90}".prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..100).prop_map(Value::Blob),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn a_row_that_was_altered_by_hand_is_an_error_and_no_panic(
        column in prop::sample::select(vec![
            "event_records.record", "event_records.payload", "event_records.version",
            "event_records.stream_id", "event_records.type_id", "streams.name",
            "event_types.name", "event_types.schema_version", "event_tags.tag",
            "event_ids.position", "state_records.value", "state_records.revision",
            "state_records.name", "event_type_blocks.block", "store.ids_up_to",
        ]),
        value in value(),
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hand.db");
        let store = SqliteStore::open(&path).unwrap();
        let key = StateKey::new("space", "name");
        let events = tokio.block_on(async {
            fill(&store, 6).await;
            store.put(&key, Bytes::from_static(b"value"), ExpectedRevision::Any).await.unwrap();
            everything(&store).await.unwrap()
        });
        drop(store);
        let (table, column) = column.split_once('.').unwrap();
        let connection = Connection::open(&path).unwrap();
        // Some values are refused by the tables themselves.
        let sql = format!("UPDATE OR IGNORE {table} SET {column} = ?1");
        let _ = connection.execute(&sql, [value]);
        drop(connection);

        let Ok(store) = SqliteStore::open(&path) else { return Ok(()) };
        tokio.block_on(async {
            let ended = |error: &dyn std::error::Error| error.to_string().contains("has ended");
            match everything(&store).await {
                Ok(read) => assert_eq!(read, events),
                Err(error) => assert!(!ended(&error), "a panic"),
            }
            let stream = StreamId::new("fault", 1).unwrap();
            if let Err(error) = store.read_stream(&stream, StreamRange::all()).await {
                assert!(!ended(&error), "a panic");
            }
            let tagged = Query::from(es_core::QueryItem::tagged(["number:1"]));
            let tagged = tagged.or(es_core::QueryItem::named(["noted"]));
            for query in [tagged, Query::from(es_core::QueryItem::named(["noted"]))] {
                if let Err(error) = store.read(&query, QueryRange::all()).await {
                    assert!(!ended(&error), "a panic");
                }
            }
            for event in &events {
                match store.find(event.event_id).await {
                    Ok(found) => assert!(found.is_none_or(|found| found == *event)),
                    Err(error) => assert!(!ended(&error), "a panic"),
                }
            }
            match store.get(&key).await {
                Ok(record) => assert!(record.is_none_or(|record| record.value == b"value"[..])),
                Err(error) => assert!(!ended(&error), "a panic"),
            }
            if let Err(error) = store.append(&commit(50)).await {
                assert!(!matches!(error, AppendError::OutcomeUnknown(_)), "{error}");
            }
            let _ = store.list("space", None, 10).await;
            if let Err(error) = store.verify().await {
                assert!(!ended(&error), "a panic");
            }
        });
    }
}
