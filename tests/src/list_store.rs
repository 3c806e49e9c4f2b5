use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use es_core::bytes::Bytes;
use es_core::jiff::Timestamp;
use es_core::uuid::Uuid;
use es_core::{
    AppendCondition, AppendError, Appended, ChainLink, Commit, ConditionFailed, ConditionalAppend,
    Direction, DynProjectionStore, EventId, EventStore, ExpectedRevision, NoRows, Page, Position,
    ProjectionStore, Query, QueryPage, QueryRange, ReadError, RecordedAppend, RecordedCommit,
    RecordedEvent, Revision, RowWork, StateCommit, StateError, StateKey, StatePage, StateRecord,
    StateStore, StreamId, StreamPage, StreamRange, Version, VersionConflict,
};
use tokio::sync::watch;

/// Events in a list, state records in a map.
pub struct ListStore {
    log: Mutex<Log>,
    /// The head, for those who wait for news.
    head: watch::Sender<Position>,
    records: Mutex<Records>,
    /// Which history this is.
    identity: Uuid,
}

impl ListStore {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            log: Mutex::default(),
            head: watch::Sender::default(),
            records: Mutex::default(),
            identity: *EventId::generate().as_uuid(),
        }
    }
}

impl Default for ListStore {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Default)]
struct Log {
    events: Vec<RecordedEvent>,
    by_id: HashMap<EventId, usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the locks guard is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    fn head(&self) -> Position {
        Position::new(self.events.len() as u64)
    }

    fn version(&self, stream: &StreamId) -> Version {
        let last = self.events.iter().rfind(|event| event.stream == *stream);
        last.map_or(Version::ZERO, |event| event.version)
    }

    fn find(&self, id: EventId) -> Option<&RecordedEvent> {
        self.by_id.get(&id).map(|index| &self.events[*index])
    }
}

impl Log {
    /// The first answer to a commit that is stored already (rule 3).
    fn repeated(&self, commit: &Commit) -> Result<Option<Appended>, AppendError> {
        let mut stored = Vec::new();
        let mut versions = Vec::new();
        let mut reused = None;
        for to in commit.streams() {
            for event in &to.events {
                let Some(found) = self.find(event.id) else { continue };
                let follows =
                    Position::new(found.position.get().saturating_sub(stored.len() as u64));
                let same = found.stream == to.stream
                    && found.name == event.name
                    && found.schema_version == event.schema_version
                    && found.payload == event.payload
                    && stored.first().is_none_or(|first| *first == follows);
                if !same {
                    reused = reused.or(Some(found));
                }
                stored.push(found.position);
                versions.push((&to.stream, found.version));
            }
        }
        let Some(first_position) = stored.first().copied() else { return Ok(None) };
        // Some are stored and some are not.
        if stored.len() < commit.event_count() {
            reused = reused.or(self.events.get(first_position.get() as usize - 1));
        }
        if let Some(RecordedEvent { event_id, position, .. }) = reused {
            return Err(AppendError::EventIdReused { event_id: *event_id, position: *position });
        }
        let last = |stream| versions.iter().rfind(|(of, _)| *of == stream);
        let mut versions = commit.streams().filter_map(|to| Some(last(&to.stream)?.1));
        Ok(Some(Appended {
            first_position,
            last_position: stored.last().copied().unwrap_or(first_position),
            version: versions.next().unwrap_or_default(),
            more_versions: versions.collect(),
            repeated: true,
        }))
    }

    fn check(&self, commit: &Commit, conditions: &[AppendCondition]) -> Result<(), AppendError> {
        for to in commit.streams() {
            let (expected, actual) = (to.expected, self.version(&to.stream));
            if !expected.admits(actual) {
                let stream = to.stream.clone();
                return Err(VersionConflict { stream, expected, actual }.into());
            }
        }
        for (index, condition) in conditions.iter().enumerate() {
            let matches = |event: &&RecordedEvent| {
                Some(event.position) > condition.after
                    && condition.query.matches_recorded(&event.as_recorded())
            };
            if let Some(event) = self.events.iter().find(matches) {
                let (condition, position) = (condition.clone(), event.position);
                return Err(ConditionFailed { index, condition, position }.into());
            }
        }
        Ok(())
    }
}

impl Log {
    /// Adds the events of a commit that was checked. Nothing can fail here any more.
    fn add(&mut self, commit: &Commit, time: Timestamp) -> Appended {
        let first_position = self.head().next();
        let time = to_the_microsecond(time);
        let last = self.events.last().map(|last| last.recorded_at);
        let recorded_at = last.map_or(time, |last| last.max(time));
        let mut versions = Vec::new();
        for to in commit.streams() {
            let mut version = self.version(&to.stream);
            for event in &to.events {
                version = version.next();
                self.by_id.insert(event.id, self.events.len());
                self.events.push(RecordedEvent {
                    position: self.head().next(),
                    stream: to.stream.clone(),
                    version,
                    event_id: event.id,
                    name: event.name.to_string(),
                    schema_version: event.schema_version,
                    payload: event.payload.clone(),
                    tags: event.tags.clone(),
                    recorded_at,
                    occurred_at: event.occurred_at,
                    metadata: event.metadata.clone(),
                });
            }
            versions.push(version);
        }
        Appended {
            first_position,
            last_position: self.head(),
            version: versions.remove(0),
            more_versions: versions,
            repeated: false,
        }
    }
}

/// Times are exact to the microsecond (rule 9).
fn to_the_microsecond(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// The first of some events, at most `limit`; and the event behind them, if there is one.
fn page<'a>(
    wanted: impl DoubleEndedIterator<Item = &'a RecordedEvent>,
    direction: Direction,
    limit: usize,
) -> (Page, Option<&'a RecordedEvent>) {
    let mut wanted: Box<dyn Iterator<Item = _>> = match direction {
        Direction::Forward => Box::new(wanted),
        Direction::Backward => Box::new(wanted.rev()),
    };
    let page = wanted.by_ref().take(limit).map(RecordedEvent::as_recorded).collect();
    (page, wanted.next())
}

impl ListStore {
    fn append_now(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
        time: Timestamp,
    ) -> Result<Appended, AppendError> {
        let mut log = lock(&self.log);
        if let Some(first_answer) = log.repeated(commit)? {
            return Ok(first_answer);
        }
        log.check(commit, conditions)?;
        let appended = log.add(commit, time);
        // Under the lock, so that the head never falls.
        self.head.send_replace(appended.last_position);
        Ok(appended)
    }
}

impl EventStore for ListStore {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        self.append_now(commit, &[], Timestamp::now())
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        let log = lock(&self.log);
        let wanted = log.events.iter().filter(|event| {
            event.stream == *stream && event.version >= range.from && event.version <= range.to
        });
        let (events, next) = page(wanted, range.direction, range.limit);
        let next = next.map(|event| event.version);
        Ok(StreamPage { events, version: log.version(stream), next })
    }

    async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        let log = lock(&self.log);
        let wanted = log.events.iter().filter(|event| {
            event.position > range.after
                && event.position <= range.up_to
                && query.matches_recorded(&event.as_recorded())
        });
        let (events, next) = page(wanted, range.direction, range.limit);
        Ok(QueryPage { events, head: log.head(), more: next.is_some() })
    }

    async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        Ok(lock(&self.log).find(event_id).cloned())
    }

    async fn head(&self) -> Result<Position, ReadError> {
        Ok(lock(&self.log).head())
    }

    async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
        let mut head = self.head.subscribe();
        // An error would mean that the sender is gone, which `self` holds.
        let news = head.wait_for(|head| *head > position).await;
        Ok(news.map_or(position, |head| *head))
    }

    fn projection_store(&self) -> Option<&dyn DynProjectionStore> {
        Some(self)
    }
}

impl ConditionalAppend for ListStore {
    async fn append_if(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        self.append_now(commit, conditions, Timestamp::now())
    }
}

impl RecordedAppend for ListStore {
    async fn append_recorded(
        &self,
        commits: &[RecordedCommit],
    ) -> Vec<Result<Appended, AppendError>> {
        let mut answers = Vec::new();
        let mut link = ChainLink::default();
        for RecordedCommit { commit, recorded_at } in commits {
            let answer = match link.check(commit) {
                Ok(()) => self.append_now(commit, &[], *recorded_at),
                Err(conflict) => Err(conflict.into()),
            };
            if let Ok(appended) = &answer {
                link.extend(commit, appended);
            }
            answers.push(answer);
            if answers.last().is_some_and(Result::is_err) {
                break;
            }
        }
        answers
    }
}

#[derive(Default)]
struct Records {
    by_key: BTreeMap<StateKey, StateRecord>,
    /// Counts all writes, so that no record has a revision twice (rule 2).
    last_revision: u64,
}

impl Records {
    fn check(&self, key: &StateKey, expected: ExpectedRevision) -> Result<(), StateError> {
        let actual = self.by_key.get(key).map(|record| record.revision);
        if expected.admits(actual) {
            Ok(())
        } else {
            Err(StateError::Conflict { key: key.clone(), expected, actual })
        }
    }
}

impl StateStore for ListStore {
    async fn get(&self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
        Ok(lock(&self.records).by_key.get(key).cloned())
    }

    async fn put(
        &self,
        key: &StateKey,
        value: Bytes,
        expected: ExpectedRevision,
    ) -> Result<Revision, StateError> {
        let mut records = lock(&self.records);
        records.check(key, expected)?;
        records.last_revision += 1;
        let revision = Revision::new(records.last_revision);
        records.by_key.insert(key.clone(), StateRecord { revision, value });
        Ok(revision)
    }

    async fn remove(&self, key: &StateKey, expected: ExpectedRevision) -> Result<(), StateError> {
        let mut records = lock(&self.records);
        records.check(key, expected)?;
        records.by_key.remove(key);
        Ok(())
    }

    async fn list(
        &self,
        space: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<StatePage, StateError> {
        let records = lock(&self.records);
        // The map is sorted by space and name, byte by byte.
        let mut wanted = records
            .by_key
            .iter()
            .filter(|(key, _)| key.space() == space && after.is_none_or(|after| key.name() > after))
            .map(|(key, record)| (key.clone(), record.clone()));
        let page = wanted.by_ref().take(limit).collect();
        Ok(StatePage { records: page, more: wanted.next().is_some() })
    }
}

impl ProjectionStore for ListStore {
    type Rows = NoRows;

    async fn identity(&self) -> Result<Uuid, StateError> {
        Ok(self.identity)
    }

    async fn get_many(&self, keys: &[StateKey]) -> Result<Vec<Option<StateRecord>>, StateError> {
        let records = lock(&self.records);
        Ok(keys.iter().map(|key| records.by_key.get(key).cloned()).collect())
    }

    async fn commit(
        &self,
        commit: StateCommit,
        _: Option<RowWork<NoRows>>,
    ) -> Result<Revision, StateError> {
        let mut records = lock(&self.records);
        for (key, expected) in &commit.checks {
            records.check(key, *expected)?;
        }
        for change in &commit.changes {
            records.check(&change.key, change.expected)?;
        }
        // Everything is checked: from here on nothing can fail.
        records.last_revision += 1;
        let revision = Revision::new(records.last_revision);
        for change in commit.changes {
            match change.value {
                Some(value) => {
                    records.by_key.insert(change.key, StateRecord { revision, value });
                }
                None => {
                    records.by_key.remove(&change.key);
                }
            }
        }
        Ok(revision)
    }
}
