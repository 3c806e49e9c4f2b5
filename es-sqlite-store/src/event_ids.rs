//! Which event ids are stored, and where.
//!
//! An index that every append adds to costs it a page, and with ids that are not in the order of
//! time a page anywhere. So the newest ids are kept in memory and go into the table `event_ids` many
//! at a time, with a transaction that is made anyway. When the store is opened, those that are not
//! there yet are read from the end of the log.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use es_core::{EventId, Position};
use hashbrown::HashMap;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Damage, Failure, event_id};
use crate::pages::bound;
use crate::record::Record;

/// So many go into the table together.
const TOGETHER: usize = 512;

const POSITION: &str = "SELECT position FROM event_ids WHERE event_id = ?1";
const GREATEST: &str = "SELECT max(event_id) FROM event_ids";
const INSERT: &str = "INSERT INTO event_ids (event_id, position) VALUES (?1, ?2)";
const INDEXED: &str = "SELECT ids_up_to FROM store";
const SET_INDEXED: &str = "UPDATE store SET ids_up_to = ?1";
const RECORDS: &str =
    "SELECT record, position FROM event_records WHERE position > ?1 ORDER BY position";

/// The ids of committed events that are not in the table yet. The writer changes it, readers look
/// into it.
#[derive(Default)]
pub(crate) struct RecentIds(RwLock<Recent>);

#[derive(Default)]
struct Recent {
    positions: HashMap<EventId, i64>,
    /// Up to here every id is in the table or here.
    known_up_to: i64,
    /// Up to here they are in the table, and not here any more.
    indexed_up_to: i64,
}

impl Recent {
    /// Forgets those that are in the table.
    fn indexed(&mut self, up_to: i64) {
        if up_to > self.indexed_up_to {
            self.indexed_up_to = up_to;
            self.positions.retain(|_, position| *position > up_to);
        }
    }
}

impl RecentIds {
    pub(crate) fn position(&self, id: EventId) -> Option<i64> {
        self.read().positions.get(&id).copied()
    }

    /// Where an id is, also if another process has stored it. The ids of what is new are kept.
    pub(crate) fn find(
        &self,
        connection: &Connection,
        id: EventId,
    ) -> Result<Option<i64>, Failure> {
        let known_up_to = {
            let recent = self.read();
            if let Some(position) = recent.positions.get(&id) {
                return Ok(Some(*position));
            }
            recent.known_up_to
        };
        // Only now: what was forgotten here until then is in the table of this snapshot.
        let snapshot = connection.unchecked_transaction()?;
        if let Some(position) = indexed(&snapshot, id)? {
            return Ok(Some(position));
        }
        let indexed_up_to = indexed_up_to(&snapshot)?;
        let new = ids_after(&snapshot, known_up_to.max(indexed_up_to))?;
        let found = new.iter().find(|(new, _)| *new == id).map(|(_, position)| *position);
        self.add(&new, indexed_up_to);
        Ok(found)
    }

    /// Adds the ids of all events that come next, in their order.
    fn add(&self, new: &[(EventId, i64)], indexed_up_to: i64) {
        self.change(|recent| {
            recent.positions.extend(new.iter().copied());
            if let Some((_, last)) = new.last() {
                recent.known_up_to = recent.known_up_to.max(*last);
            }
            recent.indexed(indexed_up_to);
        });
    }

    fn read(&self) -> RwLockReadGuard<'_, Recent> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Recent)) {
        // Whole between any two statements.
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The ids of the events after a position.
fn ids_after(connection: &Connection, position: i64) -> Result<Vec<(EventId, i64)>, Failure> {
    let mut ids = Vec::new();
    let mut statement = connection.prepare_cached(RECORDS)?;
    let mut rows = statement.query([position])?;
    while let Some(row) = rows.next()? {
        let position = row.get(1)?;
        let malformed = |_| Damage::Malformed {
            position: Position::new(u64::try_from(position).unwrap_or(0)),
            what: "its record is no blob",
        };
        let record = Record::read(row.get_ref(0)?.as_blob().map_err(malformed)?)?;
        ids.push((record.fields.event_id, position));
    }
    Ok(ids)
}

/// The ids as the writer knows them.
pub(crate) struct EventIds {
    recent: Arc<RecentIds>,
    /// Of the transaction that is open.
    uncommitted: HashMap<EventId, i64>,
    /// The greatest one in the table: most ids are made in the order of time, and need not be looked
    /// for there.
    greatest: Option<EventId>,
    /// The recent ones up to here are in the table once the transaction is committed.
    indexed: Option<i64>,
}

impl EventIds {
    /// The ids as they are stored.
    pub(crate) fn load(connection: &Connection, recent: Arc<RecentIds>) -> Result<Self, Failure> {
        let indexed_up_to = indexed_up_to(connection)?;
        let found = ids_after(connection, indexed_up_to)?;
        let known_up_to = found.last().map_or(indexed_up_to, |(_, position)| *position);
        recent.change(|recent| {
            let positions = found.into_iter().collect();
            *recent = Recent { positions, known_up_to, indexed_up_to };
        });
        let greatest = greatest(connection)?;
        Ok(Self { recent, uncommitted: HashMap::new(), greatest, indexed: None })
    }

    /// Takes over what another process has added: the ids of all events that came since, in order.
    pub(crate) fn catch_up(
        &mut self,
        connection: &Connection,
        new: &[(EventId, i64)],
    ) -> Result<(), Failure> {
        let indexed_up_to = indexed_up_to(connection)?;
        self.recent.add(new, indexed_up_to);
        self.greatest = greatest(connection)?;
        Ok(())
    }

    pub(crate) fn position(
        &self,
        connection: &Connection,
        id: EventId,
    ) -> Result<Option<i64>, Failure> {
        let known = self.uncommitted.get(&id).copied().or_else(|| self.recent.position(id));
        if known.is_some() || Some(id) > self.greatest {
            return Ok(known);
        }
        Ok(indexed(connection, id)?)
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
        if self.indexed.is_none() {
            let recent = self.recent.read();
            ids.extend(recent.positions.iter().map(|(id, position)| (*id, *position)));
        }
        ids.sort_unstable();
        self.greatest = self.greatest.max(ids.last().map(|(id, _)| *id));
        let mut insert = connection.prepare_cached(INSERT)?;
        for (id, position) in ids {
            insert.execute(params![id.as_uuid().as_bytes().as_slice(), position])?;
        }
        let head = bound(head.get());
        connection.prepare_cached(SET_INDEXED)?.execute([head])?;
        self.indexed = Some(head);
        Ok(())
    }

    /// At the beginning of a transaction: puts the recent ids into the table if there are enough.
    pub(crate) fn index_when_due(&mut self, connection: &Connection) -> Result<(), Failure> {
        let mut ids: Vec<_> = {
            let recent = self.recent.read();
            if recent.positions.len() < TOGETHER {
                return Ok(());
            }
            recent.positions.iter().map(|(id, position)| (*id, *position)).collect()
        };
        // In the order of the table, so that neighbours share a page.
        ids.sort_unstable();
        self.greatest = self.greatest.max(ids.last().map(|(id, _)| *id));
        let mut insert = connection.prepare_cached(INSERT)?;
        let mut last = 0;
        for (id, position) in ids {
            insert.execute(params![id.as_uuid().as_bytes().as_slice(), position])?;
            last = last.max(position);
        }
        connection.prepare_cached(SET_INDEXED)?.execute([last])?;
        self.indexed = Some(last);
        Ok(())
    }

    /// After a transaction: readers may know of its events.
    pub(crate) fn committed(&mut self) {
        let Self { recent, uncommitted, indexed, .. } = self;
        if indexed.is_some() || !uncommitted.is_empty() {
            recent.change(|recent| {
                if let Some(up_to) = indexed.take() {
                    recent.indexed(up_to);
                }
                for (id, position) in uncommitted.drain() {
                    recent.known_up_to = recent.known_up_to.max(position);
                    recent.positions.insert(id, position);
                }
            });
        }
    }
}

/// The greatest id in the table.
fn greatest(connection: &Connection) -> rusqlite::Result<Option<EventId>> {
    connection.prepare_cached(GREATEST)?.query_row([], |row| {
        // Below what is none at all everything is looked for.
        let id = |bytes: &[u8]| event_id(bytes.try_into().unwrap_or([u8::MAX; 16]));
        Ok(row.get_ref(0)?.as_blob_or_null()?.map(id))
    })
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
    connection.prepare_cached(INDEXED)?.query_row([], |row| row.get(0))
}
