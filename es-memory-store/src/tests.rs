//! The store with segments of a few events, so that what is in full ones and across them is tested too.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod conformance {
    es_core::conformance::store_tests!(
        || async { crate::MemoryStore::new() } =>
        EventStore, ConditionalAppend, StreamRemoval, StateStore, RecordedAppend, ProjectionStore,
        InlineStore, InlineConditionalAppend, InlineRecordedAppend,
        FencedStore, FencedConditionalAppend, FencedRecordedAppend
    );
}

use es_core::bytes::Bytes;
use es_core::{
    Commit, Direction, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Page, Position,
    Query, QueryItem, QueryRange, ReadError, RecordedEvent, Removal, RemovedPart, SchemaVersion,
    SegmentRef, StreamId, StreamRange, StreamRemoval, Tag, Version,
};
use proptest::prelude::*;
use tokio::runtime::Builder;

use crate::MemoryStore;

const STREAMS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Append {
        stream: usize,
        events: Vec<(usize, Vec<u8>, bool)>,
    },
    /// Removes all but the last event of a stream, as far as they are there.
    Remove {
        stream: usize,
        for_good: bool,
    },
    PutBack {
        stream: usize,
    },
    Read(Read),
    ReadStream {
        stream: usize,
        from: u64,
        limit: usize,
        backward: bool,
    },
}

#[derive(Clone, Debug)]
struct Read {
    names: Vec<usize>,
    tagged: bool,
    after: u64,
    limit: usize,
    backward: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let payload = prop_oneof![
        "[a-z]{0,6}".prop_map(String::into_bytes),
        Just("\u{17e}".into()),
        Just(vec![0xc5]),
        Just(vec![0xbe]),
        Just(vec![b'x'; 70_000]),
    ];
    let event = (0..3_usize, payload, any::<bool>());
    let append = (0..STREAMS, prop::collection::vec(event, 1..7))
        .prop_map(|(stream, events)| Step::Append { stream, events });
    let remove = (0..STREAMS, any::<bool>())
        .prop_map(|(stream, for_good)| Step::Remove { stream, for_good });
    let read = (prop::collection::vec(0..3_usize, 0..3), any::<bool>(), 0..30_u64, 0..12_usize);
    let read = (read, any::<bool>()).prop_map(|((names, tagged, after, limit), backward)| {
        Step::Read(Read { names, tagged, after, limit, backward })
    });
    let read_stream = (0..STREAMS, 0..12_u64, 0..12_usize, any::<bool>()).prop_map(
        |(stream, from, limit, backward)| Step::ReadStream { stream, from, limit, backward },
    );
    let step = prop_oneof![
        5 => append,
        2 => remove,
        1 => (0..STREAMS).prop_map(|stream| Step::PutBack { stream }),
        4 => read,
        3 => read_stream,
    ];
    prop::collection::vec(step, 1..40)
}

/// All events there ever were, and how far each stream was removed: to where with each part.
#[derive(Default)]
struct Model {
    events: Vec<RecordedEvent>,
    parts: [Vec<(u64, bool)>; STREAMS],
}

#[derive(PartialEq, Debug)]
enum Presence {
    There,
    Archived,
    Gone,
}

impl Model {
    fn of(&self, stream: usize) -> Vec<RecordedEvent> {
        self.events.iter().filter(|event| event.stream == id(stream)).cloned().collect()
    }

    fn presence(&self, event: &RecordedEvent) -> Presence {
        let stream = (0..STREAMS).find(|stream| event.stream == id(*stream)).unwrap();
        match self.parts[stream].iter().find(|(to, _)| event.version.get() <= *to) {
            None => Presence::There,
            Some((_, false)) => Presence::Archived,
            Some((_, true)) => Presence::Gone,
        }
    }
}

fn id(stream: usize) -> StreamId {
    StreamId::new("thing", stream).unwrap()
}

fn name(number: usize) -> String {
    format!("name {number}")
}

fn events(page: &Page) -> Vec<RecordedEvent> {
    let forward: Vec<_> = page.iter().map(|event| event.to_event()).collect();
    let mut backward: Vec<_> = page.iter().rev().map(|event| event.to_event()).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    assert_eq!(page.len(), forward.len());
    assert_eq!(page.last().map(|event| event.to_event()).as_ref(), forward.last());
    forward
}

async fn append(store: &MemoryStore, stream: usize, new: Vec<(usize, Vec<u8>, bool)>) {
    let new = new.into_iter().enumerate().map(|(index, (number, payload, tagged))| NewEvent {
        id: EventId::generate(),
        name: name(number).into(),
        schema_version: SchemaVersion::try_from(1 + index as u32 % 2).unwrap(),
        payload: payload.into(),
        tags: tagged.then(|| Tag::from("tagged")).into_iter().collect(),
        occurred_at: tagged.then_some(es_core::jiff::Timestamp::UNIX_EPOCH),
        metadata: if tagged { Metadata::default().with_actor("a") } else { Metadata::EMPTY },
    });
    let commit = Commit::new(id(stream), ExpectedVersion::Any, new.collect()).unwrap();
    store.append(&commit).await.unwrap();
}

async fn check(steps: Vec<Step>) {
    let (store, mut model) = (MemoryStore::new(), Model::default());
    // Pages that somebody still has, and what they showed.
    let mut pages: Vec<(Page, Vec<RecordedEvent>)> = Vec::new();
    for step in steps {
        let removes = matches!(step, Step::Remove { .. });
        match step {
            Step::Append { stream, events: new } => {
                let sizes: Vec<_> = new.iter().map(|(_, payload, _)| payload.clone()).collect();
                let before = model.events.len();
                append(&store, stream, new).await;
                let range = QueryRange::after(Position::new(before as u64));
                let page = store.read(&Query::all(), range).await.unwrap();
                let appended = events(&page.events);
                let payloads: Vec<_> =
                    appended.iter().map(|event| event.payload.to_vec()).collect();
                assert_eq!(payloads, sizes);
                model.events.extend(appended);
            }
            Step::Remove { stream, for_good } => {
                let known = model.of(stream);
                let from = model.parts[stream].last().map_or(1, |(to, _)| to + 1);
                let to = (known.len() as u64).saturating_sub(1);
                if from > to {
                    continue;
                }
                let segment =
                    SegmentRef { name: "s".into(), digest: es_core::PartDigest::new([0; 32]) };
                let part = RemovedPart {
                    from: Version::new(from),
                    to: Version::new(to),
                    last_event_id: known[to as usize - 1].event_id,
                    segment: (!for_good).then_some(segment),
                    begins_anew: for_good,
                };
                let expected = ExpectedVersion::Any;
                store.remove(&Removal { stream: id(stream), part, expected }).await.unwrap();
                model.parts[stream].push((to, for_good));
            }
            Step::PutBack { stream } => {
                let Some((to, _)) = model.parts[stream].pop() else { continue };
                let from = model.parts[stream].last().map_or(0, |(to, _)| *to);
                let part = model.of(stream)[from as usize..to as usize].to_vec();
                store.put_back(&id(stream), &part).await.unwrap();
            }
            Step::Read(read) => check_read(&store, &model, read, &mut pages).await,
            Step::ReadStream { stream, from, limit, backward } => {
                let range = StreamRange {
                    from: Version::new(from),
                    limit,
                    direction: direction(backward),
                    ..StreamRange::all()
                };
                let mut wanted = model.of(stream);
                wanted.retain(|event| event.version >= range.from);
                if backward {
                    wanted.reverse();
                }
                let there = |event: &&RecordedEvent| model.presence(event) == Presence::There;
                let shown: Vec<_> = wanted.iter().take(limit).take_while(there).cloned().collect();
                match store.read_stream(&id(stream), range).await {
                    Ok(page) => {
                        assert_eq!(events(&page.events), shown);
                        let next = wanted.get(shown.len()).map(|event| event.version);
                        assert_eq!(page.next, next);
                        pages.push((page.events, shown));
                    }
                    Err(ReadError::Archived(_)) => {
                        assert!(limit > 0 && shown.is_empty() && !wanted.is_empty());
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
        let all = Read { names: Vec::new(), tagged: false, after: 0, limit: 1000, backward: false };
        check_read(&store, &model, all, &mut pages).await;
        if removes {
            check_again(&pages);
        }
    }
    check_again(&pages);
}

/// Whatever happened since: a page shows what it showed.
fn check_again(pages: &[(Page, Vec<RecordedEvent>)]) {
    for (page, showed) in pages {
        assert_eq!(events(page), *showed);
    }
}

/// Reads in the global order, with removed events and without.
async fn check_read(
    store: &MemoryStore,
    model: &Model,
    read: Read,
    pages: &mut Vec<(Page, Vec<RecordedEvent>)>,
) {
    let named = QueryItem::named(read.names.iter().map(|number| name(*number)));
    let query = match (read.names.is_empty(), read.tagged) {
        (true, false) => Query::all(),
        (true, true) => Query::from(QueryItem::tagged([Tag::from("tagged")])),
        (false, false) => Query::from(named),
        (false, true) => Query::from(named.and_tagged([Tag::from("tagged")])),
    };
    let range = QueryRange {
        limit: read.limit,
        direction: direction(read.backward),
        ..QueryRange::after(Position::new(read.after))
    };
    let mut wanted: Vec<_> = model
        .events
        .iter()
        .filter(|event| event.position > range.after)
        .filter(|event| query.matches(&event.name, event.tags.as_slice()))
        .filter(|event| model.presence(event) != Presence::Gone)
        .cloned()
        .collect();
    if read.backward {
        wanted.reverse();
    }
    let there = |event: &&RecordedEvent| model.presence(event) == Presence::There;
    let shown: Vec<_> = wanted.iter().take(read.limit).take_while(there).cloned().collect();
    match store.read(&query, range).await {
        Ok(page) => {
            assert_eq!(events(&page.events), shown);
            assert_eq!(page.more, wanted.len() > shown.len());
            pages.push((page.events, shown));
        }
        Err(ReadError::Archived(_)) => {
            assert!(read.limit > 0 && shown.is_empty() && !wanted.is_empty());
        }
        Err(error) => panic!("{error}"),
    }
    let page = store.read_sparse(&query, range).await.unwrap();
    let (live, removed): (Vec<_>, Vec<_>) =
        wanted.iter().take(read.limit).cloned().partition(|event| there(&event));
    assert_eq!(events(&page.events), live);
    let at: Vec<_> = page.removed.iter().map(|event| event.position).collect();
    assert_eq!(at, removed.iter().map(|event| event.position).collect::<Vec<_>>());
    assert_eq!(page.more, wanted.len() > read.limit);
    pages.push((page.events, live));
}

fn direction(backward: bool) -> Direction {
    if backward { Direction::Backward } else { Direction::Forward }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn every_page_is_what_was_there_when_it_was_read_and_stays_it(steps in steps()) {
        Builder::new_current_thread().build().unwrap().block_on(check(steps));
    }
}

#[tokio::test]
async fn a_page_of_full_segments_shares_them_and_outlives_a_removal() {
    let store = MemoryStore::new();
    let new = |count: usize| vec![(0, b"payload".to_vec(), false); count];
    append(&store, 0, new(10)).await;
    let before = store.read(&Query::all(), QueryRange::all()).await.unwrap().events;
    let showed = events(&before);
    let place = |page: &Page| page.iter().next().unwrap().payload.as_bytes().as_ptr();
    let again = store.read(&Query::all(), QueryRange::all()).await.unwrap().events;
    assert_eq!(place(&before), place(&again), "the payload was copied");
    let part = RemovedPart {
        from: Version::new(1),
        to: Version::new(9),
        last_event_id: showed[8].event_id,
        segment: None,
        begins_anew: false,
    };
    let removal = Removal { stream: id(0), part, expected: ExpectedVersion::Any };
    store.remove(&removal).await.unwrap();
    let after = store.read(&Query::all(), QueryRange::all()).await.unwrap().events;
    assert_eq!(events(&after), showed[9..]);
    assert_eq!(events(&before), showed);
    assert_eq!(showed[0].payload, Bytes::from_static(b"payload"));
}
