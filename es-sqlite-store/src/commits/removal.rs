//! Removing events and putting them back, inside the writer's transaction.

use es_core::{
    EventId, Position, RecordedEvent, Removal, RemovalError, RemovedPart, StreamId, Stub, Version,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{INSERT_EVENT, Log, TYPE};
use crate::error::{Damage, Failure};
use crate::pages::bound;
use crate::record::{self, Extras, Fields, Record, stream_seal, type_seal};
use crate::removed::{self, Removed};

const RECORD: &str = "SELECT record FROM event_records WHERE stream_id = ?1 AND version = ?2";
const REMEMBER: &str = "INSERT INTO removed_events (position, part_id, version, type_id)
    SELECT position, ?1, version, type_id FROM event_records
    WHERE stream_id = ?2 AND version BETWEEN ?3 AND ?4";
const DELETE: &str = "DELETE FROM event_records WHERE stream_id = ?1 AND version BETWEEN ?2 AND ?3";
const PART: &str = "SELECT part_id FROM removed_parts WHERE stream_id = ?1 AND first_version = ?2";
const TAG: &str = "SELECT 1 FROM event_tags WHERE tag = ?1 AND position = ?2";

impl Log {
    /// Removes the first events of a stream. Everything is checked before anything is written.
    pub(crate) fn remove(
        &mut self,
        connection: &Connection,
        removal: &Removal,
    ) -> Result<Result<(), RemovalError>, Failure> {
        let Removal { stream: id, part, .. } = removal;
        let stream = self.stream(connection, id)?;
        let parts = removed::parts(connection, stream.number)?;
        let stub = (!parts.is_empty()).then(|| Stub {
            stream: id.clone(),
            version: stream.version,
            parts,
        });
        let last = id_at(connection, stream.number, part.to)?;
        match Stub::check(stub.as_ref(), stream.version, removal, |_| last) {
            Ok(false) => {}
            Ok(true) => return Ok(Ok(())),
            Err(refused) => return Ok(Err(refused)),
        }
        self.ids.index_now(connection, self.head)?;
        let number = removed::insert_part(connection, stream.number, part)?;
        let (from, to) = (bound(part.from.get()), bound(part.to.get()));
        let events = part.to.get() - part.from.get() + 1;
        let remembered =
            connection.prepare_cached(REMEMBER)?.execute([number, stream.number, from, to])?;
        connection.prepare_cached(DELETE)?.execute([stream.number, from, to])?;
        if remembered as u64 == events {
            Ok(Ok(()))
        } else {
            Err(Damage::MissingVersion { stream: id.clone(), version: part.from }.into())
        }
    }

    /// Takes the part of a stream back that was removed last.
    pub(crate) fn put_back(
        &mut self,
        connection: &Connection,
        id: &StreamId,
        events: &[RecordedEvent],
    ) -> Result<Result<(), RemovalError>, Failure> {
        let stream = self.stream(connection, id)?.number;
        let parts = removed::parts(connection, stream)?;
        let part = match Stub::check_return(id, parts.last(), events) {
            Ok(part) => part,
            Err(refused) => return Ok(Err(refused)),
        };
        let number = match part {
            Some(part) => Some(self.part(connection, stream, part)?),
            None => None,
        };
        let mut types = Vec::with_capacity(events.len());
        for event in events {
            match self.is_known(connection, stream, number, event)? {
                Some(event_type) => types.push(event_type),
                None => {
                    let (stream, version) = (id.clone(), event.version);
                    return Ok(Err(RemovalError::OtherEvent { stream, version }));
                }
            }
        }
        // It was put back before.
        let Some(number) = number else { return Ok(Ok(())) };
        connection.execute("DELETE FROM removed_events WHERE part_id = ?1", [number])?;
        connection.execute("DELETE FROM removed_parts WHERE part_id = ?1", [number])?;
        for (event, event_type) in events.iter().zip(types) {
            self.write_again(connection, stream, event_type, event)?;
        }
        Ok(Ok(()))
    }

    fn part(
        &self,
        connection: &Connection,
        stream: i64,
        part: &RemovedPart,
    ) -> Result<i64, Failure> {
        let number = connection
            .prepare_cached(PART)?
            .query_row([stream, bound(part.from.get())], |row| row.get(0))
            .optional()?;
        Ok(number.ok_or(Damage::RemovedPart { stream })?)
    }

    /// The type of the event if it is the one that was removed with the part, or that is live.
    fn is_known(
        &mut self,
        connection: &Connection,
        stream: i64,
        part: Option<i64>,
        event: &RecordedEvent,
    ) -> Result<Option<u32>, Failure> {
        let position = bound(event.position.get());
        let version = event.schema_version.get();
        let found: Option<u32> = connection
            .prepare_cached(TYPE)?
            .query_row(params![event.name, version], |row| row.get(0))
            .optional()?;
        let Some(event_type) = found else { return Ok(None) };
        if self.ids.position(connection, event.event_id)? != Some(position) {
            return Ok(None);
        }
        let Some(part) = part else {
            let live = id_at(connection, stream, event.version)? == Some(event.event_id);
            return Ok(live.then_some(event_type));
        };
        let (position, version) = (event.position, event.version);
        let wanted = Removed { position, part, version, event_type };
        if Removed::at(connection, bound(position.get()))? != Some(wanted) {
            return Ok(None);
        }
        let mut tag = connection.prepare_cached(TAG)?;
        for wanted in event.tags.as_slice() {
            if !tag.exists(params![wanted.as_str(), bound(position.get())])? {
                return Ok(None);
            }
        }
        Ok(Some(event_type))
    }

    fn write_again(
        &mut self,
        connection: &Connection,
        stream: i64,
        event_type: u32,
        event: &RecordedEvent,
    ) -> Result<(), Failure> {
        let fields = Fields {
            event_id: event.event_id,
            position: event.position,
            stream,
            version: event.version,
            event_type,
            recorded_at: event.recorded_at.as_microsecond(),
            occurred_at: event.occurred_at.map(es_core::jiff::Timestamp::as_microsecond),
        };
        let extras = Extras { tags: event.tags.clone(), metadata: event.metadata.clone() };
        let seal =
            stream_seal(event.stream.as_str()) ^ type_seal(&event.name, event.schema_version.get());
        record::write(&mut self.record, &fields, &extras.written()?, seal, &event.payload);
        connection.prepare_cached(INSERT_EVENT)?.execute(params![
            bound(event.position.get()),
            stream,
            bound(event.version.get()),
            event_type,
            self.record,
            super::payload(&event.payload)
        ])?;
        Ok(())
    }
}

/// The id of the live event with a version.
fn id_at(
    connection: &Connection,
    stream: i64,
    version: Version,
) -> Result<Option<EventId>, Failure> {
    let mut statement = connection.prepare_cached(RECORD)?;
    let mut rows = statement.query([stream, bound(version.get())])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let malformed =
        |_| Damage::Malformed { position: Position::ZERO, what: "its record is no blob" };
    let record = Record::read(row.get_ref(0)?.as_blob().map_err(malformed)?)?;
    Ok(Some(record.fields.event_id))
}
