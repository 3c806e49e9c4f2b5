//! The stores against a model that is too simple to be wrong: a list of events that every question
//! goes over from end to end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use es_core::bytes::Bytes;
use es_core::uuid::Uuid;
use es_core::{
    AppendCondition, AppendError, Appended, Commit, ConditionalAppend, Direction, EventId,
    ExpectedVersion, FixedClock, Metadata, NewEvent, Position, Query, QueryItem, QueryRange,
    RecordedEvent, SchemaVersion, StreamId, StreamRange, Tag, Version,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::{Durability, SqliteStore};
use proptest::prelude::*;

#[derive(Default)]
struct Model {
    events: Vec<RecordedEvent>,
}

impl Model {
    fn version(&self, stream: &StreamId) -> Version {
        Version::new(self.events.iter().filter(|event| event.stream == *stream).count() as u64)
    }

    fn find(&self, id: EventId) -> Option<&RecordedEvent> {
        self.events.iter().find(|event| event.event_id == id)
    }

    fn append(
        &mut self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, Refused> {
        let all: Vec<_> = commit
            .streams()
            .flat_map(|append| append.events.iter().map(move |event| (&append.stream, event)))
            .collect();
        let found: Vec<_> = all.iter().map(|(_, event)| self.find(event.id)).collect();
        if found.iter().any(Option::is_some) {
            let same =
                all.iter().zip(&found).enumerate().all(|(index, ((stream, event), found))| {
                    found.is_some_and(|found| {
                        found.stream == **stream
                            && found.name == event.name
                            && found.payload == event.payload
                            && found.schema_version == event.schema_version
                            && found.position.get()
                                == self.find(all[0].1.id).unwrap().position.get() + index as u64
                    })
                });
            if !same {
                return Err(Refused::IdReused);
            }
            let versions = commit
                .streams()
                .map(|append| self.find(append.events.last().unwrap().id).unwrap().version);
            let positions: Vec<_> = found.iter().map(|found| found.unwrap().position).collect();
            return Ok(answer(versions.collect(), positions, true));
        }
        for append in commit.streams() {
            if !append.expected.admits(self.version(&append.stream)) {
                return Err(Refused::Conflict(append.stream.clone(), self.version(&append.stream)));
            }
        }
        for (index, condition) in conditions.iter().enumerate() {
            let after = condition.after.unwrap_or(Position::ZERO);
            let first = self.events.iter().find(|event| {
                event.position > after
                    && matches(&condition.query, &event.name, event.tags.as_slice())
            });
            if let Some(first) = first {
                return Err(Refused::Condition(index, first.position));
            }
        }
        let (mut versions, mut positions) = (Vec::new(), Vec::new());
        for append in commit.streams() {
            for event in &append.events {
                let position = Position::new(self.events.len() as u64 + 1);
                positions.push(position);
                self.events.push(RecordedEvent {
                    position,
                    stream: append.stream.clone(),
                    version: self.version(&append.stream).next(),
                    event_id: event.id,
                    name: event.name.to_string(),
                    schema_version: event.schema_version,
                    payload: event.payload.clone(),
                    tags: event.tags.clone(),
                    recorded_at: time(),
                    occurred_at: event.occurred_at,
                    metadata: event.metadata.clone(),
                });
            }
            versions.push(self.version(&append.stream));
        }
        Ok(answer(versions, positions, false))
    }

    fn read(
        &self,
        wanted: impl Fn(&RecordedEvent) -> bool,
        direction: Direction,
    ) -> Vec<RecordedEvent> {
        let mut events: Vec<_> =
            self.events.iter().filter(|event| wanted(event)).cloned().collect();
        if direction == Direction::Backward {
            events.reverse();
        }
        events
    }
}

/// What a query means, in the words of its definition.
fn matches(query: &Query, name: &str, tags: &[Tag]) -> bool {
    let tags: BTreeSet<_> = tags.iter().map(Tag::as_str).collect();
    query.items().iter().any(|item| {
        let names: BTreeSet<_> = item.names().iter().map(|name| &**name).collect();
        let wanted: BTreeSet<_> = item.tags().iter().map(Tag::as_str).collect();
        (names.is_empty() || names.contains(name)) && wanted.is_subset(&tags)
    })
}

fn answer(versions: Vec<Version>, positions: Vec<Position>, repeated: bool) -> Appended {
    Appended {
        version: versions[0],
        more_versions: versions[1..].to_vec(),
        first_position: positions[0],
        last_position: *positions.last().unwrap(),
        repeated,
    }
}

#[derive(Debug, PartialEq)]
enum Refused {
    Conflict(StreamId, Version),
    Condition(usize, Position),
    IdReused,
}

fn refused(error: &AppendError) -> Refused {
    match error {
        AppendError::Conflict(conflict) => {
            Refused::Conflict(conflict.stream.clone(), conflict.actual)
        }
        AppendError::Condition(failed) => Refused::Condition(failed.index, failed.position),
        AppendError::EventIdReused { .. } => Refused::IdReused,
        other => panic!("{other}"),
    }
}

fn time() -> es_core::jiff::Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

#[derive(Clone, Debug)]
enum Action {
    Append {
        commit: Commit,
        conditions: Vec<AppendCondition>,
    },
    /// Appends the n-th commit again that was tried before.
    Retry(usize),
    ReadStream(StreamId, StreamRange),
    Read(Query, QueryRange),
}

// Few streams, names and tags, so that they meet; ids and tags that are prefixes of each other.
fn stream() -> impl Strategy<Value = StreamId> {
    let ids = prop_oneof![Just("1"), Just("10"), Just("ž")];
    (prop_oneof![Just("a"), Just("a b")], ids)
        .prop_map(|(category, id)| StreamId::new(category, id).unwrap())
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("opened"), Just("open"), Just("closed")]
}

fn tags() -> impl Strategy<Value = Vec<Tag>> {
    let tag = prop_oneof![Just("user:1"), Just("user:10"), Just("course:1")];
    prop::collection::vec(tag.prop_map(Tag::from), 0..3)
}

fn event() -> impl Strategy<Value = NewEvent> {
    // Ids from a small space: some are used twice.
    (0u128..60, name(), 1u32..3, 0u8..3, tags(), prop::option::of(any::<bool>())).prop_map(
        |(id, name, schema_version, payload, tags, actor)| NewEvent {
            id: EventId::from_uuid(Uuid::from_u128(id)),
            name: name.into(),
            schema_version: SchemaVersion::try_from(schema_version).unwrap(),
            // The last size is kept apart from the others.
            payload: Bytes::from(vec![b'x'; [0, 3, 70_000][usize::from(payload)]]),
            tags: tags.into_iter().collect(),
            occurred_at: actor.map(|_| time()),
            metadata: match actor {
                Some(true) => Metadata::default().with_actor("a"),
                _ => Metadata::default(),
            },
        },
    )
}

fn expected() -> impl Strategy<Value = ExpectedVersion> {
    prop_oneof![
        4 => Just(ExpectedVersion::Any),
        1 => Just(ExpectedVersion::NoStream),
        1 => Just(ExpectedVersion::Exists),
        2 => (0u64..4).prop_map(|version| ExpectedVersion::Exact(Version::new(version))),
    ]
}

fn commit() -> impl Strategy<Value = Commit> {
    let append = (stream(), expected(), prop::collection::vec(event(), 1..4));
    prop::collection::vec(append, 1..3).prop_filter_map("a commit breaks a rule", |appends| {
        let mut appends = appends.into_iter();
        let (stream, expected, events) = appends.next()?;
        appends.try_fold(
            Commit::new(stream, expected, events).ok()?,
            |commit, (stream, expected, events)| commit.and(stream, expected, events).ok(),
        )
    })
}

fn query() -> impl Strategy<Value = Query> {
    let item = (prop::collection::vec(name(), 0..3), tags())
        .prop_map(|(names, tags)| QueryItem::named(names).and_tagged(tags));
    prop::collection::vec(item, 1..4).prop_map(|items| {
        let mut items = items.into_iter();
        let first = Query::from(items.next().unwrap());
        items.fold(first, Query::or)
    })
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Forward), Just(Direction::Backward)]
}

fn action() -> impl Strategy<Value = Action> {
    let condition = (query(), prop::option::of(0u64..30))
        .prop_map(|(query, after)| AppendCondition { query, after: after.map(Position::new) });
    let bound = prop_oneof![0u64..12, Just(u64::MAX)];
    let limit = prop_oneof![0usize..5, Just(usize::MAX)];
    prop_oneof![
        5 => (commit(), prop::collection::vec(condition, 0..2))
            .prop_map(|(commit, conditions)| Action::Append { commit, conditions }),
        1 => (0usize..20).prop_map(Action::Retry),
        2 => (stream(), 0u64..8, bound.clone(), direction(), limit.clone()).prop_map(
            |(stream, from, to, direction, limit)| Action::ReadStream(stream, StreamRange {
                from: Version::new(from), to: Version::new(to), direction, limit,
            })
        ),
        2 => (query(), 0u64..30, bound, direction(), limit).prop_map(
            |(query, after, up_to, direction, limit)| Action::Read(query, QueryRange {
                after: Position::new(after), up_to: Position::new(up_to), direction, limit,
            })
        ),
    ]
}

async fn compare(store: impl ConditionalAppend, actions: Vec<Action>) {
    let mut model = Model::default();
    let mut tried: Vec<(Commit, Vec<AppendCondition>)> = Vec::new();
    for action in actions {
        match action {
            Action::Append { commit, conditions } => {
                append(&store, &mut model, &commit, &conditions).await;
                tried.push((commit, conditions));
            }
            Action::Retry(index) => {
                if let Some((commit, conditions)) = tried.get(index).cloned() {
                    append(&store, &mut model, &commit, &conditions).await;
                }
            }
            Action::ReadStream(stream, range) => {
                let page = store.read_stream(&stream, range).await.unwrap();
                let all = model.read(
                    |event| {
                        event.stream == stream
                            && event.version >= range.from
                            && event.version <= range.to
                    },
                    range.direction,
                );
                let events: Vec<_> = page.events.iter().map(|event| event.to_event()).collect();
                let expected: Vec<_> = all.iter().take(range.limit).cloned().collect();
                assert_eq!(events, expected);
                assert_eq!(page.version, model.version(&stream));
                assert_eq!(page.next, all.get(range.limit).map(|event| event.version));
            }
            Action::Read(query, range) => {
                let page = store.read(&query, range).await.unwrap();
                let all = model.read(
                    |event| {
                        event.position > range.after
                            && event.position <= range.up_to
                            && matches(&query, &event.name, event.tags.as_slice())
                    },
                    range.direction,
                );
                let events: Vec<_> = page.events.iter().map(|event| event.to_event()).collect();
                let expected: Vec<_> = all.iter().take(range.limit).cloned().collect();
                assert_eq!(events, expected);
                assert_eq!(page.more, all.len() > range.limit);
            }
        }
        assert_eq!(store.head().await.unwrap().get(), model.events.len() as u64);
    }
    let whole = QueryRange { limit: usize::MAX, ..QueryRange::all() };
    let page = store.read(&Query::all(), whole).await.unwrap();
    let everything: Vec<_> = page.events.iter().map(|event| event.to_event()).collect();
    assert_eq!(everything, model.events);
    let mut by_id = BTreeMap::new();
    for event in &model.events {
        assert_eq!(store.find(event.event_id).await.unwrap().as_ref(), Some(event));
        assert!(by_id.insert(event.event_id, ()).is_none(), "an id is stored twice");
    }
}

async fn append(
    store: &impl ConditionalAppend,
    model: &mut Model,
    commit: &Commit,
    conditions: &[AppendCondition],
) {
    let answer = store.append_if(commit, conditions).await.map_err(|error| refused(&error));
    assert_eq!(answer, model.append(commit, conditions));
}

/// Runs without a thread of tokio's own: the stores need none.
fn run(comparison: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(comparison);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn the_memory_store_answers_as_the_model(actions in prop::collection::vec(action(), 1..40)) {
        run(compare(MemoryStore::with_clock(FixedClock::at(time())), actions));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn the_sqlite_store_answers_as_the_model(actions in prop::collection::vec(action(), 1..40)) {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::builder(directory.path().join("model.db"))
            .clock(FixedClock::at(time()))
            .durability(Durability::Process)
            .open()
            .unwrap();
        run(compare(store, actions));
    }
}
