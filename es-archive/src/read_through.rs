//! A store that reads what was archived from the archive.

use es_core::bytes::Bytes;
use es_core::uuid::Uuid;
use es_core::{
    AppendCondition, AppendError, Appended, Archived, Commit, ConditionalAppend, Direction,
    DynProjectionStore, EventId, EventStore, ExpectedRevision, NewEvent, Page, PageBuilder,
    Position, ProjectionStore, Query, QueryPage, QueryRange, ReadError, RecordedAppend,
    RecordedCommit, RecordedEvent, Removal, RemovalError, RemovedEvent, Revision, RowWork,
    SegmentRef, SparsePage, StateCommit, StateError, StateKey, StatePage, StateRecord, StateStore,
    StoreFailure, StreamAppend, StreamId, StreamPage, StreamRange, StreamRemoval, Stub, Version,
};

use crate::archive::{Archive, check_run, find_part, not_in, reading};
use crate::error::ArchiveError;

/// A store, and the archive that its old events are in: together they are read as if nothing had ever
/// been archived.
///
/// ```
/// use es_archive::{Archive, ReadThrough};
/// use es_core::Runtime;
/// use es_sqlite_store::SqliteStore;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = ReadThrough::new(SqliteStore::open("bank.db")?, Archive::open("archive")?);
/// let runtime = Runtime::builder(store).start().await?;
/// # Ok(()) }
/// ```
///
/// Loading, history, audit, projections that are built anew, subscriptions, copies, exports and
/// [`verify_chain`] then see every event, in its old place. Loading takes the archive only when snapshot
/// and live events do not suffice.
///
/// # Guarantees
/// - What is archived is decided by the stubs of the store: an event is read from there or from the
///   segment that its stub names, never from both.
/// - What a segment gives is checked against the store: stream, version, position. A segment that is
///   missing or damaged is an error of the read.
/// - A commit of which the events are archived is answered as the first time when it is appended again.
///
/// What was removed for good is as without this: refused in its stream, passed by in the global order.
///
/// [`verify_chain`]: es_core::Runtime
#[derive(Clone, Debug)]
pub struct ReadThrough<S> {
    store: S,
    archive: Archive,
}

impl<S> ReadThrough<S> {
    /// Puts the archive behind the store.
    pub fn new(store: S, archive: Archive) -> Self {
        Self { store, archive }
    }

    /// The store alone.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The archive.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// The store and the archive.
    pub fn into_parts(self) -> (S, Archive) {
        (self.store, self.archive)
    }
}

impl<S: StreamRemoval> ReadThrough<S> {
    /// The page of a stream that begins with an archived event.
    async fn archived_page(
        &self,
        archived: Archived,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        let Archived { stream, version, segment, stream_version, .. } = &archived;
        let Some(place) = segment.clone() else {
            return Err(ReadError::Archived(Box::new(archived)));
        };
        let (archive, of, from) = (self.archive.clone(), stream.clone(), *version);
        let backward = range.direction == Direction::Backward;
        let events = reading(move || {
            let segment = archive.segment(&place.name)?;
            let part = find_part(&segment, &of, from, &place)?;
            let versions = if backward {
                range.from.max(part.from)..=from
            } else {
                from..=range.to.min(part.to)
            };
            let events = segment.events(part, versions, backward, range.limit)?;
            let ends = [events.first(), events.last()].map(|end| end.map(|event| event.version));
            let [Some(first), Some(last)] = ends else {
                return Err(not_in(&segment, &of, from));
            };
            if backward {
                let mut forward = events;
                forward.reverse();
                check_run(&segment, &of, &forward, last, from)?;
                forward.reverse();
                Ok(forward)
            } else {
                check_run(&segment, &of, &events, from, last.max(first))?;
                Ok(events)
            }
        });
        let events = events.await.map_err(ArchiveError::into_read_error)?;
        let next = match (events.last(), range.direction) {
            (Some(last), Direction::Forward) => {
                let next = last.version.next();
                (next <= range.to.min(*stream_version)).then_some(next)
            }
            (Some(last), Direction::Backward) => {
                let next = Version::new(last.version.get() - 1);
                (next >= range.from.max(Version::new(1))).then_some(next)
            }
            (None, _) => None,
        };
        let events = events.iter().map(RecordedEvent::as_recorded).collect();
        Ok(StreamPage { events, version: *stream_version, next })
    }

    /// The events of a sparse page, with those from the archive in their places.
    async fn filled(&self, page: SparsePage, direction: Direction) -> Result<Page, ReadError> {
        let SparsePage { events, removed, .. } = page;
        if removed.is_empty() {
            return Ok(events);
        }
        let archive = self.archive.clone();
        let archived = reading(move || fetch(&archive, removed));
        let archived = archived.await.map_err(ArchiveError::into_read_error)?;
        let mut page = PageBuilder::with_capacity(events.len() + archived.len());
        let (mut live, mut archived) = (events.iter().peekable(), archived.iter().peekable());
        let before = |one: Position, other: Position| match direction {
            Direction::Forward => one < other,
            Direction::Backward => one > other,
        };
        loop {
            match (live.peek(), archived.peek()) {
                (Some(one), Some(other)) if before(one.position, other.position) => {
                    live.next().into_iter().for_each(|event| page.push(event));
                }
                (_, Some(_)) => {
                    archived.next().into_iter().for_each(|event| page.push(event.as_recorded()));
                }
                (Some(_), None) => live.next().into_iter().for_each(|event| page.push(event)),
                (None, None) => return Ok(page.build()),
            }
        }
    }

    async fn archived_event(
        &self,
        event_id: EventId,
        archived: Archived,
    ) -> Result<Option<RecordedEvent>, ReadError> {
        let range = StreamRange {
            from: archived.version,
            to: archived.version,
            limit: 1,
            ..StreamRange::all()
        };
        let page = self.archived_page(archived, range).await?;
        match page.events.last() {
            Some(event) if event.event_id == event_id => Ok(Some(event.to_event())),
            _ => Err(ReadError::Permanent(StoreFailure::new(format!(
                "event {event_id} is not in the segment at its version; check the archive with `verify`"
            )))),
        }
    }

    /// The answer to a commit of which an event is archived.
    async fn repeated(&self, commit: &Commit) -> Result<Appended, AppendError> {
        let found = |error: ReadError| match error {
            ReadError::Transient(failure) => AppendError::Transient(failure),
            ReadError::Permanent(failure) => AppendError::Permanent(failure),
            error => AppendError::Permanent(StoreFailure::caused_by(error.to_string(), error)),
        };
        let first_id = commit.first().events[0].id;
        let first = self.find(first_id).await.map_err(found)?.map(|event| event.position);
        let mut next = first;
        let mut versions = Vec::new();
        for append in commit.streams() {
            let mut version = Version::ZERO;
            for event in &append.events {
                let event_id = event.id;
                match (self.find(event_id).await.map_err(found)?, next) {
                    (Some(stored), Some(place))
                        if stored.position == place && is_same(&stored, append, event) =>
                    {
                        version = stored.version;
                        next = Some(place.next());
                    }
                    (Some(RecordedEvent { position, .. }), _) => {
                        return Err(AppendError::EventIdReused { event_id, position });
                    }
                    // Some are stored and this one is not.
                    (None, Some(_)) => {
                        let (event_id, position) = (first_id, first.unwrap_or_default());
                        return Err(AppendError::EventIdReused { event_id, position });
                    }
                    (None, None) => {}
                }
            }
            versions.push(version);
        }
        let (first_position, end) = (first.unwrap_or_default(), next.unwrap_or_default());
        let mut versions = versions.into_iter();
        Ok(Appended {
            version: versions.next().unwrap_or_default(),
            more_versions: versions.collect(),
            first_position,
            last_position: Position::new(end.get().saturating_sub(1)),
            repeated: true,
        })
    }

    async fn settled(
        &self,
        commit: &Commit,
        answer: Result<Appended, AppendError>,
    ) -> Result<Appended, AppendError> {
        match answer {
            Err(AppendError::EventIdArchived { ref archived, .. })
                if archived.segment.is_some() =>
            {
                self.repeated(commit).await
            }
            answer => answer,
        }
    }
}

fn is_same(stored: &RecordedEvent, append: &StreamAppend, event: &NewEvent) -> bool {
    stored.stream == append.stream
        && stored.name == event.name
        && stored.schema_version == event.schema_version
        && stored.payload == event.payload
}

/// Reads removed events from their segments, in their order.
fn fetch(
    archive: &Archive,
    removed: Vec<RemovedEvent>,
) -> Result<Vec<RecordedEvent>, ArchiveError> {
    let mut events = Vec::with_capacity(removed.len());
    let mut open: Option<(SegmentRef, std::sync::Arc<crate::segment::Segment>)> = None;
    for RemovedEvent { position, stream, version, segment: place } in removed {
        let segment = match &open {
            Some((known, segment)) if known.name == place.name => std::sync::Arc::clone(segment),
            _ => {
                let segment = archive.segment(&place.name)?;
                open = Some((place.clone(), std::sync::Arc::clone(&segment)));
                segment
            }
        };
        let block = segment.block_of(position).ok_or_else(|| not_in(&segment, &stream, version))?;
        let block = segment.block(block)?;
        let event = block.binary_search_by_key(&position, |event| event.position).ok();
        let event = event.map(|at| &block[at]);
        let event = event.filter(|event| event.stream == stream && event.version == version);
        events.push(event.cloned().ok_or_else(|| not_in(&segment, &stream, version))?);
    }
    Ok(events)
}

impl<S: StreamRemoval> EventStore for ReadThrough<S> {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        let answer = self.store.append(commit).await;
        self.settled(commit, answer).await
    }

    async fn append_chain(&self, commits: &[Commit]) -> Vec<Result<Appended, AppendError>> {
        let mut answers = Vec::with_capacity(commits.len());
        while answers.len() < commits.len() {
            let before = answers.len();
            answers.extend(self.store.append_chain(&commits[before..]).await);
            let Some(last) = answers.pop() else { return answers };
            let commit = &commits[answers.len()];
            let archived = matches!(last, Err(AppendError::EventIdArchived { .. }));
            let settled = self.settled(commit, last).await;
            let goes_on = archived && settled.is_ok();
            answers.push(settled);
            if !goes_on {
                break;
            }
        }
        answers
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        match self.store.read_stream(stream, range).await {
            Err(ReadError::Archived(archived)) => self.archived_page(*archived, range).await,
            answer => answer,
        }
    }

    async fn read_live(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        self.store.read_live(stream, range).await
    }

    async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        match self.store.read(query, range).await {
            Err(ReadError::Archived(_)) => {}
            answer => return answer,
        }
        let page = self.store.read_sparse(query, range).await?;
        let (head, more) = (page.head, page.more);
        Ok(QueryPage { events: self.filled(page, range.direction).await?, head, more })
    }

    async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        match self.store.find(event_id).await {
            Err(ReadError::Archived(archived)) => self.archived_event(event_id, *archived).await,
            answer => answer,
        }
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.store.head().await
    }

    async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
        self.store.wait_beyond(position).await
    }

    fn projection_store(&self) -> Option<&dyn DynProjectionStore> {
        self.store.projection_store()
    }
}

impl<S: StreamRemoval + ConditionalAppend> ConditionalAppend for ReadThrough<S> {
    async fn append_if(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        let answer = self.store.append_if(commit, conditions).await;
        self.settled(commit, answer).await
    }
}

impl<S: StreamRemoval + RecordedAppend> RecordedAppend for ReadThrough<S> {
    async fn append_recorded(
        &self,
        commits: &[RecordedCommit],
    ) -> Vec<Result<Appended, AppendError>> {
        let mut answers = Vec::with_capacity(commits.len());
        while answers.len() < commits.len() {
            let before = answers.len();
            answers.extend(self.store.append_recorded(&commits[before..]).await);
            let Some(last) = answers.pop() else { return answers };
            let commit = &commits[answers.len()].commit;
            let archived = matches!(last, Err(AppendError::EventIdArchived { .. }));
            let settled = self.settled(commit, last).await;
            let goes_on = archived && settled.is_ok();
            answers.push(settled);
            if !goes_on {
                break;
            }
        }
        answers
    }
}

impl<S: StreamRemoval> StreamRemoval for ReadThrough<S> {
    async fn remove(&self, removal: &Removal) -> Result<(), RemovalError> {
        self.store.remove(removal).await
    }

    async fn put_back(
        &self,
        stream: &StreamId,
        events: &[RecordedEvent],
    ) -> Result<(), RemovalError> {
        self.store.put_back(stream, events).await
    }

    async fn stub(&self, stream: &StreamId) -> Result<Option<Stub>, ReadError> {
        self.store.stub(stream).await
    }

    async fn stubs(&self, after: Option<&StreamId>, limit: usize) -> Result<Vec<Stub>, ReadError> {
        self.store.stubs(after, limit).await
    }

    async fn read_sparse(&self, query: &Query, range: QueryRange) -> Result<SparsePage, ReadError> {
        self.store.read_sparse(query, range).await
    }
}

impl<S: StateStore> StateStore for ReadThrough<S> {
    async fn get(&self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
        self.store.get(key).await
    }

    async fn put(
        &self,
        key: &StateKey,
        value: Bytes,
        expected: ExpectedRevision,
    ) -> Result<Revision, StateError> {
        self.store.put(key, value, expected).await
    }

    async fn remove(&self, key: &StateKey, expected: ExpectedRevision) -> Result<(), StateError> {
        StateStore::remove(&self.store, key, expected).await
    }

    async fn list(
        &self,
        space: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<StatePage, StateError> {
        self.store.list(space, after, limit).await
    }
}

impl<S: StreamRemoval + ProjectionStore> ProjectionStore for ReadThrough<S> {
    type Rows = S::Rows;

    async fn identity(&self) -> Result<Uuid, StateError> {
        ProjectionStore::identity(&self.store).await
    }

    fn opening(&self) -> Option<Uuid> {
        self.store.opening()
    }

    async fn get_many(&self, keys: &[StateKey]) -> Result<Vec<Option<StateRecord>>, StateError> {
        self.store.get_many(keys).await
    }

    async fn commit(
        &self,
        commit: StateCommit,
        rows: Option<RowWork<S::Rows>>,
    ) -> Result<Revision, StateError> {
        self.store.commit(commit, rows).await
    }
}
