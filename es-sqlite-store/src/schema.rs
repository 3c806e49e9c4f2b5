//! The tables, how a file comes to have them, and which files are not ours.

use std::fmt::Write as _;

use es_core::uuid::Uuid;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::record::{CHECKSUM_BYTES, EXTRAS, OCCURRED_AT, RECORDED_AT};

/// `esql` in ASCII: `file` and `sqlite3` show it.
pub(crate) const APPLICATION_ID: i64 = 0x6573_716c;

/// The version that this crate writes.
pub(crate) const VERSION: i64 = 2;

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

/// Looks at a file and changes nothing.
pub(crate) fn kind(connection: &Connection) -> rusqlite::Result<Kind> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application_id, version) = (pragma("application_id")?, pragma("user_version")?);
    if application_id == APPLICATION_ID && version >= 1 {
        return Ok(match version {
            ..=VERSION => Kind::Store { version },
            _ => Kind::Newer { version },
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

/// Brings a file from a schema version, or from nothing, to the current one: all steps or none.
pub(crate) fn migrate(connection: &mut Connection, from: i64) -> rusqlite::Result<()> {
    if from == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for version in from + 1..=VERSION {
        match version {
            1 => first_version(&transaction)?,
            2 => transaction.execute_batch(REMOVED_EVENTS)?,
            // There are no others up to the current one.
            _ => {}
        }
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
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

/// Version 2: events can be removed.
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
