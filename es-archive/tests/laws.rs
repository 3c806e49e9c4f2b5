//! Whatever is archived: through the archive everything is read as before, and after a restore it is as if
//! nothing had happened.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use es_archive::{Archive, ArchiveError, Policy, ReadThrough};
use es_core::bytes::Bytes;
use es_core::{
    AppendCondition, AppendError, Commit, ConditionalAppend, Direction, EventId, EventStore,
    ExpectedVersion, Metadata, NewEvent, Position, ProjectionStore, Query, QueryItem, QueryRange,
    ReadError, RecordedEvent, Registry, Runtime, SchemaVersion, StreamId, StreamRange,
    StreamRemoval, Tag, Version,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::SqliteStore;
use fastrand::Rng;

/// How many histories are tried; more with `ES_ARCHIVE_SEEDS`.
fn seeds(few: u64) -> u64 {
    std::env::var("ES_ARCHIVE_SEEDS").map_or(few, |seeds| seeds.parse().unwrap())
}

fn stream(number: u64) -> StreamId {
    StreamId::new("thing", number).unwrap()
}

fn event(random: &mut Rng) -> NewEvent {
    let name = *random.choice(&["opened", "moved", "moved", "moved", "closed"]).unwrap();
    let payload = match random.u8(..10) {
        0 => Bytes::from(vec![0xff, random.u8(..)]),
        1 => Bytes::from(format!("{{\"long\":\"{}\"}}", "x".repeat(random.usize(..3000)))),
        _ => Bytes::from(format!("{{\"amount\":{}}}", random.u32(..))),
    };
    NewEvent {
        id: EventId::generate(),
        name: name.into(),
        schema_version: SchemaVersion::try_from(random.u32(1..3)).unwrap(),
        payload,
        tags: (0..random.u8(..3)).map(|_| Tag::of("t", random.u8(..4))).collect(),
        occurred_at: random.bool().then(|| "2020-01-01T00:00:00.123456Z".parse().unwrap()),
        metadata: if random.bool() { Metadata::default().with_actor("a") } else { Metadata::EMPTY },
    }
}

/// Some streams, long and short, mixed in the global order.
async fn fill<S: EventStore>(store: &S, random: &mut Rng, commits: usize) -> Vec<Commit> {
    let mut made = Vec::new();
    for _ in 0..commits {
        let events = (0..random.usize(1..4)).map(|_| event(random)).collect();
        let to = stream(random.u64(..8));
        let mut commit = Commit::new(to.clone(), ExpectedVersion::Any, events).unwrap();
        let other = stream(random.u64(..8));
        if random.u8(..5) == 0 && other != to {
            commit = commit.and(other, ExpectedVersion::Any, vec![event(random)]).unwrap();
        }
        store.append(&commit).await.unwrap();
        made.push(commit);
    }
    made
}

fn queries() -> Vec<Query> {
    vec![
        Query::all(),
        Query::from(QueryItem::named(["moved"])),
        Query::from(QueryItem::tagged([Tag::of("t", 1)])),
        Query::from(QueryItem::named(["moved", "closed"]).and_tagged([Tag::of("t", 2)])),
        Query::from(QueryItem::tagged([Tag::of("t", 1), Tag::of("t", 3)]))
            .or(QueryItem::named(["opened"])),
    ]
}

/// Everything that a store can be asked, in pages of this length.
async fn all<S: EventStore>(store: &S, limit: usize) -> Result<Vec<Vec<RecordedEvent>>, ReadError> {
    let mut answers = Vec::new();
    for query in queries() {
        for direction in [Direction::Forward, Direction::Backward] {
            let mut range = QueryRange { direction, limit, ..QueryRange::all() };
            let mut events = Vec::new();
            loop {
                let page = store.read(&query, range).await?;
                events.extend(page.events.iter().map(|event| event.to_event()));
                if !page.more {
                    break;
                }
                let last = page.events.last().unwrap().position;
                match direction {
                    Direction::Forward => range.after = last,
                    Direction::Backward => range.up_to = Position::new(last.get() - 1),
                }
            }
            answers.push(events);
        }
    }
    for number in 0..8 {
        for direction in [Direction::Forward, Direction::Backward] {
            let mut range = StreamRange { direction, limit, ..StreamRange::all() };
            let mut events = Vec::new();
            loop {
                let page = store.read_stream(&stream(number), range).await?;
                events.extend(page.events.iter().map(|event| event.to_event()));
                match page.next {
                    Some(next) => range = range.continued(next),
                    None => break,
                }
            }
            answers.push(events);
        }
    }
    Ok(answers)
}

async fn runtime<S: EventStore>(store: S) -> Runtime<S> {
    let registry = Registry::builder().build().unwrap();
    Runtime::builder(store).registry(registry).start().await.unwrap()
}

async fn law<S>(store: S, directory: &Path, seed: u64)
where
    S: StreamRemoval + ProjectionStore + ConditionalAppend,
{
    let mut random = Rng::with_seed(seed);
    let archive = Archive::create(directory).unwrap();
    let runtime = runtime(ReadThrough::new(store, archive.clone())).await;
    let (through, live) = (&**runtime.store(), runtime.store().store());
    let mut commits = fill(live, &mut random, 40).await;
    let mut moved = 0;
    for _ in 0..4 {
        let before = all(live, 7).await;
        let expected = match before {
            Ok(before) => before,
            Err(_) => all(through, 7).await.unwrap(),
        };
        let head = live.head().await.unwrap();
        let up_to = Version::new(random.u64(1..30));
        let policy = match random.u8(..3) {
            0 => Policy::ended_with(["closed", "moved"]),
            1 => Policy::first_where(move |event| event.version <= up_to).keep(random.u64(1..4)),
            _ => Policy::whole_where(|last| last.version.get() % 2 == 0).of_category("thing"),
        };
        let size = random.usize(500..20_000);
        let archiver = archive.archiver(&runtime).segment_bytes(size);
        let archived = archiver.archive(&policy).await.unwrap();
        assert!(archived.changed.is_empty());
        moved += archived.events;
        // The same again finds nothing to do.
        assert_eq!(archiver.archive(&policy).await.unwrap().events, 0);

        assert_eq!(live.head().await.unwrap(), head);
        assert_eq!(all(through, 7).await.unwrap(), expected, "seed {seed}");
        assert_eq!(all(through, 1000).await.unwrap(), expected, "seed {seed}");
        for event in &expected[0] {
            let found = through.find(event.event_id).await.unwrap();
            assert_eq!(found.as_ref(), Some(event));
        }
        for commit in &commits {
            let again = through.append(commit).await.unwrap();
            assert!(again.repeated);
            match live.append(commit).await {
                Ok(appended) => assert_eq!(appended, again),
                Err(AppendError::EventIdArchived { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        // Conditions see what was archived.
        for query in queries() {
            let first =
                expected[0].iter().find(|event| query.matches_recorded(&event.as_recorded()));
            let condition = AppendCondition { query, after: None };
            let to = StreamId::new("other", random.u64(..)).unwrap();
            let commit =
                Commit::new(to, ExpectedVersion::NoStream, vec![event(&mut random)]).unwrap();
            match (live.append_if(&commit, &[condition]).await, first) {
                (Err(AppendError::Condition(failed)), Some(first)) => {
                    assert_eq!(failed.position, first.position);
                }
                (answer, first) => panic!("{answer:?} with {first:?}"),
            }
        }
        let events: u64 = archive.list().unwrap().iter().map(|segment| segment.events).sum();
        let verified = archive.verify_with(live).await.unwrap();
        assert_eq!((verified.events, verified.archived), (events, events));
        match random.u8(..3) {
            0 => {
                let restored = archive.restore_all(live).await.unwrap();
                assert!(restored.gone.is_empty());
                assert_eq!(all(live, 7).await.unwrap(), expected, "seed {seed}");
                for segment in archive.list().unwrap() {
                    let file = directory.join(format!("{}.jsonl.zst", segment.name));
                    std::fs::remove_file(file).unwrap();
                }
            }
            1 => {
                archive.restore(live, &stream(random.u64(..8))).await.unwrap();
                assert_eq!(all(through, 7).await.unwrap(), expected, "seed {seed}");
                // Segments keep what was restored, so that counting them up ends here.
                archive.restore_all(live).await.unwrap();
                for segment in archive.list().unwrap() {
                    let file = directory.join(format!("{}.jsonl.zst", segment.name));
                    std::fs::remove_file(file).unwrap();
                }
            }
            _ => {}
        }
        commits.extend(fill(through, &mut random, 10).await);
    }
    assert!(moved > 30, "seed {seed} archives {moved} events");
}

#[tokio::test]
async fn in_memory_everything_is_read_as_before() {
    for seed in 0..seeds(6) {
        let directory = tempfile::tempdir().unwrap();
        law(MemoryStore::new(), directory.path(), seed).await;
    }
}

#[tokio::test]
async fn in_sqlite_everything_is_read_as_before_and_the_file_is_whole() {
    for seed in 100..100 + seeds(2) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("events.db");
        let store = SqliteStore::builder(&file).durability(es_sqlite_store::Durability::Process);
        law(store.open().unwrap(), &directory.path().join("archive"), seed).await;
        let store = SqliteStore::open(&file).unwrap();
        store.verify().await.unwrap();
        let archive = Archive::create(directory.path().join("archive")).unwrap();
        archive.verify_with(&store).await.unwrap();
        let through = ReadThrough::new(store, archive);
        let expected = all(&through, 50).await.unwrap();
        let (store, archive) = through.into_parts();
        archive.restore_all(&store).await.unwrap();
        store.verify().await.unwrap();
        assert_eq!(all(&store, 50).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn without_the_archive_a_read_says_where_the_events_are() {
    let directory = tempfile::tempdir().unwrap();
    let archive = Archive::create(directory.path()).unwrap();
    let runtime = runtime(MemoryStore::new()).await;
    let store = &**runtime.store();
    fill(store, &mut Rng::with_seed(3), 30).await;
    let version = store.read_stream(&stream(1), StreamRange::all()).await.unwrap().version;
    let archived =
        archive.archiver(&runtime).archive_stream(&stream(1), Version::MAX).await.unwrap();
    assert_eq!(archived.events, version.get() - 1);

    let refused = store.read_stream(&stream(1), StreamRange::all()).await.unwrap_err();
    let ReadError::Archived(refused) = &refused else { panic!("{refused}") };
    assert_eq!(refused.up_to.next(), version);
    let said = refused.to_string();
    assert!(said.contains(&archived.segments[0]) && said.contains("ReadThrough"), "{said}");
    let last = StreamRange::after(refused.up_to);
    assert_eq!(store.read_stream(&stream(1), last).await.unwrap().events.len(), 1);
    assert!(matches!(
        archive.archiver(&runtime).archive_stream(&stream(99), Version::MAX).await,
        Err(ArchiveError::NoStream { .. })
    ));
}
