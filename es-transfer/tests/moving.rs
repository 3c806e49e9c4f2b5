//! Whatever the way a history takes, it arrives whole, once, and in order.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use es_core::bytes::Bytes;
use es_core::jiff::Timestamp;
use es_core::uuid::Uuid;
use es_core::{
    ChainHash, Clock, Commit, EventId, EventStore, ExpectedVersion, FixedClock, Metadata, NewEvent,
    Query, QueryRange, RecordedCommand, RecordedEvent, StreamId, Tag,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::SqliteStore;
use es_transfer::{Copy, Difference, Format, ImportError, TransferError, digest, export, import};
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Fact {
    stream: u8,
    payload: Vec<u8>,
    tags: Vec<String>,
    occurred: Option<i64>,
    metadata: Metadata,
    passed: u64,
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let known =
        (any::<Option<u128>>(), any::<Option<u128>>(), any::<Option<String>>(), any::<bool>());
    (known, prop::collection::btree_map(".{0,4}", ".{0,4}", 0..3)).prop_map(
        |((correlation, causation, actor, command), values)| {
            let mut metadata = Metadata::default();
            if let Some(id) = correlation {
                metadata = metadata.with_correlation_id(Uuid::from_u128(id));
            }
            if let Some(id) = causation {
                metadata = metadata.with_causation_id(Uuid::from_u128(id));
            }
            if let Some(actor) = actor {
                metadata = metadata.with_actor(actor);
            }
            if command {
                let fingerprint = Some("0a1b2c3d-0123456789abcdef".parse().unwrap());
                let id = Some(es_core::CommandId::from_name("it"));
                metadata = metadata
                    .with_command(RecordedCommand { name: "Do".to_owned(), id, fingerprint })
                    .with_chain_hash(Some(ChainHash::new([7; 32])));
            }
            values.into_iter().fold(metadata, |metadata, (key, value)| metadata.with(key, value))
        },
    )
}

fn facts(most: usize) -> impl Strategy<Value = Vec<Fact>> {
    let payload = prop_oneof![
        Just(b"{\"amount\":10}".to_vec()),
        Just(b" {\"spaced\" : 1.0e3}\n".to_vec()),
        Just(b"{\"inside\":\n1}".to_vec()),
        Just("\"\u{2028}ž\\u0000\"".as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..9),
    ];
    let times = (prop::option::of(-9_000_000_000_000_000_i64..9_000_000_000_000_000), 0..3_u64);
    let fact = (0..4_u8, payload, prop::collection::vec("[^\\x00]{1,5}", 0..3), times, metadata());
    let fact = fact.prop_map(|(stream, payload, tags, (occurred, passed), metadata)| Fact {
        stream,
        payload,
        tags,
        occurred,
        metadata,
        passed,
    });
    prop::collection::vec(fact, 0..most)
}

struct Shared(std::sync::Arc<FixedClock>);

impl Clock for Shared {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

async fn filled(facts: &[Fact]) -> MemoryStore {
    let clock = std::sync::Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
    let store = MemoryStore::with_clock(Shared(clock.clone()));
    append(&store, &clock, facts).await;
    store
}

async fn append(store: &MemoryStore, clock: &FixedClock, facts: &[Fact]) {
    for fact in facts {
        clock.advance(std::time::Duration::from_micros(fact.passed));
        let event = NewEvent {
            id: EventId::generate(),
            name: format!("noted.{}", fact.stream).into(),
            schema_version: 3.try_into().unwrap(),
            payload: Bytes::from(fact.payload.clone()),
            tags: fact.tags.iter().map(|tag| Tag::from(tag.as_str())).collect(),
            occurred_at: fact.occurred.map(|micros| Timestamp::from_microsecond(micros).unwrap()),
            metadata: fact.metadata.clone(),
        };
        let stream = StreamId::new("note", format!("ž/{} %", fact.stream)).unwrap();
        let commit = Commit::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
        store.append(&commit).await.unwrap();
    }
}

async fn events(store: &impl EventStore) -> Vec<RecordedEvent> {
    let page = store.read(&Query::all(), QueryRange::all()).await.unwrap();
    assert!(!page.more);
    page.events.iter().map(|event| event.to_event()).collect()
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test)
}

/// Takes the first `count` events of a copy, as if it had been killed there.
async fn copied_in_part(events: &[RecordedEvent], count: usize) -> MemoryStore {
    let part = MemoryStore::new();
    for event in &events[..count.min(events.len())] {
        let commit = es_core::RecordedCommit {
            recorded_at: event.recorded_at,
            commit: Commit::new(
                event.stream.clone(),
                ExpectedVersion::Any,
                vec![NewEvent {
                    id: event.event_id,
                    name: event.name.clone().into(),
                    schema_version: event.schema_version,
                    payload: event.payload.clone(),
                    tags: event.tags.clone(),
                    occurred_at: event.occurred_at,
                    metadata: event.metadata.clone(),
                }],
            )
            .unwrap(),
        };
        let answers = es_core::RecordedAppend::append_recorded(&part, &[commit]).await;
        assert!(answers[0].is_ok());
    }
    part
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_copy_is_its_source_also_when_it_was_interrupted(facts in facts(40), killed in 0..40_usize) {
        run(async {
            let source = filled(&facts).await;
            let all = events(&source).await;
            let target = copied_in_part(&all, killed).await;
            let copy = Copy::new(&source, &target);
            if killed < all.len() {
                let error = copy.verify().await.unwrap_err();
                let missing = matches!(error, TransferError::Differs(Difference::Missing { .. }));
                prop_assert!(missing, "{}", error);
            }
            let report = copy.run(|_| {}).await.unwrap();
            prop_assert_eq!(report.copied as usize, all.len().saturating_sub(killed));
            prop_assert_eq!(&events(&target).await, &all);
            prop_assert_eq!(copy.run(|_| {}).await.unwrap().copied, 0);
            let verified = copy.verify().await.unwrap();
            let of_source = digest(&source).await.unwrap();
            prop_assert_eq!((verified.events, verified.digest), (of_source.events, of_source.digest));
            prop_assert_eq!(digest(&target).await.unwrap(), of_source);
            Ok(())
        })?;
    }

    #[test]
    fn what_is_exported_is_imported_as_it_was_in_every_format(
        facts in facts(40), killed in 0..40_usize,
    ) {
        run(async {
            let source = filled(&facts).await;
            let all = events(&source).await;
            let of_source = digest(&source).await.unwrap();
            for format in [Format::JsonLines, Format::CloudEvents] {
                let mut file = Vec::new();
                let exported =
                    export(&source, &Query::all(), format, &mut file, |_| {}).await.unwrap();
                prop_assert_eq!((exported.events, exported.digest), (of_source.events, of_source.digest));
                prop_assert_eq!(file.iter().filter(|byte| **byte == b'\n').count(), all.len());
                let target = copied_in_part(&all, killed).await;
                let imported = import(&mut file.as_slice(), format, &target, |_| {}).await.unwrap();
                prop_assert_eq!(imported.known as usize, killed.min(all.len()));
                prop_assert_eq!(imported.digest, of_source.digest);
                prop_assert_eq!(&events(&target).await, &all);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_file_with_any_line_damaged_is_an_error_with_its_number(
        facts in facts(12), line in 0..12_usize, cut in 0..200_usize,
    ) {
        run(async {
            prop_assume!(line < facts.len());
            let source = filled(&facts).await;
            for format in [Format::JsonLines, Format::CloudEvents] {
                let mut file = Vec::new();
                export(&source, &Query::all(), format, &mut file, |_| {}).await.unwrap();
                let mut lines: Vec<_> = String::from_utf8(file).unwrap().lines().map(str::to_owned).collect();
                let mut end = cut.min(lines[line].len() - 1).max(1);
                while !lines[line].is_char_boundary(end) {
                    end -= 1;
                }
                lines[line].truncate(end);
                let file = lines.join("\n");
                let target = MemoryStore::new();
                let error = import(&mut file.as_bytes(), format, &target, |_| {}).await.unwrap_err();
                let named = matches!(error, ImportError::Line { line: found, .. } if found == line as u64 + 1);
                prop_assert!(named, "{}", error);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_copy_that_leaves_out_and_changes_events_is_what_a_plain_loop_makes(
        facts in facts(40), unwanted in 0..4_u8,
    ) {
        run(async {
            let source = filled(&facts).await;
            let unwanted = format!("noted.{unwanted}");
            let renamed = |name: &str| name.replace("noted", "written");
            let mut versions = std::collections::HashMap::new();
            let mut expected = Vec::new();
            for event in events(&source).await.into_iter().filter(|event| event.name != unwanted) {
                let version = versions.entry(event.stream.clone()).or_insert(0);
                *version += 1;
                expected.push((event.event_id, renamed(&event.name), *version, event.payload));
            }
            let target = MemoryStore::new();
            let copy = |unwanted: String| {
                Copy::new(&source, &target)
                    .filter(move |event| event.name != unwanted)
                    .map(move |event| RecordedEvent { name: renamed(&event.name), ..event })
            };
            copy(unwanted.clone()).run(|_| {}).await.unwrap();
            copy(unwanted.clone()).run(|_| {}).await.unwrap();
            let found: Vec<_> = events(&target)
                .await
                .into_iter()
                .map(|event| (event.event_id, event.name, event.version.get(), event.payload))
                .collect();
            prop_assert_eq!(found, expected);
            copy(unwanted).verify().await.unwrap();
            Ok(())
        })?;
    }
}

fn few_facts(count: usize) -> Vec<Fact> {
    let fact = |number: usize| Fact {
        stream: (number % 3) as u8,
        payload: format!("{{\"number\":{number}}}").into_bytes(),
        tags: vec!["a".to_owned()],
        occurred: Some(number as i64),
        metadata: Metadata::default().with_actor("Ada"),
        passed: 1,
    };
    (0..count).map(fact).collect()
}

#[test]
fn a_history_goes_to_sqlite_and_back_while_the_source_grows() {
    run(async {
        let clock = std::sync::Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
        let source = MemoryStore::with_clock(Shared(clock.clone()));
        append(&source, &clock, &few_facts(9000)).await;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("copy.db");
        {
            let sqlite = SqliteStore::open(&file).unwrap();
            let copy = Copy::new(&source, &sqlite);
            let mut pages = 0;
            assert_eq!(copy.run(|_| pages += 1).await.unwrap().copied, 9000);
            assert!(pages >= 2);
            append(&source, &clock, &few_facts(7)).await;
            assert!(copy.verify().await.is_err());
        }
        let sqlite = SqliteStore::open(&file).unwrap();
        let copy = Copy::new(&source, &sqlite);
        assert_eq!(copy.run(|_| {}).await.unwrap().copied, 7);
        assert_eq!(copy.verify().await.unwrap().events, 9007);
        let back = MemoryStore::new();
        Copy::new(&sqlite, &back).run(|_| {}).await.unwrap();
        assert_eq!(digest(&back).await.unwrap(), digest(&source).await.unwrap());
    });
}

#[test]
fn a_target_with_something_else_in_it_is_refused() {
    run(async {
        let (source, other) = (filled(&few_facts(5)).await, filled(&few_facts(2)).await);
        let error = Copy::new(&source, &other).run(|_| {}).await.unwrap_err();
        assert!(matches!(error, TransferError::OtherTarget { .. }), "{error}");
        let mut file = Vec::new();
        export(&source, &Query::all(), Format::JsonLines, &mut file, |_| {}).await.unwrap();
        let error =
            import(&mut file.as_slice(), Format::JsonLines, &other, |_| {}).await.unwrap_err();
        let refused = matches!(error, ImportError::Transfer(TransferError::OtherTarget { .. }));
        assert!(refused, "{error}");
        assert_eq!(events(&other).await.len(), 2);
    });
}

#[test]
fn a_difference_is_named_by_its_part_and_place() {
    run(async {
        let source = filled(&few_facts(5)).await;
        let mut all = events(&source).await;
        all[3].payload = Bytes::from_static(b"{}");
        let forged = copied_in_part(&all, 5).await;
        let error = Copy::new(&source, &forged).verify().await.unwrap_err();
        let TransferError::Differs(Difference::Event { part, source_position, .. }) = error else {
            panic!("{error}")
        };
        assert_eq!((part, source_position.get()), ("payload", 4));
        let short = filled(&[]).await;
        let error = Copy::new(&short, &source).verify().await.unwrap_err();
        assert!(matches!(error, TransferError::Differs(Difference::TooMany { .. })), "{error}");
    });
}

#[test]
fn a_cloud_event_has_what_others_look_for() {
    run(async {
        let source = filled(&few_facts(1)).await;
        let mut file = Vec::new();
        export(&source, &Query::all(), Format::CloudEvents, &mut file, |_| {}).await.unwrap();
        let event: serde_json::Value = serde_json::from_slice(&file).unwrap();
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["source"], "/note/%C5%BE/0%20%25");
        assert_eq!(event["type"], "noted.0");
        assert_eq!(event["data"]["number"], 0);
        assert_eq!(event["actor"], "Ada");
        assert_eq!(event["time"], "1970-01-01T00:00:00Z");
        // Names of attributes are lower-case letters and digits, but for `data_base64`.
        for name in event.as_object().unwrap().keys() {
            assert!(name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9')), "{name}");
            assert!(name.len() <= 20, "{name}");
        }
    });
}
