//! Reading pages of events.

use es_core::{
    Direction, EventId, Page, PageBuilder, Position, Query, QueryItem, QueryPage, QueryRange,
    RecordedEvent, RemovedEvent, SparsePage, StreamId, StreamPage, StreamRange, Version,
};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::{Damage, Failure};
use crate::event_ids::{self, RecentIds};
use crate::event_types::{self, BLOCK, Blocks, block_of};
use crate::matches::Matches;
use crate::names::Names;
use crate::record::Record;
use crate::removed::{self, Places, Removed};

/// A page ends at this many bytes even when more events were asked for.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// The most events there is room for before a page is filled.
const PAGE_ROOM: usize = 4096;

const STREAM: &str = "SELECT stream_id FROM streams WHERE name = ?1";
// What is above the head comes last, and is seldom there.
const STREAM_VERSION: &str = "SELECT version FROM event_records
    WHERE stream_id = ?1 AND position <= ?2 ORDER BY version DESC LIMIT 1";
const STREAM_FORWARD: &str = "SELECT record, payload FROM event_records
    WHERE stream_id = ?1 AND version BETWEEN ?2 AND ?3 ORDER BY version";
const STREAM_BACKWARD: &str = "SELECT record, payload FROM event_records
    WHERE stream_id = ?1 AND version BETWEEN ?2 AND ?3 ORDER BY version DESC";
const FORWARD: &str = "SELECT record, payload FROM event_records
    WHERE position > ?1 AND position <= ?2 ORDER BY position";
const BACKWARD: &str = "SELECT record, payload FROM event_records
    WHERE position > ?1 AND position <= ?2 ORDER BY position DESC";
const AT: &str = "SELECT record, payload FROM event_records WHERE position = ?1";
const HEAD: &str = "SELECT max(position) FROM event_records";

/// A number as SQLite can compare it; what is above its range is above everything that is stored.
pub(crate) fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A stream's number and the version of its last event at or below the head.
pub(crate) fn stream(
    connection: &Connection,
    id: &StreamId,
    head: Position,
) -> Result<Option<(i64, Version)>, Failure> {
    let Some(number) = number(connection, id)? else { return Ok(None) };
    let version: Option<i64> = connection
        .prepare_cached(STREAM_VERSION)?
        .query_row([number, bound(head.get())], |row| row.get(0))
        .optional()?;
    let version = version.and_then(|version| u64::try_from(version).ok()).unwrap_or(0);
    Ok(Some((number, Version::new(version))))
}

/// A stream's number.
pub(crate) fn number(connection: &Connection, id: &StreamId) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached(STREAM)?.query_row([id.as_str()], |row| row.get(0)).optional()
}

/// The position of the last event.
pub(crate) fn head(connection: &Connection) -> Result<Position, Failure> {
    let head: Option<i64> = connection.prepare_cached(HEAD)?.query_row([], |row| row.get(0))?;
    Ok(Position::new(head.and_then(|head| u64::try_from(head).ok()).unwrap_or(0)))
}

/// A connection that reads, with what it knows.
///
/// All reads are bounded by a head that the writer has published. A commit is in the file a moment
/// before that; if one read saw it already and the next one did not yet, time would run backwards.
pub(crate) struct Reader<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) names: &'a mut Names,
}

impl Reader<'_> {
    pub(crate) fn read_stream(
        &mut self,
        id: &StreamId,
        range: StreamRange,
        head: Position,
    ) -> Result<StreamPage, Failure> {
        self.steadily(|reader| reader.page_of_stream(id, range, head))
    }

    /// Reads, and once more in one snapshot if something was missing: events may have been removed or
    /// put back between two statements.
    fn steadily<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match read(self) {
            Err(Failure::Damage(_)) if self.connection.is_autocommit() => {
                let _snapshot = self.connection.unchecked_transaction()?;
                read(self)
            }
            done => done,
        }
    }

    fn page_of_stream(
        &mut self,
        id: &StreamId,
        range: StreamRange,
        head: Position,
    ) -> Result<StreamPage, Failure> {
        let Some((number, version)) = stream(self.connection, id, head)? else {
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
            let row = rows.next()?;
            let found = row.map(|row| Ok::<_, Failure>((row, record(row)?))).transpose()?;
            match found {
                Some((row, record))
                    if record.fields.version.get() == expected
                        && record.fields.stream == number =>
                {
                    push(self, &mut page, row, &record)?;
                    taken += 1;
                }
                _ => {
                    let expected = Version::new(expected);
                    match removed::refusal(self.connection, id, expected, head)? {
                        Some(archived) if taken == 0 => return Err(archived.into()),
                        Some(_) => break,
                        None => {
                            let (stream, version) = (id.clone(), expected);
                            return Err(Damage::MissingVersion { stream, version }.into());
                        }
                    }
                }
            }
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
        self.steadily(|reader| {
            let mut reading = Reading::new(query, range, head);
            reading.read(reader)?;
            Ok(QueryPage { events: reading.page.build(), head, more: reading.more })
        })
    }

    /// The same, with the removed events named.
    pub(crate) fn read_sparse(
        &mut self,
        query: &Query,
        range: QueryRange,
        head: Position,
    ) -> Result<SparsePage, Failure> {
        self.steadily(|reader| {
            let mut reading = Reading::new(query, range, head);
            reading.removed = Some(Vec::new());
            reading.read(reader)?;
            let Reading { page, removed, more, .. } = reading;
            let removed = removed.unwrap_or_default();
            Ok(SparsePage { events: page.build(), removed, head, more })
        })
    }

    /// The event with this id, which is at `recent` if it is not in the table of ids yet.
    pub(crate) fn find(
        &mut self,
        event_id: EventId,
        recent: Option<i64>,
        head: Position,
    ) -> Result<Option<RecordedEvent>, Failure> {
        self.steadily(|reader| reader.event(event_id, recent, head))
    }

    fn event(
        &mut self,
        event_id: EventId,
        recent: Option<i64>,
        head: Position,
    ) -> Result<Option<RecordedEvent>, Failure> {
        let position = match recent {
            Some(position) => Some(position),
            None => event_ids::indexed(self.connection, event_id)?,
        };
        self.found(event_id, position, head)
    }

    /// The event with this id, also if another process has just stored it.
    pub(crate) fn find_shared(
        &mut self,
        event_id: EventId,
        recent: &RecentIds,
    ) -> Result<Option<RecordedEvent>, Failure> {
        let position = recent.find(self.connection, event_id)?;
        self.found(event_id, position, Position::MAX)
    }

    fn found(
        &mut self,
        event_id: EventId,
        position: Option<i64>,
        head: Position,
    ) -> Result<Option<RecordedEvent>, Failure> {
        let Some(position) = position.filter(|position| *position <= bound(head.get())) else {
            return Ok(None);
        };
        let event = match self.find_at(position, |recorded| recorded.to_event())? {
            Found::Live(event) => event,
            Found::Removed(removed) => {
                return Err(removed.archived(self.connection, head)?.into());
            }
        };
        if event.event_id == event_id {
            Ok(Some(event))
        } else {
            let position = event.position;
            Err(Damage::Index { position, what: "has another event id" }.into())
        }
    }

    /// Shows the event at a position that is live.
    pub(crate) fn at<T>(
        &mut self,
        position: i64,
        show: impl FnOnce(es_core::Recorded<'_>) -> T,
    ) -> Result<T, Failure> {
        match self.find_at(position, show)? {
            Found::Live(shown) => Ok(shown),
            Found::Removed(Removed { position, .. }) => {
                Err(Damage::Index { position, what: "is not there" }.into())
            }
        }
    }

    /// Shows the event at a position that an index names, or says what is left of it.
    pub(crate) fn find_at<T>(
        &mut self,
        position: i64,
        show: impl FnOnce(es_core::Recorded<'_>) -> T,
    ) -> Result<Found<T>, Failure> {
        let place = Position::new(u64::try_from(position).unwrap_or(0));
        let wrong = |what| Damage::Index { position: place, what };
        let mut statement = self.connection.prepare_cached(AT)?;
        let mut rows = statement.query([position])?;
        let Some(row) = rows.next()? else {
            let removed = Removed::at(self.connection, position)?;
            return removed.map(Found::Removed).ok_or_else(|| wrong("is not there").into());
        };
        let record = record(row)?;
        if record.fields.position != place {
            return Err(wrong("says that it is another one").into());
        }
        let shown = self.names.recorded(self.connection, &record, row.get_ref(1)?, show)?;
        Ok(Found::Live(shown))
    }
}

/// What an index has led to.
pub(crate) enum Found<T> {
    Live(T),
    Removed(Removed),
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
    /// The removed events that match, if they are to be named; else they end the read.
    removed: Option<Vec<RemovedEvent>>,
    places: Places,
    head: Position,
}

impl<'a> Reading<'a> {
    fn new(query: &'a Query, range: QueryRange, head: Position) -> Self {
        Self {
            query,
            after: range.after,
            up_to: range.up_to.min(head),
            direction: range.direction,
            limit: range.limit,
            page: PageBuilder::with_capacity(PAGE_ROOM.min(range.limit)),
            more: false,
            removed: None,
            places: Places::default(),
            head,
        }
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        let items = self.query.items();
        if items.iter().any(|item| item.names().is_empty() && item.tags().is_empty()) {
            self.scan(reader, self.after, self.up_to, None)
        } else if items.iter().all(|item| item.tags().is_empty()) {
            let names = items.iter().flat_map(QueryItem::names).map(AsRef::as_ref);
            let wanted = event_types::numbers(reader.connection, names)?;
            self.scan_blocks(reader, &wanted)
        } else {
            self.look_up(reader)
        }
    }

    fn is_full(&self) -> bool {
        let events = self.page.len() + self.removed.as_ref().map_or(0, Vec::len);
        events >= self.limit || self.page.bytes() >= PAGE_BYTES
    }

    /// Comes to a removed event that is wanted.
    fn meet(&mut self, reader: &Reader<'_>, removed: &Removed) -> Result<(), Failure> {
        let Some(event) = self.places.event(reader.connection, removed)? else { return Ok(()) };
        let full = self.is_full();
        match &mut self.removed {
            Some(events) if !full => events.push(event),
            None if !full && self.page.is_empty() => {
                return Err(removed.archived(reader.connection, self.head)?.into());
            }
            _ => self.more = true,
        }
        Ok(())
    }

    /// Goes over positions that have no record: all of them must be those of removed events.
    fn pass(
        &mut self,
        reader: &Reader<'_>,
        after: Position,
        up_to: Position,
        wanted: Option<&[u32]>,
    ) -> Result<(), Failure> {
        let sql = match self.direction {
            Direction::Forward => removed::FORWARD,
            Direction::Backward => removed::BACKWARD,
        };
        let mut statement = reader.connection.prepare_cached(sql)?;
        let mut rows = statement.query([bound(after.get()), bound(up_to.get())])?;
        for number in 1..=up_to.get().saturating_sub(after.get()) {
            let position = Position::new(match self.direction {
                Direction::Forward => after.get() + number,
                Direction::Backward => up_to.get() + 1 - number,
            });
            let found = rows.next()?.map(Removed::read).transpose()?;
            let removed = found.filter(|removed| removed.position == position);
            let removed = removed.ok_or(Damage::MissingPosition { position })?;
            if wanted.is_none_or(|types| types.binary_search(&removed.event_type).is_ok()) {
                self.meet(reader, &removed)?;
                if self.more {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Goes from event to event in a part of the range and takes the wanted ones.
    fn scan(
        &mut self,
        reader: &mut Reader<'_>,
        after: Position,
        up_to: Position,
        wanted: Option<&[u32]>,
    ) -> Result<(), Failure> {
        let sql = match self.direction {
            Direction::Forward => FORWARD,
            Direction::Backward => BACKWARD,
        };
        let mut statement = reader.connection.prepare_cached(sql)?;
        let mut rows = statement.query([bound(after.get()), bound(up_to.get())])?;
        // Positions have no gaps but those of removed events, so that a record that is missing is
        // noticed.
        let (mut after, mut up_to) = (after, up_to);
        while after < up_to {
            let position = match self.direction {
                Direction::Forward => after.next(),
                Direction::Backward => up_to,
            };
            let row = rows.next()?;
            let found = row.map(|row| Ok::<_, Failure>((row, record(row)?))).transpose()?;
            let at = found.as_ref().map(|(_, record)| record.fields.position);
            if at != Some(position) {
                let gap = match (at, self.direction) {
                    (Some(at), Direction::Forward) => (after, Position::new(at.get() - 1)),
                    (Some(at), Direction::Backward) => (at, up_to),
                    (None, _) => (after, up_to),
                };
                self.pass(reader, gap.0, gap.1, wanted)?;
            }
            let Some((row, record)) = found.filter(|_| !self.more) else { return Ok(()) };
            match self.direction {
                Direction::Forward => after = record.fields.position,
                Direction::Backward => {
                    up_to = Position::new(record.fields.position.get().saturating_sub(1));
                }
            }
            if wanted.is_none_or(|types| types.binary_search(&record.fields.event_type).is_ok()) {
                if self.is_full() {
                    self.more = true;
                    return Ok(());
                }
                push(reader, &mut self.page, row, &record)?;
            }
        }
        Ok(())
    }

    /// Goes over the blocks that have events of the wanted types.
    fn scan_blocks(&mut self, reader: &mut Reader<'_>, wanted: &[u32]) -> Result<(), Failure> {
        let Self { after, up_to, direction, .. } = *self;
        let mut blocks = Blocks::prepare(reader.connection, direction)?;
        let mut left = block_of(after.next().get())..=block_of(up_to.get());
        while after < up_to
            && !self.more
            && let Some(block) = blocks.next(wanted, left.clone())?
        {
            let (start, end) = (block * BLOCK, (block + 1) * BLOCK);
            let (start, end) = (Position::new(start), Position::new(end));
            self.scan(reader, after.max(start), up_to.min(end), Some(wanted))?;
            left = match direction {
                Direction::Forward => block + 1..=*left.end(),
                Direction::Backward if block == 0 => break,
                Direction::Backward => *left.start()..=block - 1,
            };
        }
        Ok(())
    }

    /// Takes the events that the indexes name.
    fn look_up(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        let Self { query, after, up_to, direction, .. } = *self;
        let matches = Matches::prepare(reader.connection, query, after, up_to, direction)?;
        matches.for_each(|position, items| {
            let full = self.is_full();
            let page = &mut self.page;
            let found = reader.find_at(position, |recorded| {
                let accepted = items.accept(recorded);
                if accepted == Ok(true) && !full {
                    page.push(recorded);
                }
                accepted
            })?;
            match found {
                Found::Live(accepted) => self.more |= accepted? && full,
                Found::Removed(removed) => {
                    if items.accept_named(&removed.name(reader.connection)?) {
                        self.meet(reader, &removed)?;
                    }
                }
            }
            Ok(!self.more)
        })
    }
}

/// Shows the events above a position up to and including another one, each with the number of its
/// stream.
pub(crate) fn each(
    reader: &mut Reader<'_>,
    after: Position,
    up_to: Position,
    mut show: impl FnMut(i64, es_core::Recorded<'_>),
) -> Result<(), Failure> {
    let mut statement = reader.connection.prepare_cached(FORWARD)?;
    let mut rows = statement.query([bound(after.get()), bound(up_to.get())])?;
    while let Some(row) = rows.next()? {
        let (record, payload) = (record(row)?, row.get_ref(1)?);
        reader.names.recorded(reader.connection, &record, payload, |recorded| {
            show(record.fields.stream, recorded);
        })?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{matches, schema};

    /// How SQLite goes about a statement.
    fn plan(sql: &str) -> String {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::Schema::CURRENT.migrate(&mut connection, 0).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        // What the parameters are makes no difference.
        let lines = statement.raw_query().mapped(|row| row.get::<_, String>(3));
        lines.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn reading_a_stream_touches_only_that_stream() {
        for sql in [STREAM_FORWARD, STREAM_BACKWARD] {
            assert_eq!(
                plan(sql),
                "SEARCH event_records USING INDEX events_by_stream (stream_id=? AND version>? AND version<?)"
            );
        }
        assert_eq!(
            plan(STREAM_VERSION),
            "SEARCH event_records USING COVERING INDEX events_by_stream (stream_id=?)"
        );
    }

    #[test]
    fn reading_in_the_global_order_begins_where_it_is_told_and_sorts_nothing() {
        for sql in [FORWARD, BACKWARD] {
            assert_eq!(
                plan(sql),
                "SEARCH event_records USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
            );
        }
    }

    #[test]
    fn what_an_index_finds_comes_in_order() {
        for order in ["", " DESC"] {
            let of_type = |table| matches::of_type(table, order);
            let (live, removed) = (of_type(matches::LIVE), of_type(matches::REMOVED));
            for sql in [live, removed, matches::tagged(3, order)] {
                let plan = plan(&sql);
                assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
            }
        }
    }
}
