//! The names behind the numbers of streams and event types, as one connection knows them.

use es_core::{Payload, Recorded, SchemaVersion, StreamId};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::error::{Damage, Failure};
use crate::record::{Fields, Record, stream_seal, time, type_seal};

/// More names than this are forgotten and looked up again.
const MOST_STREAMS: usize = 65_536;
const MOST_TYPES: usize = 4_096;

/// A cache: what is not in it is looked up.
#[derive(Default)]
pub(crate) struct Names {
    streams: HashMap<i64, Stream>,
    types: HashMap<u32, EventType>,
}

struct Stream {
    id: StreamId,
    seal: u64,
}

struct EventType {
    name: String,
    schema_version: SchemaVersion,
    seal: u64,
}

impl Names {
    /// Verifies a row and shows it as an event.
    pub(crate) fn recorded<T>(
        &mut self,
        connection: &Connection,
        record: &Record<'_>,
        payload: ValueRef<'_>,
        show: impl FnOnce(Recorded<'_>) -> T,
    ) -> Result<T, Failure> {
        let Fields { event_id, position, stream, version, event_type, .. } = record.fields;
        let payload = payload_of(record, payload)?;
        if self.streams.len() >= MOST_STREAMS {
            self.streams.clear();
        }
        let stream = match self.streams.entry(stream) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(look_up_stream(connection, record)?),
        };
        if self.types.len() >= MOST_TYPES {
            self.types.clear();
        }
        let kind = match self.types.entry(event_type) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(look_up_type(connection, record)?),
        };
        record.verify(stream.seal ^ kind.seal, payload.as_bytes())?;
        let extras;
        let (tags, metadata) = if record.has_extras() {
            extras = record.extras()?;
            (extras.tags.as_slice(), &extras.metadata)
        } else {
            (&[][..], const { &es_core::Metadata::EMPTY })
        };
        let no_time = || record.malformed("its time is none");
        Ok(show(Recorded {
            position,
            stream: stream.id.borrowed(),
            version,
            event_id,
            name: &kind.name,
            schema_version: kind.schema_version,
            payload,
            tags,
            recorded_at: time(record.fields.recorded_at).ok_or_else(no_time)?,
            occurred_at: match record.fields.occurred_at {
                Some(occurred_at) => Some(time(occurred_at).ok_or_else(no_time)?),
                None => None,
            },
            metadata,
        }))
    }
}

fn payload_of<'a>(record: &Record<'_>, payload: ValueRef<'a>) -> Result<Payload<'a>, Damage> {
    match payload {
        // Whether it is text is found out for a whole page at once.
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Payload::Bytes(bytes)),
        _ => Err(record.malformed("its payload is neither text nor a blob")),
    }
}

fn look_up_stream(connection: &Connection, record: &Record<'_>) -> Result<Stream, Failure> {
    let (number, position) = (record.fields.stream, record.fields.position);
    let mut statement =
        connection.prepare_cached("SELECT name FROM streams WHERE stream_id = ?1")?;
    let mut rows = statement.query([number])?;
    let row = rows.next()?.ok_or(Damage::UnknownStream { position, number })?;
    let damaged = |reason: String| Damage::StreamName { number, reason };
    let name = row.get_ref(0)?.as_str().map_err(|error| damaged(error.to_string()))?;
    let id: StreamId = name.parse().map_err(|error| damaged(format!("{error}")))?;
    Ok(Stream { id, seal: stream_seal(name) })
}

fn look_up_type(connection: &Connection, record: &Record<'_>) -> Result<EventType, Failure> {
    let (number, position) = (record.fields.event_type, record.fields.position);
    let mut statement = connection
        .prepare_cached("SELECT name, schema_version FROM event_types WHERE type_id = ?1")?;
    let mut rows = statement.query([number])?;
    let row = rows.next()?.ok_or(Damage::UnknownType { position, number })?;
    let damaged = || Damage::EventType { number };
    let name = row.get_ref(0)?.as_str().map_err(|_| damaged())?;
    let version = row.get_ref(1)?.as_i64().ok().and_then(|version| u32::try_from(version).ok());
    let version = version.ok_or_else(damaged)?;
    Ok(EventType {
        name: name.to_owned(),
        schema_version: SchemaVersion::try_from(version).map_err(|_| damaged())?,
        seal: type_seal(name, version),
    })
}
