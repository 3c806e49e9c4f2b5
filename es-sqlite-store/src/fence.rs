//! The mark that closes the store to new events: one row, or none.

use es_core::Fence;
use es_core::jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Damage, Failure};

const READ: &str = "SELECT successor, since FROM fence";

/// The fence that stands in the file.
pub(crate) fn read(connection: &Connection) -> Result<Option<Fence>, Failure> {
    let row: Option<(String, i64)> = connection
        .prepare_cached(READ)?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(successor, since)| {
        let since = Timestamp::from_microsecond(since).map_err(|_| Damage::Fence)?;
        Ok(Fence { successor, since })
    })
    .transpose()
}

/// Writes it, where there is none.
pub(crate) fn write(connection: &Connection, fence: &Fence) -> Result<(), Failure> {
    let row = params![fence.successor, fence.since.as_microsecond()];
    connection.execute("INSERT INTO fence (successor, since) VALUES (?1, ?2)", row)?;
    Ok(())
}

/// Takes it away.
pub(crate) fn remove(connection: &Connection) -> Result<(), Failure> {
    connection.execute("DELETE FROM fence", [])?;
    Ok(())
}
