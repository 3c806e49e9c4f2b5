//! What is left of events that were removed: the parts of streams that are gone, and for each event its
//! place and type.

use std::sync::Arc;

use es_core::{
    Archived, EventId, PartDigest, Position, RemovedEvent, RemovedPart, SegmentRef, StreamId, Stub,
    Version,
};
use hashbrown::HashMap;
use rusqlite::{Connection, OptionalExtension, Row, params};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Damage, Failure};
use crate::pages::{self, bound};

const AT: &str =
    "SELECT position, part_id, version, type_id FROM removed_events WHERE position = ?1";
pub(crate) const FORWARD: &str = "SELECT position, part_id, version, type_id FROM removed_events
    WHERE position > ?1 AND position <= ?2 ORDER BY position";
pub(crate) const BACKWARD: &str = "SELECT position, part_id, version, type_id FROM removed_events
    WHERE position > ?1 AND position <= ?2 ORDER BY position DESC";
const ANY: &str = "SELECT EXISTS (SELECT 1 FROM removed_parts)";
const PARTS: &str =
    "SELECT first_version, last_version, last_event_id, segment, digest, begins_anew,
    checksum FROM removed_parts WHERE stream_id = ?1 ORDER BY first_version";
const STREAM_OF_PART: &str = "SELECT name FROM removed_parts JOIN streams USING (stream_id)
    WHERE part_id = ?1";
const STREAMS: &str = "SELECT name FROM streams
    WHERE name > ?1 AND stream_id IN (SELECT stream_id FROM removed_parts) ORDER BY name LIMIT ?2";
const TYPE_NAME: &str = "SELECT name FROM event_types WHERE type_id = ?1";

/// One removed event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Removed {
    pub(crate) position: Position,
    pub(crate) part: i64,
    pub(crate) version: Version,
    pub(crate) event_type: u32,
}

impl Removed {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        Ok(Self {
            position: Position::new(number(0)?),
            part: row.get(1)?,
            version: Version::new(number(2)?),
            event_type: row.get(3)?,
        })
    }

    /// The event that was at a position.
    pub(crate) fn at(connection: &Connection, position: i64) -> rusqlite::Result<Option<Self>> {
        connection.prepare_cached(AT)?.query_row([position], Self::read).optional()
    }

    /// The stored name of the event.
    pub(crate) fn name(&self, connection: &Connection) -> Result<String, Failure> {
        let (position, number) = (self.position, self.event_type);
        let mut statement = connection.prepare_cached(TYPE_NAME)?;
        let name = statement.query_row([number], |row| row.get(0)).optional()?;
        Ok(name.ok_or(Damage::UnknownType { position, number })?)
    }

    /// What there is to say of it.
    pub(crate) fn archived(
        &self,
        connection: &Connection,
        head: Position,
    ) -> Result<Archived, Failure> {
        let id = self.stream(connection)?;
        let stub = stub(connection, &id, head)?.ok_or_else(|| self.orphaned())?;
        Ok(stub.archived(self.version))
    }

    fn stream(&self, connection: &Connection) -> Result<StreamId, Failure> {
        let mut statement = connection.prepare_cached(STREAM_OF_PART)?;
        let name: Option<String> = statement.query_row([self.part], |row| row.get(0)).optional()?;
        stream_id(&name.ok_or_else(|| self.orphaned())?)
    }

    fn orphaned(&self) -> Damage {
        Damage::Malformed {
            position: self.position,
            what: "it was removed with a part that is not there",
        }
    }
}

/// The segments of parts, as one read meets them.
#[derive(Default)]
pub(crate) struct Places(HashMap<i64, Arc<(StreamId, Vec<RemovedPart>)>>);

impl Places {
    /// Where a removed event is; `None` if nowhere.
    pub(crate) fn event(
        &mut self,
        connection: &Connection,
        removed: &Removed,
    ) -> Result<Option<RemovedEvent>, Failure> {
        let known = match self.0.get(&removed.part) {
            Some(known) => Arc::clone(known),
            None => {
                let id = removed.stream(connection)?;
                let number = pages::number(connection, &id)?.ok_or_else(|| removed.orphaned())?;
                let known = Arc::new((id, parts(connection, number)?));
                self.0.insert(removed.part, Arc::clone(&known));
                known
            }
        };
        let (stream, parts) = &*known;
        let version = removed.version;
        let part = parts.iter().find(|part| (part.from..=part.to).contains(&version));
        let segment = part.ok_or_else(|| removed.orphaned())?.segment.clone();
        Ok(segment.map(|segment| RemovedEvent {
            position: removed.position,
            stream: stream.clone(),
            version,
            segment,
        }))
    }
}

/// Whether anything was removed.
pub(crate) fn any(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare_cached(ANY)?.query_row([], |row| row.get(0))
}

/// The removed parts of a stream, in order.
pub(crate) fn parts(connection: &Connection, stream: i64) -> Result<Vec<RemovedPart>, Failure> {
    let mut statement = connection.prepare_cached(PARTS)?;
    let mut rows = statement.query([stream])?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        parts.push(part(stream, row)?);
    }
    Ok(parts)
}

/// The stub of a stream, if something of it was removed.
pub(crate) fn stub(
    connection: &Connection,
    id: &StreamId,
    head: Position,
) -> Result<Option<Stub>, Failure> {
    let Some((number, version)) = pages::stream(connection, id, head)? else { return Ok(None) };
    let parts = parts(connection, number)?;
    Ok((!parts.is_empty()).then(|| Stub { stream: id.clone(), version, parts }))
}

/// Stubs sorted by stream.
pub(crate) fn stubs(
    connection: &Connection,
    after: Option<&StreamId>,
    limit: usize,
    head: Position,
) -> Result<Vec<Stub>, Failure> {
    let mut statement = connection.prepare_cached(STREAMS)?;
    let after = after.map_or("", StreamId::as_str);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after, limit])?;
    let mut stubs = Vec::new();
    while let Some(row) = rows.next()? {
        let id = stream_id(&row.get::<_, String>(0)?)?;
        stubs.extend(stub(connection, &id, head)?);
    }
    Ok(stubs)
}

/// Adds a part, and answers with its number.
pub(crate) fn insert_part(
    connection: &Connection,
    stream: i64,
    part: &RemovedPart,
) -> rusqlite::Result<i64> {
    let (segment, digest) = match &part.segment {
        Some(segment) => (Some(&*segment.name), Some(segment.digest.as_bytes().as_slice())),
        None => (None, None),
    };
    connection
        .prepare_cached(
            "INSERT INTO removed_parts (stream_id, first_version, last_version, last_event_id,
                 segment, digest, begins_anew, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING part_id",
        )?
        .query_row(
            params![
                stream,
                bound(part.from.get()),
                bound(part.to.get()),
                part.last_event_id.as_uuid().as_bytes().as_slice(),
                segment,
                digest,
                part.begins_anew,
                checksum(stream, part)
            ],
            |row| row.get(0),
        )
}

fn part(stream: i64, row: &Row<'_>) -> Result<RemovedPart, Failure> {
    let damaged = || Damage::RemovedPart { stream };
    let version = |column| row.get::<_, i64>(column).map(|number| Version::new(number as u64));
    let id: Vec<u8> = row.get(2)?;
    let name: Option<String> = row.get(3)?;
    let digest: Option<Vec<u8>> = row.get(4)?;
    let segment = match (name, digest) {
        (Some(name), Some(digest)) => {
            let digest = digest.try_into().map_err(|_| damaged())?;
            Some(SegmentRef { name: name.into(), digest: PartDigest::new(digest) })
        }
        (None, None) => None,
        _ => return Err(damaged().into()),
    };
    let id: [u8; 16] = id.try_into().map_err(|_| damaged())?;
    let part = RemovedPart {
        from: version(0)?,
        to: version(1)?,
        last_event_id: EventId::from_uuid(es_core::uuid::Uuid::from_bytes(id)),
        segment,
        begins_anew: row.get(5)?,
    };
    if row.get::<_, i64>(6)? != checksum(stream, &part) {
        return Err(damaged().into());
    }
    Ok(part)
}

/// Over everything that a part says, so that a change of it is noticed.
fn checksum(stream: i64, part: &RemovedPart) -> i64 {
    let RemovedPart { from, to, last_event_id, segment, begins_anew } = part;
    let place = match segment {
        Some(SegmentRef { name, digest }) => format!("{digest} {name}"),
        None => "nowhere".to_owned(),
    };
    let text = format!("{stream} {from} {to} {last_event_id} {begins_anew} {place}");
    xxh3_64(text.as_bytes()).cast_signed()
}

fn stream_id(name: &str) -> Result<StreamId, Failure> {
    name.parse().map_err(|error| {
        Damage::Database(format!("a stream has a name that is none: {error}")).into()
    })
}

impl From<Archived> for Failure {
    fn from(archived: Archived) -> Self {
        Self::Archived(Box::new(archived))
    }
}

/// The refusal to read a version of a stream that may have been removed.
pub(crate) fn refusal(
    connection: &Connection,
    id: &StreamId,
    version: Version,
    head: Position,
) -> Result<Option<Archived>, Failure> {
    let stub = stub(connection, id, head)?;
    Ok(stub.filter(|stub| version <= stub.up_to()).map(|stub| stub.archived(version)))
}
