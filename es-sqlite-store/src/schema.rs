//! The tables, how a file comes to have them, and which files are not ours.

use std::fmt::Write as _;

use es_core::uuid::Uuid;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::record::{CHECKSUM_BYTES, EXTRAS, OCCURRED_AT, RECORDED_AT};

/// `esql` in ASCII: `file` and `sqlite3` show it.
pub(crate) const APPLICATION_ID: i64 = 0x6573_716c;

/// The version that this crate writes.
pub(crate) const VERSION: i64 = Schema::CURRENT.version();

/// Brings the tables from one schema version to the next, inside a transaction.
type Migration = fn(&Connection) -> rusqlite::Result<()>;

/// The steps that lead from an empty file to the tables of today.
#[derive(Clone, Copy)]
pub(crate) struct Schema {
    /// The n-th brings a file from version n to n + 1. One that was released is never changed, because
    /// there are files that it made; what changes is a further one.
    migrations: &'static [Migration],
}

/// What a file is before it is opened as a store.
pub(crate) enum Kind {
    /// It is empty.
    New,
    /// It is a store of this or an older schema.
    Store {
        version: i64,
    },
    Newer {
        version: i64,
    },
    Other {
        application_id: i64,
    },
}

impl Schema {
    /// What this crate writes.
    pub(crate) const CURRENT: Self = Self { migrations: &[first_version, fence, removed_events] };

    pub(crate) const fn version(self) -> i64 {
        self.migrations.len() as i64
    }

    /// Looks at a file and changes nothing.
    pub(crate) fn kind(self, connection: &Connection) -> rusqlite::Result<Kind> {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (application_id, version) = (pragma("application_id")?, pragma("user_version")?);
        if application_id == APPLICATION_ID && version >= 1 {
            return Ok(if version <= self.version() {
                Kind::Store { version }
            } else {
                Kind::Newer { version }
            });
        }
        let objects: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if application_id == 0 && version == 0 && objects == 0 {
            Ok(Kind::New)
        } else {
            Ok(Kind::Other { application_id })
        }
    }

    /// Brings a file from a schema version, or from nothing, to the current one: all steps in one
    /// transaction, or none.
    pub(crate) fn migrate(self, connection: &mut Connection, from: i64) -> rusqlite::Result<()> {
        if from == self.version() {
            return Ok(());
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = usize::try_from(from).unwrap_or(0);
        for migration in self.migrations.iter().skip(done) {
            migration(&transaction)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", self.version())?;
        transaction.commit()
    }
}

/// The identity of the store in the file.
pub(crate) fn identity(connection: &Connection) -> rusqlite::Result<Option<Uuid>> {
    let text: Option<String> =
        connection.query_row("SELECT identity FROM store", [], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| text.parse().ok()))
}

fn first_version(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    connection.execute_batch(&events_view())?;
    // A random UUID: of the bytes that SQLite gives, with version and variant set.
    let random: [u8; 16] = connection.query_row("SELECT randomblob(16)", [], |row| row.get(0))?;
    let identity = es_core::uuid::Builder::from_random_bytes(random).into_uuid();
    connection.execute(
        "INSERT INTO store (identity, created_at, last_revision, ids_up_to)
         VALUES (?1, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), 0, 0)",
        [identity.to_string()],
    )?;
    Ok(())
}

/// A store can be closed to new events. One that an older program opened would take them all the same, which
/// is why this is a version.
fn fence(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(FENCE)
}

/// Events can be removed.
fn removed_events(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(REMOVED_EVENTS)
}

const TABLES: &str = "
-- One row: which store this is.
CREATE TABLE store (
    identity      TEXT    NOT NULL,
    created_at    TEXT    NOT NULL,
    last_revision INTEGER NOT NULL, -- of all state records that ever were
    ids_up_to     INTEGER NOT NULL  -- the events whose ids are in event_ids
);

CREATE TABLE streams (
    stream_id INTEGER PRIMARY KEY,
    name      TEXT    NOT NULL UNIQUE  -- category/id
);

CREATE TABLE event_types (
    type_id        INTEGER PRIMARY KEY,
    name           TEXT    NOT NULL,
    schema_version INTEGER NOT NULL,
    UNIQUE (name, schema_version)
);

-- Read the view `events`. This is what it is made of.
CREATE TABLE event_records (
    position  INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL,  -- of streams
    version   INTEGER NOT NULL,
    type_id   INTEGER NOT NULL,  -- of event_types
    record    BLOB    NOT NULL,  -- id, place, times, tags, metadata, checksum
    payload           NOT NULL   -- TEXT if it is text, else BLOB
);
CREATE UNIQUE INDEX events_by_stream ON event_records (stream_id, version);

-- Where events of a type are: in which blocks of 1024 positions. An index of every event would cost
-- every append a page.
CREATE TABLE event_type_blocks (
    type_id INTEGER NOT NULL,
    block   INTEGER NOT NULL,  -- (position - 1) / 1024
    PRIMARY KEY (type_id, block)
) WITHOUT ROWID;

-- The newest events follow here later, many at a time.
CREATE TABLE event_ids (
    event_id BLOB    NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE event_tags (
    tag      TEXT    NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (tag, position)
) WITHOUT ROWID;

CREATE TABLE state_records (
    space    TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    value    BLOB    NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (space, name)
);
";

const FENCE: &str = "
-- One row or none.
CREATE TABLE fence (
    successor TEXT    NOT NULL,  -- where new events go
    since     INTEGER NOT NULL   -- microseconds since 1970
);
";

/// Version 3: events can be removed.
const REMOVED_EVENTS: &str = "
-- Runs of events that are not in event_records any more.
CREATE TABLE removed_parts (
    part_id       INTEGER PRIMARY KEY,
    stream_id     INTEGER NOT NULL,  -- of streams
    first_version INTEGER NOT NULL,
    last_version  INTEGER NOT NULL,
    last_event_id BLOB    NOT NULL,
    segment       TEXT,              -- of an archive; NULL: they are nowhere
    digest        BLOB,
    begins_anew   INTEGER NOT NULL,  -- what follows is a summary of them
    checksum      INTEGER NOT NULL
);
CREATE UNIQUE INDEX removed_parts_by_stream ON removed_parts (stream_id, first_version);

-- What keeps positions, conditions and event ids right: their entries in event_ids, event_tags and
-- event_type_blocks stay.
CREATE TABLE removed_events (
    position INTEGER PRIMARY KEY,
    part_id  INTEGER NOT NULL,  -- of removed_parts
    version  INTEGER NOT NULL,
    type_id  INTEGER NOT NULL   -- of event_types
);
";

/// The view for people: one row an event, every part of it a column that can be read.
fn events_view() -> String {
    let extras = format!(
        "nullif(CAST(substr(record, {}, length(record) - {}) AS TEXT), '')",
        EXTRAS + 1,
        EXTRAS + CHECKSUM_BYTES
    );
    let digits = |from: usize, length: usize| format!("substr(hex(record), {from}, {length})");
    let event_id = [(1, 8), (9, 4), (13, 4), (17, 4), (21, 12)]
        .map(|(from, length)| digits(from, length))
        .join(" || '-' || ");
    let (recorded_at, occurred_at) = (time(RECORDED_AT), time(OCCURRED_AT));
    format!(
        "CREATE VIEW events AS SELECT
            position,
            streams.name AS stream,
            version,
            lower({event_id}) AS event_id,
            event_types.name AS name,
            schema_version,
            payload,
            {extras} ->> '$.tags' AS tags,
            {extras} ->> '$.metadata' AS metadata,
            {occurred_at} AS occurred_at,
            {recorded_at} AS recorded_at
        FROM event_records
        JOIN streams USING (stream_id)
        JOIN event_types USING (type_id)"
    )
}

/// The eight bytes at a place of the record as a time in words, or NULL if it is none.
fn time(place: usize) -> String {
    // SQLite has no function that makes a number of bytes: digit by digit, then.
    let hex = format!("hex(substr(record, {}, 8))", place + 1);
    let mut number = String::from("(0");
    for digit in 0..16 {
        let _ = write!(
            number,
            " | ((instr('0123456789ABCDEF', substr({hex}, {}, 1)) - 1) << {})",
            digit + 1,
            60 - 4 * digit
        );
    }
    number.push(')');
    // Time before 1970 has a negative number, but not a negative fraction.
    let fraction = format!("((({number} % 1000000) + 1000000) % 1000000)");
    format!(
        "strftime('%Y-%m-%dT%H:%M:%S', ({number} - {fraction}) / 1000000, 'unixepoch') || printf('.%06dZ', {fraction})"
    )
}

#[cfg(test)]
mod tests {
    //! Files of an older version, and of several: later versions than today's are made up
    //! here.

    use std::path::Path;
    use std::process::{Command, Stdio};

    use es_core::bytes::Bytes;
    use es_core::{
        Commit, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Query, QueryRange,
        RecordedEvent, SchemaVersion, StreamId, Tags,
    };

    use super::*;
    use crate::{OpenError, SqliteStore};

    const OLD: Schema = Schema { migrations: &[first_version, fence, removed_events] };
    const NEW: Schema = Schema {
        migrations: &[first_version, fence, removed_events, with_notes, with_notes_of_all],
    };
    const FAILING: Schema =
        Schema { migrations: &[first_version, fence, removed_events, with_notes, failing] };
    const KILLED: Schema =
        Schema { migrations: &[first_version, fence, removed_events, with_notes, killed] };

    const DATABASE: &str = "ES_MIGRATION_DATABASE";

    fn with_notes(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "CREATE TABLE notes (position INTEGER PRIMARY KEY, note TEXT NOT NULL);
             ALTER TABLE streams ADD COLUMN note TEXT NOT NULL DEFAULT 'none';",
        )
    }

    /// More than the page cache of the connection holds, so that a part of it is in the write-ahead
    /// log before it is committed.
    fn with_notes_of_all(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "INSERT INTO notes SELECT position, hex(randomblob(10000)) FROM event_records;
             UPDATE streams SET note = 'moved';",
        )
    }

    fn failing(connection: &Connection) -> rusqlite::Result<()> {
        with_notes_of_all(connection)?;
        connection.execute_batch("INSERT INTO no_such_table VALUES (1)")
    }

    fn killed(connection: &Connection) -> rusqlite::Result<()> {
        with_notes_of_all(connection)?;
        // Nothing is unwound and nothing is closed, as with `kill -9`.
        std::process::abort()
    }

    fn open(path: &Path, schema: Schema) -> Result<SqliteStore, OpenError> {
        SqliteStore::builder(path).schema(schema).open()
    }

    fn version(path: &Path) -> i64 {
        let connection = Connection::open(path).unwrap();
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    fn tables(path: &Path) -> Vec<String> {
        let connection = Connection::open(path).unwrap();
        let mut names = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY name").unwrap();
        let names =
            names.query_map([], |row| Ok(row.get::<_, Option<String>>(0)?.unwrap_or_default()));
        names.unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    async fn append(store: &SqliteStore, events: usize) {
        let event = |_| NewEvent {
            id: EventId::generate(),
            name: "noted".into(),
            schema_version: SchemaVersion::FIRST,
            payload: Bytes::from_static(b"{}"),
            tags: Tags::default(),
            occurred_at: None,
            metadata: Metadata::EMPTY,
        };
        let stream = StreamId::new("moved", 1).unwrap();
        let events = (0..events).map(event).collect();
        store.append(&Commit::new(stream, ExpectedVersion::Any, events).unwrap()).await.unwrap();
    }

    async fn everything(store: &SqliteStore) -> Vec<RecordedEvent> {
        let range = QueryRange { limit: usize::MAX, ..QueryRange::all() };
        let page = store.read(&Query::all(), range).await.unwrap();
        page.events.iter().map(|recorded| recorded.to_event()).collect()
    }

    /// A file of today's version with a history of 1,000 events.
    fn old_file(path: &Path) -> Vec<RecordedEvent> {
        let store = open(path, OLD).unwrap();
        run(async {
            append(&store, 1_000).await;
            everything(&store).await
        })
    }

    /// The file is one of today's version, as a program of today left it.
    fn is_old(path: &Path, tables_before: &[String], events: &[RecordedEvent]) {
        assert_eq!(version(path), OLD.version());
        assert_eq!(tables(path), tables_before);
        let store = open(path, OLD).unwrap();
        run(async {
            store.verify().await.unwrap();
            assert_eq!(everything(&store).await, events);
            append(&store, 1).await;
        });
    }

    #[test]
    fn an_older_file_is_brought_forward_by_all_steps_and_keeps_its_history() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("old.db");
        let events = old_file(&path);
        let identity = open(&path, OLD).unwrap().identity();
        let store = open(&path, NEW).unwrap();
        assert_eq!(store.identity(), identity);
        let notes = run(async {
            assert_eq!(everything(&store).await, events);
            store.verify().await.unwrap();
            append(&store, 1).await;
            let count = |connection: &Connection| {
                let sql = "SELECT count(*) FROM notes, streams WHERE streams.note = 'moved'";
                connection.query_row(sql, [], |row| row.get::<_, i64>(0))
            };
            store.read_rows(count).await.unwrap()
        });
        assert_eq!(notes, 1_000);
        drop(store);
        assert_eq!(version(&path), NEW.version());

        // Once: another opening does not do it again, and an older program does not touch it.
        assert_eq!(run(everything(&open(&path, NEW).unwrap())).len(), 1_001);
        let refused = open(&path, OLD).err().unwrap();
        let found = NEW.version();
        assert!(
            matches!(refused, OpenError::NewerSchema { found: it, .. } if it == found),
            "{refused}"
        );
        assert_eq!(version(&path), NEW.version());
    }

    #[test]
    fn a_new_file_is_made_by_the_same_steps() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("old.db"), directory.path().join("new.db"));
        drop(open(&old, OLD).unwrap());
        drop(open(&old, NEW).unwrap());
        drop(open(&new, NEW).unwrap());
        assert_eq!(tables(&old), tables(&new));
        assert_eq!(version(&new), NEW.version());
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_at_its_old_version_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("failing.db");
        let events = old_file(&path);
        let before = tables(&path);
        let error = open(&path, FAILING).err().unwrap();
        let (old, new) = (OLD.version(), FAILING.version());
        assert!(
            matches!(error, OpenError::Migration { from, to, .. } if (from, to) == (old, new)),
            "{error}"
        );
        assert!(error.to_string().contains("no such table: no_such_table"), "{error}");
        is_old(&path, &before, &events);
        // What was in the way is gone: it goes on from there.
        drop(open(&path, NEW).unwrap());
        assert_eq!(version(&path), NEW.version());
    }

    /// Is killed in the middle of a step; does nothing when it is run as a test.
    #[test]
    fn the_process_that_migrates() {
        if let Ok(database) = std::env::var(DATABASE) {
            let _ = open(Path::new(&database), KILLED);
            unreachable!("it was not killed");
        }
    }

    #[test]
    fn a_process_that_is_killed_in_a_step_leaves_the_file_at_its_old_version_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("killed.db");
        let events = old_file(&path);
        let before = tables(&path);
        let ended = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "schema::tests::the_process_that_migrates"])
            .env(DATABASE, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(ended.code(), None, "it ended by itself");
        // It had begun: some of it was written and never committed.
        let log = std::fs::metadata(directory.path().join("killed.db-wal")).unwrap().len();
        assert!(log > 1024 * 1024, "{log} bytes");
        is_old(&path, &before, &events);
        drop(open(&path, NEW).unwrap());
        assert_eq!(version(&path), NEW.version());
    }
}
