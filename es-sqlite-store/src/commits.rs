//! Checking and writing commits, inside the writer's transaction.

mod removal;

use std::sync::Arc;

use es_core::jiff::Timestamp;
use es_core::{
    AppendCondition, AppendError, Appended, ChainLink, Commit, ConditionFailed, Fence, FenceError,
    Inline, InlinePlace, InlineSet, InlineStep, NewEvent, Position, Query, QueryPage, QueryRange,
    ReadError, RecordedCommit, Revision, RowWork, StateCommit, StateError, StateKey, StateRecord,
    StreamAppend, StreamId, Version, VersionConflict,
};
use hashbrown::{HashMap, HashSet};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Failure;
use crate::event_ids::{EventIds, RecentIds};
use crate::event_types::{self, BLOCK, block_of};
use crate::fence;
use crate::matches;
use crate::names::Names;
use crate::pages::{self, Found, Reader, bound};
use crate::record::{self, Extras, Fields, stream_seal, type_seal};
use crate::rows::{Sqlite, Texts};
use crate::step_records::StepRecords;

/// More streams than this are forgotten and looked up again.
const MOST_STREAMS: usize = 65_536;
const MOST_TYPES: usize = 4_096;

/// When others have appended more than this, what is known is worth little.
const MOST_NEW: u64 = 16_384;

const INSERT_EVENT: &str = "INSERT INTO event_records
    (position, stream_id, version, type_id, record, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const INSERT_TAG: &str = "INSERT INTO event_tags (tag, position) VALUES (?1, ?2)";
const INSERT_STREAM: &str = "INSERT INTO streams (name) VALUES (?1) RETURNING stream_id";
const INSERT_TYPE: &str =
    "INSERT INTO event_types (name, schema_version) VALUES (?1, ?2) RETURNING type_id";
const TYPE: &str = "SELECT type_id FROM event_types WHERE name = ?1 AND schema_version = ?2";

/// Where the log ends and what the writer knows of it. It holds what is written in the transaction
/// that is open, and must be forgotten when that is rolled back.
pub(crate) struct Log {
    head: Position,
    last_recorded_at: i64,
    fence: Option<Box<Fence>>,
    streams: HashMap<StreamId, Stream>,
    types: HashMap<(String, u32), EventType>,
    ids: EventIds,
    /// The types of which the last block is known to have events.
    noted: HashSet<u32>,
    names: Names,
    /// Room for the record of an event.
    record: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Stream {
    /// Zero: it is not there yet.
    number: i64,
    version: Version,
    seal: u64,
}

#[derive(Clone, Copy)]
struct EventType {
    number: u32,
    seal: u64,
}

/// The inline projections, and what their steps need.
#[derive(Default)]
pub(crate) struct Inlines {
    pub(crate) set: InlineSet,
    pub(crate) texts: Texts,
    pub(crate) records: StepRecords,
}

/// The writer's transaction as inline projections see it.
struct Step<'a> {
    connection: &'a Connection,
    names: &'a mut Names,
    head: Position,
    texts: &'a mut Texts,
    records: &'a mut StepRecords,
    /// Whether rows may have been written.
    has_savepoint: bool,
}

impl InlineStep<Sqlite> for Step<'_> {
    fn get(&mut self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
        Ok(self.records.get(self.connection, key)?)
    }

    fn read(&mut self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        let mut reader = Reader { connection: self.connection, names: self.names };
        Ok(reader.read(query, range, self.head)?)
    }

    fn commit(
        &mut self,
        commit: StateCommit,
        rows: Option<&RowWork<Sqlite>>,
    ) -> Result<Revision, StateError> {
        if rows.is_some() && !self.has_savepoint {
            let begun = self.connection.prepare_cached("SAVEPOINT es_inline");
            begun.and_then(|mut begin| begin.execute([])).map_err(Failure::from)?;
            self.has_savepoint = true;
        }
        self.records.commit(self.connection, commit, rows, self.texts)?
    }
}

impl Step<'_> {
    /// Does something that leaves nothing behind in the transaction if it fails.
    fn all_or_nothing<T, E>(
        mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Result<T, E>, Failure> {
        self.records.begin(self.connection)?;
        let done = work(&mut self);
        if done.is_err() {
            self.records.undo();
        }
        // All of it fails if SQLite has ended the transaction: then nothing of it may be answered.
        if self.has_savepoint || self.connection.is_autocommit() {
            if done.is_err() {
                self.connection.prepare_cached("ROLLBACK TO es_inline")?.execute([])?;
            }
            self.connection.prepare_cached("RELEASE es_inline")?.execute([])?;
        }
        Ok(done)
    }
}

/// Why a commit is not stored: it is refused, or the store fails.
pub(crate) enum Refusal {
    Refused(AppendError),
    Failed(Failure),
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        Self::Refused(error)
    }
}

impl<T: Into<Failure>> From<T> for Refusal {
    fn from(failure: T) -> Self {
        Self::Failed(failure.into())
    }
}

impl Log {
    /// The log as it is stored.
    pub(crate) fn load(connection: &Connection, recent: Arc<RecentIds>) -> Result<Self, Failure> {
        let head = pages::head(connection)?;
        let mut names = Names::default();
        let last_recorded_at = if head == Position::ZERO {
            i64::MIN
        } else {
            let mut reader = Reader { connection, names: &mut names };
            reader.at(bound(head.get()), |recorded| recorded.recorded_at.as_microsecond())?
        };
        Ok(Self {
            head,
            last_recorded_at,
            fence: fence::read(connection)?.map(Box::new),
            streams: HashMap::new(),
            types: HashMap::new(),
            ids: EventIds::load(connection, recent)?,
            noted: HashSet::new(),
            names,
            record: Vec::new(),
        })
    }

    /// Takes over what others have appended since. `false`: that is not all they did, or too much;
    /// load it anew.
    pub(crate) fn catch_up(&mut self, connection: &Connection) -> Result<bool, Failure> {
        let (known, head) = (self.head, pages::head(connection)?);
        if head < known || head.get() - known.get() > MOST_NEW {
            return Ok(false);
        }
        let Self { streams, names, last_recorded_at, .. } = self;
        let mut ids = Vec::new();
        pages::each(&mut Reader { connection, names }, known, head, |number, recorded| {
            ids.push((recorded.event_id, bound(recorded.position.get())));
            *last_recorded_at = recorded.recorded_at.as_microsecond();
            if let Some(stream) = streams.get_mut(&recorded.stream.to_stream_id()) {
                (stream.number, stream.version) = (number, recorded.version);
            }
        })?;
        self.ids.catch_up(connection, &ids)?;
        self.fence = fence::read(connection)?.map(Box::new);
        if block_of(head.get()) != block_of(known.get()) {
            self.noted.clear();
        }
        self.head = head;
        Ok(true)
    }

    /// The position of the last event, also of one that is not committed yet.
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    /// What is done with a transaction that is made anyway.
    pub(crate) fn begin(&mut self, connection: &Connection) -> Result<(), Failure> {
        self.ids.index_when_due(connection)
    }

    /// What was written is committed.
    pub(crate) fn committed(&mut self) {
        self.ids.committed();
    }

    /// Closes the store to new events.
    pub(crate) fn fence(
        &mut self,
        connection: &Connection,
        successor: &str,
        now: Timestamp,
    ) -> Result<Result<(Fence, Position), FenceError>, Failure> {
        Ok(match &self.fence {
            Some(fence) if fence.successor == successor => Ok(((**fence).clone(), self.head)),
            Some(fence) => Err(FenceError::Fenced { fence: fence.clone() }),
            None => {
                let since = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
                let fence = Fence { successor: successor.to_owned(), since };
                fence::write(connection, &fence)?;
                self.fence = Some(Box::new(fence.clone()));
                Ok((fence, self.head))
            }
        })
    }

    /// Opens it again, and answers with the fence that stood there.
    pub(crate) fn lift_fence(&mut self, connection: &Connection) -> Result<Option<Fence>, Failure> {
        let Some(fence) = self.fence.take() else { return Ok(None) };
        fence::remove(connection)?;
        Ok(Some(*fence))
    }

    /// Appends commits up to the first that is refused.
    pub(crate) fn append_chain(
        &mut self,
        connection: &Connection,
        inlines: &mut Inlines,
        commits: &[Commit],
        conditions: &[AppendCondition],
        now: Timestamp,
    ) -> Result<Vec<Result<Appended, AppendError>>, Failure> {
        if let [commit] = commits {
            return Ok(vec![self.append(connection, inlines, commit, conditions, now)?]);
        }
        let mut answers = Vec::with_capacity(commits.len());
        let mut link = ChainLink::default();
        for commit in commits {
            let answer = match link.check(commit) {
                Ok(()) => self.append(connection, inlines, commit, conditions, now)?,
                Err(conflict) => Err(conflict.into()),
            };
            let refused = answer.is_err();
            if let Ok(appended) = &answer {
                link.extend(commit, appended);
            }
            answers.push(answer);
            if refused {
                break;
            }
        }
        Ok(answers)
    }

    /// Appends commits that build on each other, each with the time at which another store recorded
    /// it, up to the first that is refused.
    pub(crate) fn append_recorded(
        &mut self,
        connection: &Connection,
        inlines: &mut Inlines,
        commits: &[RecordedCommit],
    ) -> Result<Vec<Result<Appended, AppendError>>, Failure> {
        let mut answers = Vec::with_capacity(commits.len());
        let mut link = ChainLink::default();
        for RecordedCommit { commit, recorded_at } in commits {
            let answer = match link.check(commit) {
                Ok(()) => self.append(connection, inlines, commit, &[], *recorded_at)?,
                Err(conflict) => Err(conflict.into()),
            };
            let refused = answer.is_err();
            if let Ok(appended) = &answer {
                link.extend(commit, appended);
            }
            answers.push(answer);
            if refused {
                break;
            }
        }
        Ok(answers)
    }

    /// Appends a commit or refuses it.
    pub(crate) fn append(
        &mut self,
        connection: &Connection,
        inlines: &mut Inlines,
        commit: &Commit,
        conditions: &[AppendCondition],
        now: Timestamp,
    ) -> Result<Result<Appended, AppendError>, Failure> {
        match self.try_append(connection, inlines, commit, conditions, now) {
            Ok(appended) => Ok(Ok(appended)),
            Err(Refusal::Refused(error)) => Ok(Err(error)),
            Err(Refusal::Failed(failure)) => Err(failure),
        }
    }

    /// Everything is checked before anything is written: a refused commit leaves nothing behind in
    /// the transaction that it shares with others.
    fn try_append(
        &mut self,
        connection: &Connection,
        inlines: &mut Inlines,
        commit: &Commit,
        conditions: &[AppendCondition],
        now: Timestamp,
    ) -> Result<Appended, Refusal> {
        if let Some(appended) = self.repeated(connection, commit)? {
            return Ok(appended);
        }
        if let Some(fence) = &self.fence {
            return Err(AppendError::Fenced { fence: fence.clone() }.into());
        }
        for append in commit.streams() {
            let actual = self.stream(connection, &append.stream)?.version;
            if !append.expected.admits(actual) {
                let (stream, expected) = (append.stream.clone(), append.expected);
                return Err(AppendError::from(VersionConflict { stream, expected, actual }).into());
            }
        }
        for (index, condition) in conditions.iter().enumerate() {
            let after = condition.after.unwrap_or(Position::ZERO);
            let mut reader = Reader { connection, names: &mut self.names };
            if let Some(position) = matches::first(&mut reader, &condition.query, after, self.head)?
            {
                let condition = condition.clone();
                return Err(
                    AppendError::from(ConditionFailed { index, condition, position }).into()
                );
            }
        }
        let recorded_at = self.last_recorded_at.max(now.as_microsecond());
        if !inlines.set.is_empty() {
            self.append_inline(connection, inlines, commit, recorded_at)?;
        }
        let first_position = self.head.next();
        self.last_recorded_at = recorded_at;
        let mut streams = commit.streams();
        let version = match streams.next() {
            Some(first) => self.extend(connection, first)?,
            None => Version::ZERO,
        };
        let mut more_versions = Vec::new();
        for append in streams {
            more_versions.push(self.extend(connection, append)?);
        }
        let last_position = self.head;
        Ok(Appended { version, more_versions, first_position, last_position, repeated: false })
    }

    /// Changes the inline projections as the events will, which nothing can refuse any more but they.
    fn append_inline(
        &mut self,
        connection: &Connection,
        inlines: &mut Inlines,
        commit: &Commit,
        recorded_at: i64,
    ) -> Result<(), Refusal> {
        let mut versions = Vec::new();
        for append in commit.streams() {
            versions.push(self.stream(connection, &append.stream)?.version);
        }
        let place = InlinePlace {
            commit,
            before: self.head,
            versions: &versions,
            recorded_at: record::time(recorded_at).unwrap_or_default(),
        };
        let (set, step) = self.step(connection, inlines);
        step.all_or_nothing(|step| set.append(step, &place))??;
        Ok(())
    }

    /// Brings an inline projection up to the head, and lets it take part in appends if it is to stay.
    pub(crate) fn enlist(
        &mut self,
        connection: &Connection,
        inlines: &mut Inlines,
        inline: &Inline,
        stay: bool,
    ) -> Result<Result<(), StateError>, Failure> {
        let head = self.head;
        let (set, step) = self.step(connection, inlines);
        step.all_or_nothing(|step| set.enlist(step, inline, stay, head))
    }

    fn step<'a>(
        &'a mut self,
        connection: &'a Connection,
        inlines: &'a mut Inlines,
    ) -> (&'a mut InlineSet, Step<'a>) {
        let Inlines { set, texts, records } = inlines;
        let (names, head) = (&mut self.names, self.head);
        (set, Step { connection, names, head, texts, records, has_savepoint: false })
    }

    /// The first answer to the commit if it is stored.
    fn repeated(
        &mut self,
        connection: &Connection,
        commit: &Commit,
    ) -> Result<Option<Appended>, Refusal> {
        let reused = |event_id, position| {
            let position = Position::new(u64::try_from(position).unwrap_or(0));
            Err(AppendError::EventIdReused { event_id, position }.into())
        };
        let first_id = commit.first().events[0].id;
        let first = self.ids.position(connection, first_id)?;
        let mut expected = first;
        let mut versions = Vec::new();
        for append in commit.streams() {
            let mut version = Version::ZERO;
            for (index, event) in append.events.iter().enumerate() {
                let is_first = index == 0 && event.id == first_id;
                let position =
                    if is_first { first } else { self.ids.position(connection, event.id)? };
                match (position, first) {
                    (Some(position), _) => {
                        // It must be the same event, right behind the one before it.
                        let mut reader = Reader { connection, names: &mut self.names };
                        let stored = reader.find_at(position, |recorded| {
                            is_same(&recorded, append, event).then_some(recorded.version)
                        })?;
                        let stored = match stored {
                            Found::Live(stored) => stored,
                            Found::Removed(removed) => {
                                let event_id = event.id;
                                let archived = removed.archived(connection, self.head)?.into();
                                let refused = AppendError::EventIdArchived { event_id, archived };
                                return Err(refused.into());
                            }
                        };
                        match stored {
                            Some(stored) if Some(position) == expected => version = stored,
                            _ => return reused(event.id, position),
                        }
                        expected = Some(position + 1);
                    }
                    // Some are stored and this one is not.
                    (None, Some(first)) => return reused(first_id, first),
                    (None, None) => {}
                }
            }
            versions.push(version);
        }
        let (Some(first), Some(end)) = (first, expected) else { return Ok(None) };
        let position = |number: i64| Position::new(u64::try_from(number).unwrap_or(0));
        let mut versions = versions.into_iter();
        Ok(Some(Appended {
            version: versions.next().unwrap_or_default(),
            more_versions: versions.collect(),
            first_position: position(first),
            last_position: position(end - 1),
            repeated: true,
        }))
    }

    fn stream(&mut self, connection: &Connection, id: &StreamId) -> Result<Stream, Failure> {
        if let Some(stream) = self.streams.get(id) {
            return Ok(*stream);
        }
        if self.streams.len() >= MOST_STREAMS {
            self.streams.clear();
        }
        let (number, version) =
            pages::stream(connection, id, self.head)?.unwrap_or((0, Version::ZERO));
        let stream = Stream { number, version, seal: stream_seal(id.as_str()) };
        self.streams.insert(id.clone(), stream);
        Ok(stream)
    }

    fn event_type(
        &mut self,
        connection: &Connection,
        event: &NewEvent,
    ) -> Result<EventType, Failure> {
        let version = event.schema_version.get();
        if let Some(known) = self.types.get(&TypeKey(&event.name, version)) {
            return Ok(*known);
        }
        if self.types.len() >= MOST_TYPES {
            self.types.clear();
        }
        let key = params![event.name, version];
        let found = connection.prepare_cached(TYPE)?.query_row(key, |row| row.get(0)).optional()?;
        let number = match found {
            Some(number) => number,
            None => connection.prepare_cached(INSERT_TYPE)?.query_row(key, |row| row.get(0))?,
        };
        let known = EventType { number, seal: type_seal(&event.name, version) };
        self.types.insert((event.name.clone().into_owned(), version), known);
        Ok(known)
    }

    /// Adds the events of a stream and answers with its version.
    fn extend(
        &mut self,
        connection: &Connection,
        append: &StreamAppend,
    ) -> Result<Version, Failure> {
        let mut stream = self.stream(connection, &append.stream)?;
        if stream.number == 0 {
            stream.number = connection
                .prepare_cached(INSERT_STREAM)?
                .query_row([append.stream.as_str()], |row| row.get(0))?;
        }
        let mut insert = connection.prepare_cached(INSERT_EVENT)?;
        for event in &append.events {
            let kind = self.event_type(connection, event)?;
            self.head = self.head.next();
            stream.version = stream.version.next();
            let fields = Fields {
                event_id: event.id,
                position: self.head,
                stream: stream.number,
                version: stream.version,
                event_type: kind.number,
                recorded_at: self.last_recorded_at,
                occurred_at: event.occurred_at.map(Timestamp::as_microsecond),
            };
            let extras = extras(event)?;
            let seal = stream.seal ^ kind.seal;
            record::write(&mut self.record, &fields, &extras, seal, &event.payload);
            let position = bound(self.head.get());
            insert.execute(params![
                position,
                stream.number,
                bound(stream.version.get()),
                kind.number,
                self.record,
                payload(&event.payload)
            ])?;
            self.ids.add(event.id, position);
            if self.head.get() % BLOCK == 1 {
                self.noted.clear();
            }
            if self.noted.insert(kind.number) {
                event_types::note(connection, kind.number, block_of(self.head.get()))?;
            }
            for tag in event.tags.as_slice() {
                connection.prepare_cached(INSERT_TAG)?.execute(params![tag.as_str(), position])?;
            }
        }
        if let Some(known) = self.streams.get_mut(&append.stream) {
            *known = stream;
        }
        Ok(stream.version)
    }
}

fn is_same(stored: &es_core::Recorded<'_>, append: &StreamAppend, event: &NewEvent) -> bool {
    stored.stream == append.stream.borrowed()
        && stored.name == event.name
        && stored.schema_version == event.schema_version
        && stored.payload.as_bytes() == event.payload
}

/// As text when it is text, so that people can read it and SQLite's JSON functions work on it.
fn payload(payload: &[u8]) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match std::str::from_utf8(payload) {
        Ok(text) => ValueRef::Text(text.as_bytes()),
        Err(_) => ValueRef::Blob(payload),
    })
}

fn extras(event: &NewEvent) -> Result<Vec<u8>, Failure> {
    if event.tags.as_slice().is_empty() && event.metadata.is_empty() {
        return Ok(Vec::new());
    }
    Extras { tags: event.tags.clone(), metadata: event.metadata.clone() }.written()
}

/// Finds an event type without a copy of its name.
#[derive(Hash)]
struct TypeKey<'a>(&'a str, u32);

impl hashbrown::Equivalent<(String, u32)> for TypeKey<'_> {
    fn equivalent(&self, (name, version): &(String, u32)) -> bool {
        self.0 == name && self.1 == *version
    }
}
