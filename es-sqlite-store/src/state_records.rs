//! State records: written inside the writer's transaction, read by the pool.

use es_core::bytes::Bytes;
use es_core::{
    ExpectedRevision, Revision, RowWork, StateChange, StateCommit, StateError, StateKey, StatePage,
    StateRecord,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::error::{Damage, Failure};
use crate::rows::{Sqlite, SqliteTransaction, Texts};

/// A page ends at this many bytes even when more records were asked for.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

const GET: &str =
    "SELECT revision, value, checksum FROM state_records WHERE space = ?1 AND name = ?2";
const REVISION: &str = "SELECT revision FROM state_records WHERE space = ?1 AND name = ?2";
const NEXT_REVISION: &str =
    "UPDATE store SET last_revision = last_revision + 1 RETURNING last_revision";
const LAST_REVISION: &str = "SELECT last_revision FROM store";
const SET_LAST_REVISION: &str = "UPDATE store SET last_revision = ?1";
const PUT: &str = "INSERT INTO state_records (space, name, revision, value, checksum)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (space, name) DO UPDATE
    SET revision = excluded.revision, value = excluded.value, checksum = excluded.checksum";
const REMOVE: &str = "DELETE FROM state_records WHERE space = ?1 AND name = ?2";
const LIST: &str = "SELECT revision, value, checksum, name FROM state_records
    WHERE space = ?1 AND name > ?2 ORDER BY name";
const LIST_FROM_START: &str = "SELECT revision, value, checksum, name FROM state_records
    WHERE space = ?1 AND name >= ?2 ORDER BY name";

pub(crate) fn put(
    connection: &Connection,
    key: &StateKey,
    value: &Bytes,
    expected: ExpectedRevision,
) -> Result<Result<Revision, StateError>, Failure> {
    if let Err(conflict) = check(connection, key, expected)? {
        return Ok(Err(conflict));
    }
    let revision: i64 =
        connection.prepare_cached(NEXT_REVISION)?.query_row([], |row| row.get(0))?;
    let checksum = checksum(key, revision, value);
    connection.prepare_cached(PUT)?.execute(params![
        key.space(),
        key.name(),
        revision,
        value.as_ref(),
        checksum
    ])?;
    Ok(Ok(Revision::new(revision as u64)))
}

/// Changes several records, and does the rows' work, or nothing.
pub(crate) fn commit(
    connection: &Connection,
    commit: &StateCommit,
    rows: Option<&RowWork<Sqlite>>,
    texts: &mut Texts,
) -> Result<Result<Revision, StateError>, Failure> {
    let changes = commit.changes.iter().map(|change| (&change.key, change.expected));
    for (key, expected) in
        commit.checks.iter().map(|(key, expected)| (key, *expected)).chain(changes)
    {
        if expected != ExpectedRevision::Any
            && let Err(conflict) = check(connection, key, expected)?
        {
            return Ok(Err(conflict));
        }
    }
    if let Some(rows) = rows
        && let Err(abandoned) = run(connection, rows, texts)?
    {
        return Ok(Err(abandoned));
    }
    let revision: i64 =
        connection.prepare_cached(NEXT_REVISION)?.query_row([], |row| row.get(0))?;
    let (mut put, mut remove) =
        (connection.prepare_cached(PUT)?, connection.prepare_cached(REMOVE)?);
    for StateChange { key, value, .. } in &commit.changes {
        match value {
            Some(value) => {
                let checksum = checksum(key, revision, value);
                let value = value.as_ref();
                put.execute(params![key.space(), key.name(), revision, value, checksum])?;
            }
            None => {
                remove.execute([key.space(), key.name()])?;
            }
        }
    }
    Ok(Ok(Revision::new(revision as u64)))
}

/// Does the rows' work. If it gives up, nothing of it stays, and the neighbours in the transaction
/// are not touched.
pub(crate) fn run(
    connection: &Connection,
    rows: &RowWork<Sqlite>,
    texts: &mut Texts,
) -> Result<Result<(), StateError>, Failure> {
    connection.prepare_cached("SAVEPOINT es_rows")?.execute([])?;
    let done = rows.run(&mut SqliteTransaction::new(connection, rows.scope(), texts));
    if done.is_err() {
        connection.prepare_cached("ROLLBACK TO es_rows")?.execute([])?;
    }
    // It fails if the work has ended the transaction: then nothing of it may be answered.
    connection.prepare_cached("RELEASE es_rows")?.execute([])?;
    Ok(done.map_err(|_| StateError::Abandoned))
}

/// The greatest revision that any record has had.
pub(crate) fn last_revision(connection: &Connection) -> Result<i64, Failure> {
    Ok(connection.prepare_cached(LAST_REVISION)?.query_row([], |row| row.get(0))?)
}

pub(crate) fn set_last_revision(connection: &Connection, revision: i64) -> Result<(), Failure> {
    connection.prepare_cached(SET_LAST_REVISION)?.execute([revision])?;
    Ok(())
}

/// Writes a record as it is, whatever was there.
pub(crate) fn write(
    connection: &Connection,
    key: &StateKey,
    record: &StateRecord,
) -> Result<(), Failure> {
    let (revision, value) = (record.revision.get().cast_signed(), record.value.as_ref());
    let checksum = checksum(key, revision, value);
    let fields = params![key.space(), key.name(), revision, value, checksum];
    connection.prepare_cached(PUT)?.execute(fields)?;
    Ok(())
}

/// Removes a record, if it is there.
pub(crate) fn erase(connection: &Connection, key: &StateKey) -> Result<(), Failure> {
    connection.prepare_cached(REMOVE)?.execute([key.space(), key.name()])?;
    Ok(())
}

pub(crate) fn remove(
    connection: &Connection,
    key: &StateKey,
    expected: ExpectedRevision,
) -> Result<Result<(), StateError>, Failure> {
    if let Err(conflict) = check(connection, key, expected)? {
        return Ok(Err(conflict));
    }
    erase(connection, key)?;
    Ok(Ok(()))
}

pub(crate) fn get(connection: &Connection, key: &StateKey) -> Result<Option<StateRecord>, Failure> {
    let mut statement = connection.prepare_cached(GET)?;
    let mut rows = statement.query([key.space(), key.name()])?;
    match rows.next()? {
        Some(row) => Ok(Some(record(row, key)?)),
        None => Ok(None),
    }
}

/// The records of a space whose names are greater than `after`.
pub(crate) fn list(
    connection: &Connection,
    space: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<StatePage, Failure> {
    let sql = if after.is_some() { LIST } else { LIST_FROM_START };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([space, after.unwrap_or("")])?;
    let (mut page, mut bytes) = (StatePage::default(), 0);
    while let Some(row) = rows.next()? {
        if page.records.len() >= limit || bytes >= PAGE_BYTES {
            page.more = true;
            break;
        }
        let name = row.get_ref(3)?.as_str();
        let unnamed = |_| Damage::State { key: StateKey::new(space, "?") };
        let key = StateKey::new(space, name.map_err(unnamed)?);
        let record = record(row, &key)?;
        bytes += record.value.len();
        page.records.push((key, record));
    }
    Ok(page)
}

fn check(
    connection: &Connection,
    key: &StateKey,
    expected: ExpectedRevision,
) -> Result<Result<(), StateError>, Failure> {
    let actual: Option<i64> = connection
        .prepare_cached(REVISION)?
        .query_row([key.space(), key.name()], |row| row.get(0))
        .optional()?;
    let actual = actual.map(|revision| Revision::new(revision as u64));
    Ok(if expected.admits(actual) {
        Ok(())
    } else {
        Err(StateError::Conflict { key: key.clone(), expected, actual })
    })
}

fn record(row: &Row<'_>, key: &StateKey) -> Result<StateRecord, Failure> {
    let damaged = || Damage::State { key: key.clone() };
    let revision = row.get_ref(0)?.as_i64().map_err(|_| damaged())?;
    let value = row.get_ref(1)?.as_blob().map_err(|_| damaged())?;
    if row.get_ref(2)?.as_i64() != Ok(checksum(key, revision, value)) {
        return Err(damaged().into());
    }
    Ok(StateRecord {
        revision: Revision::new(revision as u64),
        value: Bytes::copy_from_slice(value),
    })
}

fn checksum(key: &StateKey, revision: i64, value: &[u8]) -> i64 {
    let key = xxh3_64_with_seed(key.name().as_bytes(), xxh3_64(key.space().as_bytes()));
    xxh3_64_with_seed(value, key ^ revision as u64) as i64
}
