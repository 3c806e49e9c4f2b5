//! Which event ids are stored, and where.
//!
//! An index that every append adds to costs it a page, and with ids that are not in the order of
//! time a page anywhere. So the newest ids are kept in memory and go into the table `event_ids` many
//! at a time, with a transaction that is made anyway. When the store is opened, those that are not
//! there yet are read from the end of the log.

use std::sync::{Arc, PoisonError, RwLock};

use es_core::{EventId, Position};
use hashbrown::HashMap;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Damage, Failure};
use crate::pages::bound;
use crate::record::Record;

/// So many go into the table together.
const TOGETHER: usize = 512;

const POSITION: &str = "SELECT position FROM event_ids WHERE event_id = ?1";
const INSERT: &str = "INSERT INTO event_ids (event_id, position) VALUES (?1, ?2)";
const INDEXED: &str = "SELECT ids_up_to FROM store";
const SET_INDEXED: &str = "UPDATE store SET ids_up_to = ?1";
const NOT_INDEXED: &str = "SELECT record, position FROM event_records
    WHERE position > (SELECT ids_up_to FROM store) ORDER BY position";

/// The ids of committed events that are not in the table yet. The writer changes it, readers look
/// into it.
#[derive(Default)]
pub(crate) struct RecentIds(RwLock<HashMap<EventId, i64>>);

impl RecentIds {
    pub(crate) fn position(&self, id: EventId) -> Option<i64> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<EventId, i64>)) {
        // Whole between any two statements.
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The ids as the writer knows them.
pub(crate) struct EventIds {
    recent: Arc<RecentIds>,
    /// Of the transaction that is open.
    uncommitted: HashMap<EventId, i64>,
    /// The recent ones are in the table once the transaction is committed.
    indexed: bool,
}

impl EventIds {
    /// The ids as they are stored.
    pub(crate) fn load(connection: &Connection, recent: Arc<RecentIds>) -> Result<Self, Failure> {
        let mut found = HashMap::new();
        let mut statement = connection.prepare_cached(NOT_INDEXED)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let position = row.get(1)?;
            let malformed = |_| Damage::Malformed {
                position: Position::new(u64::try_from(position).unwrap_or(0)),
                what: "its record is no blob",
            };
            let record = Record::read(row.get_ref(0)?.as_blob().map_err(malformed)?)?;
            found.insert(record.fields.event_id, position);
        }
        recent.change(|recent| *recent = found);
        Ok(Self { recent, uncommitted: HashMap::new(), indexed: false })
    }

    pub(crate) fn position(
        &self,
        connection: &Connection,
        id: EventId,
    ) -> Result<Option<i64>, Failure> {
        let known = self.uncommitted.get(&id).copied().or_else(|| self.recent.position(id));
        if known.is_some() { Ok(known) } else { Ok(indexed(connection, id)?) }
    }

    pub(crate) fn add(&mut self, id: EventId, position: i64) {
        self.uncommitted.insert(id, position);
    }

    /// Puts all ids up to the head into the table, because the events that they could be read from are
    /// about to go.
    pub(crate) fn index_now(
        &mut self,
        connection: &Connection,
        head: Position,
    ) -> Result<(), Failure> {
        let mut ids: Vec<_> = self.uncommitted.drain().collect();
        if !self.indexed {
            let recent = self.recent.0.read().unwrap_or_else(PoisonError::into_inner);
            ids.extend(recent.iter().map(|(id, position)| (*id, *position)));
        }
        ids.sort_unstable();
        let mut insert = connection.prepare_cached(INSERT)?;
        for (id, position) in ids {
            insert.execute(params![id.as_uuid().as_bytes().as_slice(), position])?;
        }
        connection.prepare_cached(SET_INDEXED)?.execute([bound(head.get())])?;
        self.indexed = true;
        Ok(())
    }

    /// At the beginning of a transaction: puts the recent ids into the table if there are enough.
    pub(crate) fn index_when_due(&mut self, connection: &Connection) -> Result<(), Failure> {
        let mut ids: Vec<_> = {
            let recent = self.recent.0.read().unwrap_or_else(PoisonError::into_inner);
            if recent.len() < TOGETHER {
                return Ok(());
            }
            recent.iter().map(|(id, position)| (*id, *position)).collect()
        };
        // In the order of the table, so that neighbours share a page.
        ids.sort_unstable();
        let mut insert = connection.prepare_cached(INSERT)?;
        let mut last = 0;
        for (id, position) in ids {
            insert.execute(params![id.as_uuid().as_bytes().as_slice(), position])?;
            last = last.max(position);
        }
        connection.prepare_cached(SET_INDEXED)?.execute([last])?;
        self.indexed = true;
        Ok(())
    }

    /// After a transaction: readers may know of its events.
    pub(crate) fn committed(&mut self) {
        let Self { recent, uncommitted, indexed } = self;
        if *indexed || !uncommitted.is_empty() {
            recent.change(|recent| {
                if std::mem::take(indexed) {
                    recent.clear();
                }
                recent.extend(uncommitted.drain());
            });
        }
    }
}

/// Where an id is, if it is in the table.
pub(crate) fn indexed(connection: &Connection, id: EventId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(POSITION)?
        .query_row([id.as_uuid().as_bytes().as_slice()], |row| row.get(0))
        .optional()
}

/// Up to which position the ids of events are in the table.
pub(crate) fn indexed_up_to(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(INDEXED, [], |row| row.get(0))
}
