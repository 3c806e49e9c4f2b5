//! The store under many threads at once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use es_core::bytes::Bytes;
use es_core::{
    AppendCondition, AppendError, Commit, ConditionalAppend, EventId, EventStore, ExpectedRevision,
    ExpectedVersion, Metadata, NewEvent, Position, Query, QueryItem, QueryRange, SchemaVersion,
    StateError, StateKey, StatePage, StateStore, StreamId, StreamRange, Tag, Tags, Version,
};
use es_memory_store::MemoryStore;
use tokio::sync::Barrier;

fn event(tags: &[&str]) -> NewEvent {
    NewEvent {
        id: EventId::generate(),
        name: "noted".into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from_static(b"1"),
        tags: tags.iter().map(|tag| Tag::from(*tag)).collect(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    }
}

fn commit(id: impl std::fmt::Display, expected: ExpectedVersion, tags: &[&str]) -> Commit {
    Commit::new(StreamId::new("thing", id).unwrap(), expected, vec![event(tags)]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_with_one_expected_version_exactly_one_wins_every_round() {
    const WRITERS: usize = 8;
    const ROUNDS: u64 = 200;
    let store = Arc::new(MemoryStore::new());
    let barrier = Arc::new(Barrier::new(WRITERS));
    let wins = Arc::new(AtomicUsize::new(0));
    let writers = (0..WRITERS).map(|_| {
        let (store, barrier, wins) = (Arc::clone(&store), Arc::clone(&barrier), Arc::clone(&wins));
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                barrier.wait().await;
                let expected = ExpectedVersion::Exact(Version::new(round));
                match store.append(&commit("contended", expected, &[])).await {
                    Ok(_) => _ = wins.fetch_add(1, Ordering::Relaxed),
                    Err(AppendError::Conflict(conflict)) => {
                        assert_eq!(conflict.actual, Version::new(round + 1));
                        assert_eq!(conflict.expected, expected);
                    }
                    Err(other) => panic!("{other}"),
                }
                barrier.wait().await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(wins.load(Ordering::Relaxed) as u64, ROUNDS);
    assert_eq!(store.head().await.unwrap(), Position::new(ROUNDS));
}

/// Last seat: whoever saw it free books it, and exactly one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_decisions_on_one_boundary_exactly_one_wins_and_disjoint_ones_never_conflict() {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 100;
    let store = Arc::new(MemoryStore::new());
    let barrier = Arc::new(Barrier::new(WRITERS));
    let wins = Arc::new(AtomicUsize::new(0));
    let writers = (0..WRITERS).map(|writer| {
        let (store, barrier, wins) = (Arc::clone(&store), Arc::clone(&barrier), Arc::clone(&wins));
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                let seat = format!("seat:{round}");
                let query = Query::from(QueryItem::tagged([seat.as_str()]));
                barrier.wait().await;
                let range = QueryRange::all();
                let page = store.read(&query, range).await.unwrap();
                let condition = AppendCondition { query, after: Some(page.token(&range)) };
                if page.events.is_empty() {
                    let booking = commit(EventId::generate(), ExpectedVersion::NoStream, &[&seat]);
                    match store.append_if(&booking, &[condition]).await {
                        Ok(_) => _ = wins.fetch_add(1, Ordering::Relaxed),
                        Err(AppendError::Condition(failed)) => assert_eq!(failed.index, 0),
                        Err(other) => panic!("{other}"),
                    }
                }
                let own = format!("writer:{writer}");
                let query = Query::from(QueryItem::tagged([own.as_str()]));
                let page = store.read(&query, QueryRange::all()).await.unwrap();
                let after = Some(page.token(&QueryRange::all()));
                let disjoint = commit(EventId::generate(), ExpectedVersion::NoStream, &[&own]);
                store.append_if(&disjoint, &[AppendCondition { query, after }]).await.unwrap();
                barrier.wait().await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(wins.load(Ordering::Relaxed), ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_that_follows_sees_every_event_once_and_never_a_late_one() {
    const WRITERS: u64 = 4;
    const COMMITS: u64 = 500;
    let store = Arc::new(MemoryStore::new());
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for _ in 0..COMMITS {
                store.append(&commit(writer, ExpectedVersion::Any, &[])).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
    }
    let mut after = Position::ZERO;
    let mut seen = 0;
    while seen < WRITERS * COMMITS {
        store.wait_beyond(after).await.unwrap();
        let range = QueryRange { limit: 7, ..QueryRange::after(after) };
        let page = store.read(&Query::all(), range).await.unwrap();
        for recorded in page.events.iter() {
            assert_eq!(recorded.position, after.next());
            after = recorded.position;
            seen += 1;
        }
    }
    for writer in 0..WRITERS {
        let stream = StreamId::new("thing", writer).unwrap();
        let range = StreamRange { limit: usize::MAX, ..StreamRange::all() };
        let page = store.read_stream(&stream, range).await.unwrap();
        let versions: Vec<_> = page.events.iter().map(|recorded| recorded.version.get()).collect();
        assert_eq!(versions, (1..=COMMITS).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_chain_ends_at_its_first_refusal_even_when_the_versions_would_fit_again() {
    let store = MemoryStore::new();
    let exact = |version| ExpectedVersion::Exact(Version::new(version));
    // Somebody else wrote one event: as many as the first commit of the chain would have.
    store.append(&commit("chained", ExpectedVersion::Any, &[])).await.unwrap();
    let chain = [commit("chained", exact(0), &[]), commit("chained", exact(1), &[])];
    let answers = store.append_chain(&chain).await;
    assert_eq!(answers.len(), 1);
    assert!(matches!(answers[0], Err(AppendError::Conflict(_))));

    // A repeated commit that stands elsewhere than its successor believes ends the chain too.
    let repeated = commit("chained", ExpectedVersion::Any, &[]);
    store.append(&repeated).await.unwrap();
    store.append(&commit("chained", ExpectedVersion::Any, &[])).await.unwrap();
    let answers = store.append_chain(&[repeated, commit("chained", exact(3), &[])]).await;
    assert!(answers[0].as_ref().unwrap().repeated);
    assert!(matches!(answers[1], Err(AppendError::Conflict(_))));
}

#[tokio::test]
async fn a_refused_commit_leaves_nothing_behind() {
    let store = MemoryStore::new();
    store.append(&commit(1, ExpectedVersion::Any, &["seat:1"])).await.unwrap();
    let two_streams = commit(2, ExpectedVersion::NoStream, &["seat:2"])
        .and(
            StreamId::new("thing", 1).unwrap(),
            ExpectedVersion::NoStream,
            vec![event(&["seat:3"])],
        )
        .unwrap();
    assert!(matches!(store.append(&two_streams).await, Err(AppendError::Conflict(_))));
    assert_eq!(store.head().await.unwrap(), Position::new(1));
    for tag in ["seat:2", "seat:3"] {
        let query = Query::from(QueryItem::tagged([tag]));
        assert!(store.read(&query, QueryRange::all()).await.unwrap().events.is_empty());
    }
    let stream = StreamId::new("thing", 2).unwrap();
    let page = store.read_stream(&stream, StreamRange::all()).await.unwrap();
    assert_eq!(page.version, Version::ZERO);
    // The next one takes the very next position.
    let appended = store.append(&commit(2, ExpectedVersion::NoStream, &[])).await.unwrap();
    assert_eq!(appended.first_position, Position::new(2));
}

#[tokio::test]
async fn a_commit_of_ten_thousand_events_with_odd_names_comes_back_in_pages() {
    let store = MemoryStore::new();
    let stream = StreamId::new("životopis", "a/b/".repeat(200)).unwrap();
    let events: Vec<_> = (0..10_000)
        .map(|index| NewEvent {
            name: if index % 2 == 0 { "n".repeat(1024).into() } else { "ž".into() },
            payload: Bytes::from(vec![b'p'; index % 300]),
            tags: Tags::new(),
            ..event(&[])
        })
        .collect();
    let commit = Commit::new(stream.clone(), ExpectedVersion::NoStream, events.clone()).unwrap();
    store.append(&commit).await.unwrap();
    let mut range = StreamRange::all();
    let mut read = Vec::new();
    loop {
        let page = store.read_stream(&stream, range).await.unwrap();
        read.extend(
            page.events
                .iter()
                .map(|recorded| (recorded.name.to_owned(), recorded.payload.as_bytes().to_vec())),
        );
        match page.next {
            Some(next) => range = range.continued(next),
            None => break,
        }
    }
    let expected: Vec<_> =
        events.iter().map(|event| (event.name.to_string(), event.payload.to_vec())).collect();
    assert_eq!(read, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_of_one_state_record_exactly_one_wins_and_no_revision_comes_twice() {
    const WRITERS: usize = 8;
    let store = Arc::new(MemoryStore::new());
    let key = StateKey::new("lease", "balances");
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let revision = store.put(&key, Bytes::new(), ExpectedRevision::Missing).await.unwrap();
        assert!(seen.insert(revision), "a revision came back after the record was removed");
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (store, key) = (Arc::clone(&store), key.clone());
                tokio::spawn(async move {
                    let value = Bytes::from(vec![writer as u8]);
                    store.put(&key, value, ExpectedRevision::Exact(revision)).await
                })
            })
            .collect();
        let mut won = Vec::new();
        for writer in writers {
            match writer.await.unwrap() {
                Ok(revision) => won.push(revision),
                Err(StateError::Conflict { actual, .. }) => assert!(actual > Some(revision)),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(won.len(), 1);
        assert!(seen.insert(won[0]));
        store.remove(&key, ExpectedRevision::Exact(won[0])).await.unwrap();
        assert_eq!(store.get(&key).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_list_of_state_records_is_sorted_complete_and_stays_in_its_space() {
    let store = MemoryStore::new();
    for name in ["b", "a", "c"] {
        store
            .put(&StateKey::new("timer", name), Bytes::new(), ExpectedRevision::Any)
            .await
            .unwrap();
        store
            .put(&StateKey::new("timers", name), Bytes::new(), ExpectedRevision::Any)
            .await
            .unwrap();
    }
    let names = |page: StatePage| -> Vec<String> {
        page.records.into_iter().map(|(key, _)| key.to_string()).collect()
    };
    assert_eq!(names(store.list("timer", None, 2).await.unwrap()), ["timer/a", "timer/b"]);
    assert_eq!(names(store.list("timer", Some("b"), 9).await.unwrap()), ["timer/c"]);
}
