//! State records: written inside the writer's transaction, read by the pool.

use es_core::bytes::Bytes;
use es_core::{ExpectedRevision, Revision, StateError, StateKey, StatePage, StateRecord};
use rusqlite::{Connection, OptionalExtension, Row, params};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::error::{Damage, Failure};

/// A page ends at this many bytes even when more records were asked for.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

const GET: &str =
    "SELECT revision, value, checksum FROM state_records WHERE space = ?1 AND name = ?2";
const REVISION: &str = "SELECT revision FROM state_records WHERE space = ?1 AND name = ?2";
const NEXT_REVISION: &str =
    "UPDATE store SET last_revision = last_revision + 1 RETURNING last_revision";
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

pub(crate) fn remove(
    connection: &Connection,
    key: &StateKey,
    expected: ExpectedRevision,
) -> Result<Result<(), StateError>, Failure> {
    if let Err(conflict) = check(connection, key, expected)? {
        return Ok(Err(conflict));
    }
    connection.prepare_cached(REMOVE)?.execute([key.space(), key.name()])?;
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
