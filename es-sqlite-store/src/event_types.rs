//! The numbers of event types, and in which blocks of the log there are events of each.

use std::ops::RangeInclusive;

use es_core::Direction;
use rusqlite::{CachedStatement, Connection, params};

/// The length of a block. The schema and the files that have it say the same.
pub(crate) const BLOCK: u64 = 1024;

const NUMBERS: &str = "SELECT type_id FROM event_types WHERE name = ?1";
const FIRST_BLOCK: &str =
    "SELECT min(block) FROM event_type_blocks WHERE type_id = ?1 AND block BETWEEN ?2 AND ?3";
const LAST_BLOCK: &str =
    "SELECT max(block) FROM event_type_blocks WHERE type_id = ?1 AND block BETWEEN ?2 AND ?3";
const NOTE: &str = "INSERT OR IGNORE INTO event_type_blocks (type_id, block) VALUES (?1, ?2)";

/// The types with some names, sorted: a name has one for each of its schema versions. A name that no
/// event has has none.
pub(crate) fn numbers<'n>(
    connection: &Connection,
    names: impl IntoIterator<Item = &'n str>,
) -> rusqlite::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    let mut statement = connection.prepare_cached(NUMBERS)?;
    for name in names {
        let mut rows = statement.query([name])?;
        while let Some(row) = rows.next()? {
            numbers.push(row.get(0)?);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// The block that a position is in.
pub(crate) fn block_of(position: u64) -> u64 {
    position.saturating_sub(1) / BLOCK
}

/// Notes that a block has an event of a type.
pub(crate) fn note(connection: &Connection, number: u32, block: u64) -> rusqlite::Result<()> {
    connection.prepare_cached(NOTE)?.execute(params![number, block as i64])?;
    Ok(())
}

/// Whether it is noted that a block has events of a type.
pub(crate) fn is_noted(connection: &Connection, number: u32, block: u64) -> rusqlite::Result<bool> {
    let found = Blocks::prepare(connection, Direction::Forward)?.next(&[number], block..=block)?;
    Ok(found.is_some())
}

/// Finds the blocks that have events of some types, one after another.
pub(crate) struct Blocks<'a> {
    statement: CachedStatement<'a>,
    direction: Direction,
}

impl<'a> Blocks<'a> {
    pub(crate) fn prepare(
        connection: &'a Connection,
        direction: Direction,
    ) -> rusqlite::Result<Self> {
        let sql = match direction {
            Direction::Forward => FIRST_BLOCK,
            Direction::Backward => LAST_BLOCK,
        };
        Ok(Self { statement: connection.prepare_cached(sql)?, direction })
    }

    /// The next block among these, in the direction.
    pub(crate) fn next(
        &mut self,
        numbers: &[u32],
        among: RangeInclusive<u64>,
    ) -> rusqlite::Result<Option<u64>> {
        let mut next = None;
        for number in numbers {
            let bounds = params![number, *among.start() as i64, *among.end() as i64];
            let found: Option<i64> = self.statement.query_row(bounds, |row| row.get(0))?;
            let Some(found) = found.and_then(|block| u64::try_from(block).ok()) else { continue };
            next = Some(match (next, self.direction) {
                (None, _) => found,
                (Some(next), Direction::Forward) => found.min(next),
                (Some(next), Direction::Backward) => found.max(next),
            });
        }
        Ok(next)
    }
}
