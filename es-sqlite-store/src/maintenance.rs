//! What an operator asks of a store: is it whole, copy it, how large is it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use es_core::{Position, StreamId, Version};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::{Damage, Failure, MaintenanceError};
use crate::event_types::block_of;
use crate::lock::beside;
use crate::names::Names;
use crate::pages::{self, Found, Reader, bound};
use crate::readers;
use crate::record::Record;
use crate::removed;
use crate::state_records;
use crate::{event_ids, event_types};

/// The most damage that [`SqliteStore::verify`](crate::SqliteStore::verify) reports.
pub const MAX_DAMAGE: usize = 100;

/// A store that was read as a whole and is as it was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// The position of its last event.
    pub head: Position,
    /// How many events it holds, without those that were removed.
    pub events: u64,
    /// How many streams they are of.
    pub streams: u64,
}

/// How much room a store takes on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Size {
    /// Bytes of the database file.
    pub database: u64,
    /// Bytes of the write-ahead log.
    pub log: u64,
}

pub(crate) fn size(database: &Path) -> Result<Size, MaintenanceError> {
    let length = |path: PathBuf| match fs::metadata(&path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) => Err(MaintenanceError::File { path, error }),
    };
    Ok(Size { database: length(database.to_owned())?, log: length(beside(database, "-wal"))? })
}

/// Writes a copy to a file that is not there yet: whole and on disk, or not at all.
pub(crate) fn back_up(database: &Path, busy: Duration, to: &Path) -> Result<(), MaintenanceError> {
    let exists = || MaintenanceError::Exists { path: to.to_owned() };
    let failed = |error| MaintenanceError::File { path: to.to_owned(), error };
    if to.try_exists().map_err(failed)? {
        return Err(exists());
    }
    let unfinished = beside(to, "-unfinished");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let connection = readers::connect(database, busy).map_err(Failure::from)?;
    let copied = connection
        .execute("VACUUM INTO ?1", [unfinished.to_string_lossy().as_ref()])
        .map_err(|error| MaintenanceError::from(Failure::from(error)))
        .and_then(|_| publish(&unfinished, to).map_err(failed));
    if copied.is_err() {
        // What is half done is of no use.
        let _ = fs::remove_file(&unfinished);
    }
    copied
}

/// Gives a finished file its name, once it is on disk.
fn publish(unfinished: &Path, to: &Path) -> std::io::Result<()> {
    File::open(unfinished)?.sync_all()?;
    // A link does not replace a file that has come to be there meanwhile.
    fs::hard_link(unfinished, to)?;
    fs::remove_file(unfinished)?;
    if cfg!(unix)
        && let Some(directory) = to.parent()
    {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Reads everything there is in one snapshot, and compares it with itself.
pub(crate) fn verify(database: &Path, busy: Duration) -> Result<Verified, MaintenanceError> {
    let connection = readers::connect(database, busy).map_err(Failure::from)?;
    connection.execute_batch("BEGIN").map_err(Failure::from)?;
    let mut examination = Examination {
        connection: &connection,
        names: Names::default(),
        damage: Vec::new(),
        ids_up_to: event_ids::indexed_up_to(&connection).map_err(Failure::from)?,
        ids: 0,
        noted: None,
    };
    examination.pages()?;
    let verified = examination.events()?;
    examination.ids()?;
    examination.removed_parts()?;
    examination.streams()?;
    examination.tags()?;
    examination.state_records()?;
    if examination.damage.is_empty() {
        Ok(verified)
    } else {
        Err(MaintenanceError::Damaged { damage: examination.damage })
    }
}

struct Examination<'a> {
    connection: &'a Connection,
    names: Names,
    damage: Vec<Damage>,
    /// The ids of events up to here are in the table of ids.
    ids_up_to: i64,
    /// How many of them were found.
    ids: i64,
    /// A type and a block that is known to have events of it.
    noted: Option<(u32, u64)>,
}

impl Examination<'_> {
    fn note(&mut self, damage: Damage) {
        if self.damage.len() < MAX_DAMAGE {
            self.damage.push(damage);
        }
    }

    /// Damage is noted; what keeps from going on is an error.
    fn noted<T>(&mut self, result: Result<T, Failure>) -> Result<Option<T>, MaintenanceError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Failure::Damage(damage)) => {
                self.note(damage);
                Ok(None)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// The pages, and that indexes and tables agree, as far as SQLite can tell.
    fn pages(&mut self) -> Result<(), MaintenanceError> {
        let connection = self.connection;
        let mut statement =
            connection.prepare("PRAGMA integrity_check(100)").map_err(Failure::from)?;
        let mut rows = statement.query([]).map_err(Failure::from)?;
        while let Some(row) = rows.next().map_err(Failure::from)? {
            let line: String = row.get(0).map_err(Failure::from)?;
            if line != "ok" {
                self.note(Damage::Database(line));
            }
        }
        Ok(())
    }

    /// Every record: its checksum, and that the columns beside it say the same.
    fn events(&mut self) -> Result<Verified, MaintenanceError> {
        let connection = self.connection;
        let head = pages::head(connection)?;
        let mut verified = Verified { head, events: 0, streams: 0 };
        let mut statement = connection
            .prepare(
                "SELECT record, payload, position, stream_id, version, type_id
                 FROM event_records ORDER BY position",
            )
            .map_err(Failure::from)?;
        let mut rows = statement.query([]).map_err(Failure::from)?;
        let mut expected = Position::ZERO.next();
        while let Some(row) = rows.next().map_err(Failure::from)? {
            verified.events += 1;
            let examined = self.event(row);
            let position = self.noted(examined)?.unwrap_or(expected);
            if position != expected && !self.were_removed(expected, position)? {
                self.note(Damage::MissingPosition { position: expected });
            }
            expected = position.next();
        }
        verified.streams = connection
            .query_row("SELECT count(*) FROM streams", [], |row| row.get::<_, i64>(0))
            .map_err(Failure::from)?
            .unsigned_abs();
        Ok(verified)
    }

    /// Whether all events from a position up to another one were removed.
    fn were_removed(&self, from: Position, before: Position) -> Result<bool, MaintenanceError> {
        let count = self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM removed_events WHERE position >= ?1 AND position < ?2",
            )
            .and_then(|mut statement| {
                let range = [bound(from.get()), bound(before.get())];
                statement.query_row(range, |row| row.get::<_, i64>(0))
            })
            .map_err(Failure::from)?;
        Ok(from < before && count.unsigned_abs() == before.get() - from.get())
    }

    fn event(&mut self, row: &Row<'_>) -> Result<Position, Failure> {
        let ValueRef::Blob(bytes) = row.get_ref(0)? else {
            let position = Position::ZERO;
            return Err(Damage::Malformed { position, what: "its record is no blob" }.into());
        };
        let record = Record::read(bytes)?;
        self.names.recorded(self.connection, &record, row.get_ref(1)?, |_| ())?;
        let fields = record.fields;
        let columns = [
            fields.position.get() as i64,
            fields.stream,
            fields.version.get() as i64,
            i64::from(fields.event_type),
        ];
        for (index, value) in columns.into_iter().enumerate() {
            if row.get_ref(index + 2)? != ValueRef::Integer(value) {
                return Err(record.malformed("its columns differ from its record").into());
            }
        }
        let block = block_of(fields.position.get());
        if self.noted != Some((fields.event_type, block)) {
            if !event_types::is_noted(self.connection, fields.event_type, block)? {
                return Err(record.malformed("its type is not noted for its block").into());
            }
            self.noted = Some((fields.event_type, block));
        }
        if columns[0] <= self.ids_up_to {
            if event_ids::indexed(self.connection, fields.event_id)? != Some(columns[0]) {
                return Err(record.malformed("its id is not in the table of ids").into());
            }
            self.ids += 1;
        }
        if record.has_extras() {
            for tag in record.extras()?.tags.as_slice() {
                let indexed = self
                    .connection
                    .prepare_cached("SELECT 1 FROM event_tags WHERE tag = ?1 AND position = ?2")?
                    .query_row((tag.as_str(), columns[0]), |_| Ok(()))
                    .optional()?;
                if indexed.is_none() {
                    return Err(record.malformed("its tags are not all in the index").into());
                }
            }
        }
        Ok(fields.position)
    }

    /// That the table of ids has no others than those of events.
    fn ids(&mut self) -> Result<(), MaintenanceError> {
        let count: i64 = self
            .connection
            .query_row("SELECT count(*) FROM event_ids", [], |row| row.get(0))
            .map_err(Failure::from)?;
        let removed: i64 = self
            .connection
            .query_row("SELECT count(*) FROM removed_events", [], |row| row.get(0))
            .map_err(Failure::from)?;
        let events = self.ids + removed;
        if count != events && self.damage.is_empty() {
            self.note(Damage::Database(format!(
                "the table event_ids has {count} rows for {events} events"
            )));
        }
        Ok(())
    }

    /// That the removed parts are what was written, and that each has its events.
    fn removed_parts(&mut self) -> Result<(), MaintenanceError> {
        let connection = self.connection;
        let mut statement = connection
            .prepare("SELECT DISTINCT stream_id FROM removed_parts")
            .map_err(Failure::from)?;
        let mut rows = statement.query([]).map_err(Failure::from)?;
        while let Some(row) = rows.next().map_err(Failure::from)? {
            let stream: i64 = row.get(0).map_err(Failure::from)?;
            let parts = removed::parts(connection, stream);
            self.noted(parts)?;
        }
        let mut statement = connection
            .prepare(
                "SELECT stream_id FROM removed_parts AS parts
                 LEFT JOIN removed_events AS events USING (part_id)
                 GROUP BY part_id HAVING count(DISTINCT version) <> last_version - first_version + 1
                    OR count(position) <> last_version - first_version + 1
                    OR min(version) <> first_version OR max(version) <> last_version",
            )
            .map_err(Failure::from)?;
        let mut rows = statement.query([]).map_err(Failure::from)?;
        while let Some(row) = rows.next().map_err(Failure::from)? {
            let stream: i64 = row.get(0).map_err(Failure::from)?;
            self.note(Damage::RemovedPart { stream });
        }
        Ok(())
    }

    /// That the versions of each stream are 1, 2, 3 and so on, behind those that were removed.
    fn streams(&mut self) -> Result<(), MaintenanceError> {
        let connection = self.connection;
        let mut statement = connection
            .prepare(
                "SELECT streams.name, count(*) + coalesce(gone, 0)
                 FROM event_records JOIN streams USING (stream_id)
                 LEFT JOIN (SELECT stream_id, max(last_version) AS gone FROM removed_parts
                    GROUP BY stream_id) USING (stream_id)
                 GROUP BY stream_id HAVING count(*) <> max(version) - coalesce(gone, 0)
                    OR min(version) <> coalesce(gone, 0) + 1",
            )
            .map_err(Failure::from)?;
        let mut rows = statement.query([]).map_err(Failure::from)?;
        while let Some(row) = rows.next().map_err(Failure::from)? {
            let (name, count): (String, i64) =
                row.try_into().map_err(|error: rusqlite::Error| Failure::from(error))?;
            match name.parse::<StreamId>() {
                Ok(stream) => {
                    let version = Version::new(count.unsigned_abs());
                    self.note(Damage::MissingVersion { stream, version });
                }
                Err(error) => self.note(Damage::Database(error.to_string())),
            }
        }
        Ok(())
    }

    /// That every entry of the index of tags is a tag of the event it names.
    fn tags(&mut self) -> Result<(), MaintenanceError> {
        let connection = self.connection;
        let mut statement = connection
            .prepare("SELECT tag, position FROM event_tags ORDER BY position")
            .map_err(Failure::from)?;
        let mut rows = statement.query([]).map_err(Failure::from)?;
        while let Some(row) = rows.next().map_err(Failure::from)? {
            let examined = self.tag(row);
            self.noted(examined)?;
        }
        Ok(())
    }

    fn tag(&mut self, row: &Row<'_>) -> Result<(), Failure> {
        let (tag, position): (String, i64) = row.try_into()?;
        let mut reader = Reader { connection: self.connection, names: &mut self.names };
        let found = reader.find_at(position, |recorded| {
            let found = recorded.tags.iter().any(|known| known.as_str() == tag);
            (found, recorded.position)
        })?;
        match found {
            // Which tags a removed event has, this index alone knows.
            Found::Live((true, _)) | Found::Removed(_) => Ok(()),
            Found::Live((false, position)) => {
                Err(Damage::Index { position, what: "has other tags" }.into())
            }
        }
    }

    fn state_records(&mut self) -> Result<(), MaintenanceError> {
        let connection = self.connection;
        let mut statement =
            connection.prepare("SELECT space, name FROM state_records").map_err(Failure::from)?;
        let mut rows = statement.query([]).map_err(Failure::from)?;
        while let Some(row) = rows.next().map_err(Failure::from)? {
            let key: Result<(String, String), _> = row.try_into();
            let (space, name) = key.map_err(Failure::from)?;
            let read = state_records::get(connection, &es_core::StateKey::new(space, name));
            self.noted(read)?;
        }
        Ok(())
    }
}
