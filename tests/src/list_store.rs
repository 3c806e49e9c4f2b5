use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use es_core::bytes::Bytes;
use es_core::jiff::Timestamp;
use es_core::{
    AppendCondition, AppendError, Appended, Commit, ConditionFailed, ConditionalAppend, Direction,
    EventId, EventStore, ExpectedRevision, Page, Position, Query, QueryPage, QueryRange, ReadError,
    RecordedEvent, Revision, StateError, StateKey, StatePage, StateRecord, StateStore, StreamId,
    StreamPage, StreamRange, Version, VersionConflict,
};
use tokio::sync::watch;

/// Events in a list, state records in a map.
#[derive(Default)]
pub struct ListStore {
    log: Mutex<Log>,
    /// The head, for those who wait for news.
    head: watch::Sender<Position>,
    records: Mutex<Records>,
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
    fn add(&mut self, commit: &Commit) -> Appended {
        let first_position = self.head().next();
        let last = self.events.last().map(|last| last.recorded_at);
        let recorded_at = last.map_or(now(), |last| last.max(now()));
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

/// The time to the microsecond (rule 9).
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
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
    ) -> Result<Appended, AppendError> {
        let mut log = lock(&self.log);
        if let Some(first_answer) = log.repeated(commit)? {
            return Ok(first_answer);
        }
        log.check(commit, conditions)?;
        let appended = log.add(commit);
        // Under the lock, so that the head never falls.
        self.head.send_replace(appended.last_position);
        Ok(appended)
    }
}

impl EventStore for ListStore {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        self.append_now(commit, &[])
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
}

impl ConditionalAppend for ListStore {
    async fn append_if(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        self.append_now(commit, conditions)
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
