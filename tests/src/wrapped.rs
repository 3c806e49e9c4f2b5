//! A right store behind a layer that breaks one law, as adapters, caches and proxies do: the memory
//! store, and what is put around it.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use es_core::bytes::Bytes;
use es_core::conformance::Fixture;
use es_core::{
    AppendCondition, AppendError, Appended, Commit, ConditionalAppend, Direction, EventId,
    EventStore, ExpectedRevision, ExpectedVersion, InvalidCommit, NewEvent, Position, Query,
    QueryItem, QueryPage, QueryRange, ReadError, RecordedEvent, Revision, StateError, StateKey,
    StatePage, StateRecord, StateStore, StoreFailure, StreamId, StreamPage, StreamRange,
    VersionConflict,
};
use es_memory_store::MemoryStore;

/// What a layer does to the calls that go through it: nothing, where it says nothing.
pub trait Layer: Default + Send + Sync + 'static {
    /// What is asked of the store instead of an append.
    fn append(
        &self,
        store: &MemoryStore,
        commit: &Commit,
    ) -> impl Future<Output = Result<Appended, AppendError>> + Send {
        store.append(commit)
    }

    /// What is asked of it instead of a conditional append.
    fn append_if(
        &self,
        store: &MemoryStore,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> impl Future<Output = Result<Appended, AppendError>> + Send {
        store.append_if(commit, conditions)
    }

    /// What is asked of it instead of a read of a stream.
    fn read_stream(
        &self,
        store: &MemoryStore,
        stream: &StreamId,
        range: StreamRange,
    ) -> impl Future<Output = Result<StreamPage, ReadError>> + Send {
        store.read_stream(stream, range)
    }

    /// What is asked of it instead of a read in the global order.
    fn read(
        &self,
        store: &MemoryStore,
        query: &Query,
        range: QueryRange,
    ) -> impl Future<Output = Result<QueryPage, ReadError>> + Send {
        store.read(query, range)
    }

    /// What is asked of it instead of the head.
    fn head(
        &self,
        store: &MemoryStore,
    ) -> impl Future<Output = Result<Position, ReadError>> + Send {
        store.head()
    }

    /// What is expected of a record instead.
    fn expected(&self, expected: ExpectedRevision) -> ExpectedRevision {
        expected
    }
}

/// Lists the layers, each with a check that must catch it.
macro_rules! layers {
    ($($(#[$about:meta])* $layer:ident => $check:literal,)*) => {
        /// Calls `$callback!` with each layer and the check that must catch it.
        #[macro_export]
        macro_rules! for_each_layer {
            ($callback:ident) => {
                $( $callback!($layer, $check); )*
            };
        }
    };
}

layers! {
    LostRace => "event_store::races::of_many_with_one_expected_version_exactly_one_wins",
    TornBatch => "event_store::append::one_conflict_refuses_all_streams_of_a_commit",
    BurntPosition => "event_store::append::a_refused_commit_leaves_nothing_behind",
    LatePosition => "event_store::races::who_follows_the_store_sees_every_event_once_and_none_late",
    AfterOffByOne => "event_store::reading::every_range_of_positions_is_read_in_both_directions",
    TagPrefix => "event_store::queries::names_and_tags_are_compared_whole",
    ConditionWithoutTags => "conditional_append::conditions::what_no_condition_matches_is_never_refused",
    ConditionThenAppend => "conditional_append::condition_races::of_many_decisions_on_one_boundary_exactly_one_wins",
    DuplicateOnRetry => "event_store::retry::a_commit_that_is_repeated_is_answered_as_the_first_time",
    SilentTruncation => "event_store::content::a_commit_of_ten_thousand_events_comes_back",
    StaleHead => "event_store::order::what_was_acknowledged_is_seen_at_once",
    LeaseWithoutFencing => "state_store::records::a_lease_that_was_taken_over_can_not_write",
}

/// Changes nothing: what is left then is the store.
#[derive(Default)]
pub struct Nothing;

impl Layer for Nothing {}

/// The version is read and compared, and then the events are appended whatever it is.
#[derive(Default)]
pub struct LostRace;

impl Layer for LostRace {
    async fn append(&self, store: &MemoryStore, commit: &Commit) -> Result<Appended, AppendError> {
        let first = commit.first();
        let (stream, expected) = (first.stream.clone(), first.expected);
        let page = store.read_stream(&stream, StreamRange::all()).await.map_err(read)?;
        if !expected.admits(page.version) {
            return Err(VersionConflict { stream, expected, actual: page.version }.into());
        }
        tokio::task::yield_now().await;
        let any = Commit::new(stream, ExpectedVersion::Any, first.events.clone());
        store.append(&any.map_err(invalid)?).await
    }
}

/// Every stream of a commit is appended by itself.
#[derive(Default)]
pub struct TornBatch;

impl Layer for TornBatch {
    async fn append(&self, store: &MemoryStore, commit: &Commit) -> Result<Appended, AppendError> {
        let mut all: Option<Appended> = None;
        for to in commit.streams() {
            let one = Commit::new(to.stream.clone(), to.expected, to.events.clone());
            let appended = store.append(&one.map_err(invalid)?).await?;
            match &mut all {
                None => all = Some(appended),
                Some(all) => {
                    all.more_versions.push(appended.version);
                    all.last_position = appended.last_position;
                }
            }
        }
        all.ok_or_else(|| AppendError::Permanent(StoreFailure::new("a commit of nothing")))
    }
}

/// Refusals are noted in the same log.
#[derive(Default)]
pub struct BurntPosition;

impl Layer for BurntPosition {
    async fn append(&self, store: &MemoryStore, commit: &Commit) -> Result<Appended, AppendError> {
        let answer = store.append(commit).await;
        if matches!(answer, Err(AppendError::Conflict(_))) {
            let mut note = commit.first().events[0].clone();
            note.id = EventId::generate();
            if let Ok(audit) = StreamId::new("audit", "refused")
                && let Ok(noted) = Commit::new(audit, ExpectedVersion::Any, vec![note])
            {
                store.append(&noted).await?;
            }
        }
        answer
    }
}

/// Events are shown some time after their position was drawn, as those of transactions that are
/// committed in another order.
#[derive(Default)]
pub struct LatePosition(Mutex<BTreeSet<Position>>);

impl LatePosition {
    fn hidden(&self) -> std::sync::MutexGuard<'_, BTreeSet<Position>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Layer for LatePosition {
    async fn append(&self, store: &MemoryStore, commit: &Commit) -> Result<Appended, AppendError> {
        let head = store.head().await.map_err(read)?;
        if head.get() % 3 != 0 {
            return store.append(commit).await;
        }
        let next = (1..=commit.event_count() as u64).map(|index| head.plus(index));
        self.hidden().extend(next);
        let answer = store.append(commit).await;
        tokio::task::yield_now().await;
        self.hidden().clear();
        answer
    }

    async fn read(
        &self,
        store: &MemoryStore,
        query: &Query,
        range: QueryRange,
    ) -> Result<QueryPage, ReadError> {
        let page = store.read(query, range).await?;
        let hidden = self.hidden();
        let shown = page.events.iter().filter(|event| !hidden.contains(&event.position));
        Ok(QueryPage { events: shown.collect(), ..page })
    }
}

/// What begins after a position begins with it.
#[derive(Default)]
pub struct AfterOffByOne;

impl Layer for AfterOffByOne {
    async fn read(
        &self,
        store: &MemoryStore,
        query: &Query,
        range: QueryRange,
    ) -> Result<QueryPage, ReadError> {
        let after = Position::new(range.after.get().saturating_sub(1));
        store.read(query, QueryRange { after, ..range }).await
    }
}

/// Tags are compared up to the length of the one that is asked for.
#[derive(Default)]
pub struct TagPrefix;

impl Layer for TagPrefix {
    async fn read(
        &self,
        store: &MemoryStore,
        query: &Query,
        range: QueryRange,
    ) -> Result<QueryPage, ReadError> {
        let all = QueryRange { direction: Direction::Forward, limit: usize::MAX, ..range };
        let page = store.read(&Query::all(), all).await?;
        let matches = |event: &RecordedEvent, item: &QueryItem| {
            let has = |wanted: &es_core::Tag| {
                let begins = |tag: &es_core::Tag| tag.as_str().starts_with(wanted.as_str());
                event.tags.as_slice().iter().any(begins)
            };
            (item.names().is_empty() || item.names().iter().any(|name| *name == event.name))
                && item.tags().iter().all(has)
        };
        let mut events: Vec<_> = page.events.iter().map(|recorded| recorded.to_event()).collect();
        events.retain(|event| query.items().iter().any(|item| matches(event, item)));
        if range.direction == Direction::Backward {
            events.reverse();
        }
        let more = events.len() > range.limit;
        events.truncate(range.limit);
        let events = events.iter().map(RecordedEvent::as_recorded).collect();
        Ok(QueryPage { events, head: page.head, more })
    }
}

/// Conditions are asked by names alone.
#[derive(Default)]
pub struct ConditionWithoutTags;

impl Layer for ConditionWithoutTags {
    async fn append_if(
        &self,
        store: &MemoryStore,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        let untagged = |condition: &AppendCondition| {
            let names = |item: &QueryItem| QueryItem::named(item.names().to_vec());
            let mut items = condition.query.items().iter().map(names);
            let first = Query::from(items.next().unwrap_or_default());
            AppendCondition { query: items.fold(first, Query::or), after: condition.after }
        };
        let conditions: Vec<_> = conditions.iter().map(untagged).collect();
        store.append_if(commit, &conditions).await
    }
}

/// Conditions are asked first, and then the events are appended.
#[derive(Default)]
pub struct ConditionThenAppend;

impl Layer for ConditionThenAppend {
    async fn append_if(
        &self,
        store: &MemoryStore,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        for (index, condition) in conditions.iter().enumerate() {
            let range = QueryRange::after(condition.after.unwrap_or(Position::ZERO));
            let page = store.read(&condition.query, range).await.map_err(read)?;
            if let Some(found) = page.events.iter().next() {
                let (condition, position) = (condition.clone(), found.position);
                return Err(es_core::ConditionFailed { index, condition, position }.into());
            }
        }
        tokio::task::yield_now().await;
        store.append(commit).await
    }
}

/// Events get their ids here, whatever they had.
#[derive(Default)]
pub struct DuplicateOnRetry;

impl Layer for DuplicateOnRetry {
    async fn append(&self, store: &MemoryStore, commit: &Commit) -> Result<Appended, AppendError> {
        let anew = |event: &NewEvent| NewEvent { id: EventId::generate(), ..event.clone() };
        let mut streams = commit.streams();
        let Some(first) = streams.next() else { return store.append(commit).await };
        let events = first.events.iter().map(anew).collect();
        let mut renamed = Commit::new(first.stream.clone(), first.expected, events);
        for to in streams {
            let events = to.events.iter().map(anew).collect();
            renamed = renamed.and_then(|all| all.and(to.stream.clone(), to.expected, events));
        }
        store.append(&renamed.map_err(invalid)?).await
    }
}

/// A page has five hundred events at most, and then the history ends.
#[derive(Default)]
pub struct SilentTruncation;

impl Layer for SilentTruncation {
    async fn read_stream(
        &self,
        store: &MemoryStore,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        let page = store.read_stream(stream, StreamRange { limit: range.limit.min(500), ..range });
        let page = page.await?;
        let next = page.next.filter(|_| range.limit < 500);
        Ok(StreamPage { next, ..page })
    }
}

/// The head is that of the last read.
#[derive(Default)]
pub struct StaleHead(Mutex<Option<Position>>);

impl Layer for StaleHead {
    async fn head(&self, store: &MemoryStore) -> Result<Position, ReadError> {
        let head = store.head().await?;
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(head);
        Ok(cached.unwrap_or(head))
    }
}

/// Whoever once had a lease writes, whoever has it now.
#[derive(Default)]
pub struct LeaseWithoutFencing;

impl Layer for LeaseWithoutFencing {
    fn expected(&self, expected: ExpectedRevision) -> ExpectedRevision {
        match expected {
            ExpectedRevision::Exact(_) => ExpectedRevision::Any,
            other => other,
        }
    }
}

fn read(error: ReadError) -> AppendError {
    AppendError::Transient(StoreFailure::caused_by("a layer could not read", error))
}

fn invalid(error: InvalidCommit) -> AppendError {
    AppendError::Permanent(StoreFailure::caused_by("a layer made a commit that is none", error))
}

/// The memory store behind a layer.
#[derive(Default)]
pub struct Wrapped<L> {
    store: MemoryStore,
    layer: L,
}

/// Makes memory stores behind a layer.
#[derive(Default)]
pub struct Wrapping<L>(std::marker::PhantomData<fn() -> L>);

impl<L: Layer> Fixture for Wrapping<L> {
    type Store = Wrapped<L>;

    async fn empty(&self) -> Wrapped<L> {
        Wrapped::default()
    }
}

impl<L: Layer> EventStore for Wrapped<L> {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        self.layer.append(&self.store, commit).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        self.layer.read_stream(&self.store, stream, range).await
    }

    async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        self.layer.read(&self.store, query, range).await
    }

    async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        self.store.find(event_id).await
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.layer.head(&self.store).await
    }

    async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
        self.store.wait_beyond(position).await
    }
}

impl<L: Layer> ConditionalAppend for Wrapped<L> {
    async fn append_if(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        self.layer.append_if(&self.store, commit, conditions).await
    }
}

impl<L: Layer> StateStore for Wrapped<L> {
    async fn get(&self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
        self.store.get(key).await
    }

    async fn put(
        &self,
        key: &StateKey,
        value: Bytes,
        expected: ExpectedRevision,
    ) -> Result<Revision, StateError> {
        self.store.put(key, value, self.layer.expected(expected)).await
    }

    async fn remove(&self, key: &StateKey, expected: ExpectedRevision) -> Result<(), StateError> {
        self.store.remove(key, self.layer.expected(expected)).await
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
