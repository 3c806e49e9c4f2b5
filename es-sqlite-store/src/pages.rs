//! Reading pages of events.

use std::collections::HashSet;

use es_core::{
    Direction, EventId, Page, PageBuilder, Position, Query, QueryPage, QueryRange, RecordedEvent,
    StreamId, StreamPage, StreamRange, Version,
};
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};

use crate::error::{Damage, Failure};
use crate::matches::Matches;
use crate::names::Names;
use crate::record::Record;

/// A page ends at this many bytes even when more events were asked for.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// The most events there is room for before a page is filled.
const PAGE_ROOM: usize = 4096;

/// After so many events in the global order it is asked whether the index is the shorter way.
const SCANNED: usize = 4096;
/// It is when fewer than one in so many was wanted.
const SPARSE: usize = 8;

const STREAM: &str = "SELECT stream_id,
    (SELECT max(version) FROM event_records WHERE stream_id = streams.stream_id)
    FROM streams WHERE name = ?1";
const STREAM_FORWARD: &str = "SELECT record, payload FROM event_records
    WHERE stream_id = ?1 AND version BETWEEN ?2 AND ?3 ORDER BY version";
const STREAM_BACKWARD: &str = "SELECT record, payload FROM event_records
    WHERE stream_id = ?1 AND version BETWEEN ?2 AND ?3 ORDER BY version DESC";
const FORWARD: &str = "SELECT record, payload FROM event_records
    WHERE position > ?1 AND position <= ?2 ORDER BY position";
const BACKWARD: &str = "SELECT record, payload FROM event_records
    WHERE position > ?1 AND position <= ?2 ORDER BY position DESC";
const AT: &str = "SELECT record, payload FROM event_records WHERE position = ?1";
const BY_ID: &str = "SELECT record, payload FROM event_records WHERE substr(record, 1, 16) = ?1";
const HEAD: &str = "SELECT max(position) FROM event_records";

/// A number as SQLite can compare it; what is above its range is above everything that is stored.
pub(crate) fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A stream's number and the version of its last event.
pub(crate) fn stream(
    connection: &Connection,
    id: &StreamId,
) -> Result<Option<(i64, Version)>, Failure> {
    let mut statement = connection.prepare_cached(STREAM)?;
    let found = statement
        .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?)))
        .optional()?;
    Ok(match found {
        Some((number, version)) => {
            let version = u64::try_from(version.unwrap_or(0)).unwrap_or(0);
            Some((number, Version::new(version)))
        }
        None => None,
    })
}

/// The position of the last event.
pub(crate) fn head(connection: &Connection) -> Result<Position, Failure> {
    let head: Option<i64> = connection.prepare_cached(HEAD)?.query_row([], |row| row.get(0))?;
    Ok(Position::new(head.and_then(|head| u64::try_from(head).ok()).unwrap_or(0)))
}

/// A connection that reads, with what it knows.
pub(crate) struct Reader<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) names: &'a mut Names,
}

impl Reader<'_> {
    pub(crate) fn read_stream(
        &mut self,
        id: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, Failure> {
        let Some((number, version)) = stream(self.connection, id)? else {
            return Ok(StreamPage { events: Page::default(), version: Version::ZERO, next: None });
        };
        let (from, to) = (range.from.get().max(1), range.to.get().min(version.get()));
        if from > to {
            return Ok(StreamPage { events: Page::default(), version, next: None });
        }
        // Versions have no gaps: the limit says which there are.
        let wanted = (to - from + 1).min(range.limit as u64);
        if wanted == 0 {
            let next = Some(Version::new(match range.direction {
                Direction::Forward => from,
                Direction::Backward => to,
            }));
            return Ok(StreamPage { events: Page::default(), version, next });
        }
        let (sql, first, last) = match range.direction {
            Direction::Forward => (STREAM_FORWARD, from, from + wanted - 1),
            Direction::Backward => (STREAM_BACKWARD, to - wanted + 1, to),
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([number, bound(first), bound(last)])?;
        let mut page = PageBuilder::with_capacity(PAGE_ROOM.min(wanted as usize));
        let mut taken = 0;
        while taken < wanted && page.bytes() < PAGE_BYTES {
            let expected = match range.direction {
                Direction::Forward => first + taken,
                Direction::Backward => last - taken,
            };
            let missing =
                || Damage::MissingVersion { stream: id.clone(), version: Version::new(expected) };
            let row = rows.next()?.ok_or_else(missing)?;
            let record = record(row)?;
            if record.fields.version.get() != expected || record.fields.stream != number {
                return Err(missing().into());
            }
            push(self, &mut page, row, &record)?;
            taken += 1;
        }
        let next = (taken < to - from + 1).then(|| {
            Version::new(match range.direction {
                Direction::Forward => from + taken,
                Direction::Backward => to - taken,
            })
        });
        Ok(StreamPage { events: page.build(), version, next })
    }

    /// Reads events up to `head`, which everything at or below it is stored for.
    pub(crate) fn read(
        &mut self,
        query: &Query,
        range: QueryRange,
        head: Position,
    ) -> Result<QueryPage, Failure> {
        let mut reading = Reading {
            query,
            after: range.after,
            up_to: range.up_to.min(head),
            direction: range.direction,
            limit: range.limit,
            page: PageBuilder::with_capacity(PAGE_ROOM.min(range.limit)),
            more: false,
        };
        let items = query.items();
        if items.iter().any(|item| item.names().is_empty() && item.tags().is_empty()) {
            reading.scan(self, None)?;
        } else if items.iter().all(|item| item.tags().is_empty()) {
            let wanted = wanted_types(self.connection, query)?;
            if !wanted.is_empty() && !reading.scan(self, Some(&wanted))? {
                reading.look_up(self)?;
            }
        } else {
            reading.look_up(self)?;
        }
        Ok(QueryPage { events: reading.page.build(), head, more: reading.more })
    }

    pub(crate) fn find(&mut self, event_id: EventId) -> Result<Option<RecordedEvent>, Failure> {
        let mut statement = self.connection.prepare_cached(BY_ID)?;
        let mut rows = statement.query([event_id.as_uuid().as_bytes().as_slice()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let record = record(row)?;
        self.names.recorded(self.connection, &record, row.get_ref(1)?, |recorded| {
            Some(recorded.to_event())
        })
    }

    /// Shows the event at a position that an index names.
    pub(crate) fn at<T>(
        &mut self,
        position: i64,
        show: impl FnOnce(es_core::Recorded<'_>) -> T,
    ) -> Result<T, Failure> {
        let place = Position::new(u64::try_from(position).unwrap_or(0));
        let wrong = |what| Damage::Index { position: place, what };
        let mut statement = self.connection.prepare_cached(AT)?;
        let mut rows = statement.query([position])?;
        let row = rows.next()?.ok_or_else(|| wrong("is not there"))?;
        let record = record(row)?;
        if record.fields.position != place {
            return Err(wrong("says that it is another one").into());
        }
        self.names.recorded(self.connection, &record, row.get_ref(1)?, show)
    }
}

/// A read in the global order on its way.
struct Reading<'a> {
    query: &'a Query,
    after: Position,
    up_to: Position,
    direction: Direction,
    limit: usize,
    page: PageBuilder,
    more: bool,
}

impl Reading<'_> {
    fn is_full(&self) -> bool {
        self.page.len() >= self.limit || self.page.bytes() >= PAGE_BYTES
    }

    /// Goes from event to event and takes the wanted ones. `false`: so few are wanted that the rest
    /// should be looked up.
    fn scan(
        &mut self,
        reader: &mut Reader<'_>,
        wanted: Option<&HashSet<u32>>,
    ) -> Result<bool, Failure> {
        let sql = match self.direction {
            Direction::Forward => FORWARD,
            Direction::Backward => BACKWARD,
        };
        let mut statement = reader.connection.prepare_cached(sql)?;
        let mut rows = statement.query([bound(self.after.get()), bound(self.up_to.get())])?;
        let (mut scanned, mut taken) = (0, 0);
        let mut expected = match self.direction {
            Direction::Forward => self.after.next(),
            Direction::Backward => self.up_to,
        };
        while let Some(row) = rows.next()? {
            let record = record(row)?;
            // Positions have no gaps, so that a record that is missing is noticed.
            if record.fields.position != expected {
                return Err(Damage::MissingPosition { position: expected }.into());
            }
            let position = record.fields.position;
            expected = match self.direction {
                Direction::Forward => position.next(),
                Direction::Backward => Position::new(position.get().saturating_sub(1)),
            };
            scanned += 1;
            if wanted.is_none_or(|types| types.contains(&record.fields.event_type)) {
                if self.is_full() {
                    self.more = true;
                    return Ok(true);
                }
                push(reader, &mut self.page, row, &record)?;
                taken += 1;
            }
            if scanned == SCANNED {
                if taken < SCANNED / SPARSE {
                    match self.direction {
                        Direction::Forward => self.after = position,
                        Direction::Backward => self.up_to = Position::new(position.get() - 1),
                    }
                    return Ok(false);
                }
                (scanned, taken) = (0, 0);
            }
        }
        let complete = match self.direction {
            Direction::Forward => expected > self.up_to,
            Direction::Backward => expected <= self.after,
        };
        if complete { Ok(true) } else { Err(Damage::MissingPosition { position: expected }.into()) }
    }

    /// Takes the events that the indexes name.
    fn look_up(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        let Self { query, after, up_to, direction, .. } = *self;
        let matches = Matches::prepare(reader.connection, query, after, up_to, direction)?;
        matches.for_each(|position, items| {
            let full = self.is_full();
            let page = &mut self.page;
            let found = reader.at(position, |recorded| {
                let accepted = items.accept(recorded);
                if accepted == Ok(true) && !full {
                    page.push(recorded);
                }
                accepted
            })??;
            self.more |= found && full;
            Ok(!self.more)
        })
    }
}

#[inline]
fn record<'a>(row: &'a Row<'_>) -> Result<Record<'a>, Failure> {
    match row.get_ref(0)? {
        ValueRef::Blob(bytes) => Ok(Record::read(bytes)?),
        _ => {
            Err(Damage::Malformed { position: Position::ZERO, what: "its record is no blob" }
                .into())
        }
    }
}

#[inline]
fn push(
    reader: &mut Reader<'_>,
    page: &mut PageBuilder,
    row: &Row<'_>,
    record: &Record<'_>,
) -> Result<(), Failure> {
    let payload = row.get_ref(1)?;
    reader.names.recorded(reader.connection, record, payload, |recorded| page.push(recorded))
}

/// The event types that a query without tags selects.
fn wanted_types(connection: &Connection, query: &Query) -> Result<HashSet<u32>, Failure> {
    let mut wanted = HashSet::new();
    let mut statement = types_named(connection)?;
    for name in query.items().iter().flat_map(es_core::QueryItem::names) {
        let mut rows = statement.query([name.as_ref()])?;
        while let Some(row) = rows.next()? {
            wanted.insert(row.get(0)?);
        }
    }
    Ok(wanted)
}

/// Finds the event types with a name: one for each of its schema versions.
pub(crate) fn types_named(connection: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    connection.prepare_cached("SELECT type_id FROM event_types WHERE name = ?1")
}
