//! What comes back is what went in: odd texts, large payloads, long commits.

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::commit::{Commit, MAX_NAME_BYTES, MAX_PAYLOAD_BYTES, MAX_TAG_BYTES, MAX_TAGS, NewEvent};
use crate::conformance::failure::Verdict;
use crate::conformance::sample::{commit, event, events, exact, numbered_id, stream, valid};
use crate::conformance::subject::{Subject, shown};
use crate::identity::EventId;
use crate::metadata::Metadata;
use crate::query::{Query, QueryItem};
use crate::recorded::RecordedEvent;
use crate::store::{AppendError, EventStore, StateError};
use crate::stream::{MAX_CATEGORY_BYTES, MAX_ID_BYTES, StreamId};
use crate::tag::Tag;
use crate::version::{ExpectedVersion, SchemaVersion, Version};

/// Texts that are cut, folded, unescaped or taken for a pattern by stores that are careless. No two
/// have the same bytes, many look alike.
pub(super) const ODD_TEXTS: [&str; 36] = [
    "a",
    "A",
    "a ",
    " a",
    "  ",
    "ab",
    "abc",
    "1",
    "01",
    "1.0",
    "%",
    "a%",
    "_",
    "a_",
    "*",
    "?",
    "'",
    "''",
    "\"",
    "\\",
    "\\n",
    "\n",
    "\t",
    "a/b",
    "/",
    "//",
    "..",
    "a:b",
    "${x}",
    "NULL",
    "\u{e9}",
    "e\u{301}",
    "\u{17e}lu\u{165}ou\u{10d}k\u{fd}",
    "\u{1f980}",
    "\u{feff}a",
    "\u{5d0}\u{200f}",
];

pub(super) fn is_permanent_state<S>(subject: &Subject<S>, error: &StateError) -> Verdict {
    let permanent = matches!(error, StateError::Permanent(_));
    subject.require(permanent, "the record, or `StateError::Permanent`", format_args!("{error:?}"))
}

/// Checks that a stored event is the one that was given.
fn is<S>(
    subject: &Subject<S>,
    stream: &StreamId,
    version: Version,
    given: &NewEvent,
    stored: &RecordedEvent,
) -> Verdict {
    let what = |part: &str| format!("the {part} of event {} of `{stream}`", given.id);
    subject.same(what("stream"), stream, &stored.stream)?;
    subject.same(what("category"), stream.category(), stored.stream.category())?;
    subject.same(what("version"), version, stored.version)?;
    subject.same(what("id"), given.id, stored.event_id)?;
    subject.same(what("name"), &*given.name, &*stored.name)?;
    subject.same(what("schema version"), given.schema_version, stored.schema_version)?;
    subject.require(
        given.payload == stored.payload,
        what("payload as it was given"),
        format_args!("{} bytes for {}", stored.payload.len(), given.payload.len()),
    )?;
    subject.same(what("tags"), &given.tags, &stored.tags)?;
    subject.same(what("metadata"), &given.metadata, &stored.metadata)?;
    let microseconds = |time: Option<Timestamp>| time.map(Timestamp::as_microsecond);
    subject.same(
        what("`occurred_at` in microseconds"),
        microseconds(given.occurred_at),
        microseconds(stored.occurred_at),
    )
}

/// Appends a commit and checks that all of it comes back, each way it can be read.
async fn comes_back<S: EventStore>(subject: &Subject<S>, commit: &Commit) -> Verdict {
    subject.append(commit).await?;
    for to in commit.streams() {
        let stored = subject.stream(&to.stream).await?;
        subject.same(
            format_args!("the number of events of `{}`", to.stream),
            to.events.len(),
            stored.len(),
        )?;
        for ((version, given), stored) in (1..).zip(&to.events).zip(&stored) {
            is(subject, &to.stream, Version::new(version), given, stored)?;
        }
    }
    for to in commit.streams() {
        for (version, given) in (1..).zip(&to.events).take(50) {
            match subject.find(given.id).await? {
                Some(stored) => is(subject, &to.stream, Version::new(version), given, &stored)?,
                None => {
                    return Err(
                        subject.breach(format_args!("`find` to find {}", given.id), "nothing")
                    );
                }
            }
        }
    }
    Ok(())
}

fn one(id: impl std::fmt::Display, event: NewEvent) -> Commit {
    commit(id, ExpectedVersion::NoStream, vec![event])
}

pub(super) async fn every_part_of_an_event_comes_back<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let full = NewEvent {
        id: EventId::generate(),
        name: "thing.noted".into(),
        schema_version: valid(SchemaVersion::try_from(u32::MAX)),
        payload: Bytes::from_static(b"{\"b\": 1, \"a\": 1.0, \"a\": null}"),
        tags: ["z", "b", "a"].into_iter().map(Tag::from).collect(),
        occurred_at: Some(valid(Timestamp::from_microsecond(-1))),
        metadata: Metadata::default()
            .with_correlation_id(Uuid::from_u128(1))
            .with_causation_id(Uuid::max())
            .with_actor("teller 7")
            .with("branch", "Praha 1"),
    };
    let plain = event();
    comes_back(&subject, &one("full", full)).await?;
    comes_back(&subject, &one("plain", plain)).await
}

pub(super) async fn payloads_are_any_bytes<S: EventStore>(subject: Subject<S>) -> Verdict {
    let payloads: [&[u8]; 9] = [
        b"",
        b"\0",
        b"null",
        b" { } ",
        b"{\"a\":1e400}",
        b"not json",
        &[0xff, 0xfe, 0x00],
        &[0xc5],
        "\"\u{17e}\"".as_bytes(),
    ];
    let events = payloads
        .into_iter()
        .map(|payload| NewEvent { payload: Bytes::copy_from_slice(payload), ..event() });
    comes_back(&subject, &commit("a", ExpectedVersion::NoStream, events.collect())).await
}

pub(super) async fn the_largest_payload_comes_back<S: EventStore>(subject: Subject<S>) -> Verdict {
    for bytes in [70_000, 1024 * 1024 + 1, MAX_PAYLOAD_BYTES] {
        let payload: Vec<u8> = (0..=255).cycle().take(bytes).collect();
        let large = NewEvent { payload: payload.into(), ..event() };
        // A small one before and behind it must not be lost.
        let events = vec![event(), large, event()];
        comes_back(&subject, &commit(bytes, ExpectedVersion::NoStream, events)).await?;
    }
    Ok(())
}

pub(super) async fn texts_of_the_greatest_length_come_back<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let longest = NewEvent {
        name: "n".repeat(MAX_NAME_BYTES).into(),
        tags: (0..MAX_TAGS)
            .map(|number| Tag::from(format!("{number:0>width$}", width = MAX_TAG_BYTES)))
            .collect(),
        metadata: Metadata::default()
            .with_actor("a".repeat(1024))
            .with("k".repeat(1024), "v".repeat(10_000)),
        ..event()
    };
    let stream = valid(StreamId::new(&"c".repeat(MAX_CATEGORY_BYTES), "i".repeat(MAX_ID_BYTES)));
    let commit =
        valid(Commit::new(stream, ExpectedVersion::NoStream, vec![longest.clone(), event()]));
    comes_back(&subject, &commit).await?;
    // The last byte counts too.
    let mut near = "c".repeat(MAX_CATEGORY_BYTES - 1);
    near.push('d');
    let near = valid(StreamId::new(&near, "i".repeat(MAX_ID_BYTES)));
    subject.same(
        "the events of a stream with a like name",
        0,
        subject.stream(&near).await?.len(),
    )?;
    let last = format!("{:0>width$}", MAX_TAGS - 1, width = MAX_TAG_BYTES);
    let query = Query::from(QueryItem::named([longest.name.clone()]).and_tagged([last]));
    let found: Vec<_> = subject.events(&query).await?.iter().map(|event| event.event_id).collect();
    subject.same("what its name and its last tag select", vec![longest.id], found)
}

pub(super) async fn odd_texts_come_back_and_stay_apart<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let stored = |number: usize, text: &'static str| NewEvent {
        name: text.into(),
        tags: [Tag::from(text)].into_iter().collect(),
        metadata: Metadata::default().with_actor(text).with(text, text),
        id: numbered_id(number as u128 + 1),
        ..event()
    };
    for (number, text) in ODD_TEXTS.into_iter().enumerate() {
        comes_back(&subject, &one(text, stored(number, text))).await?;
    }
    for (number, text) in ODD_TEXTS.into_iter().enumerate() {
        let expected = vec![numbered_id(number as u128 + 1)];
        let by_stream = subject.stream(&stream(text)).await?;
        let by_name = subject.events(&Query::from(QueryItem::named([text]))).await?;
        let by_tag = subject.events(&Query::from(QueryItem::tagged([text]))).await?;
        for (by, found) in [("stream", by_stream), ("name", by_name), ("tag", by_tag)] {
            let found: Vec<_> = found.iter().map(|event| event.event_id).collect();
            subject.same(format_args!("the events with {by} {text:?}"), expected.clone(), found)?;
        }
    }
    Ok(())
}

pub(super) async fn categories_are_odd_texts_too<S: EventStore>(subject: Subject<S>) -> Verdict {
    let allowed = |text: &&str| !text.contains(|c: char| c == '/' || c.is_control());
    for category in ODD_TEXTS.into_iter().filter(allowed) {
        let stream = valid(StreamId::new(category, "1"));
        comes_back(&subject, &valid(Commit::new(stream, ExpectedVersion::NoStream, events(1))))
            .await?;
    }
    // The same text behind another category.
    for (category, id) in [("x", "y/z"), ("x", "y"), ("xy", "z"), ("y", "z")] {
        let stream = valid(StreamId::new(category, id));
        comes_back(&subject, &valid(Commit::new(stream, ExpectedVersion::NoStream, events(2))))
            .await?;
    }
    Ok(())
}

pub(super) async fn streams_whose_ids_begin_alike_stay_apart<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let ids = ["1", "10", "100", "1 ", "1/", "1/1", "1%", "11"];
    let mut all = Vec::new();
    for (number, id) in ids.into_iter().enumerate() {
        let new = events(number + 1);
        subject.append(&commit(id, ExpectedVersion::NoStream, new.clone())).await?;
        all.push((stream(id), new));
    }
    for (stream, events) in &all {
        subject.holds(stream, events).await?;
        let next = valid(Commit::new(stream.clone(), exact(events.len() as u64), vec![event()]));
        subject.append(&next).await?;
    }
    Ok(())
}

pub(super) async fn a_text_with_a_nul_character_comes_back_or_is_refused<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let nul = "a\0b";
    let odd = [
        one(nul, event()),
        one("name", NewEvent { name: nul.into(), ..event() }),
        one("tag", NewEvent { tags: [Tag::from(nul)].into_iter().collect(), ..event() }),
        one("actor", NewEvent { metadata: Metadata::default().with_actor(nul), ..event() }),
        one("value", NewEvent { metadata: Metadata::default().with("key", nul), ..event() }),
        one("key", NewEvent { metadata: Metadata::default().with(nul, "value"), ..event() }),
    ];
    for commit in odd {
        match subject.store.append(&commit).await {
            Ok(_) => {
                let to = commit.first();
                let stored = subject.stream(&to.stream).await?;
                subject.same("the number of events", 1, stored.len())?;
                is(&subject, &to.stream, Version::new(1), &to.events[0], &stored[0])?;
            }
            Err(AppendError::Permanent(_)) => {
                subject.holds(&commit.first().stream, &[]).await?;
            }
            Err(other) => {
                let wanted = "the event as it was given, or `AppendError::Permanent`";
                return Err(subject.breach(wanted, shown(&other)));
            }
        }
    }
    // Nothing was cut off.
    subject.holds(&stream("a"), &[]).await?;
    let cut = Query::from(QueryItem::named(["a"])).or(QueryItem::tagged(["a"]));
    subject.same("events whose texts were cut", 0, subject.events(&cut).await?.len())
}

pub(super) async fn times_come_back_to_the_microsecond<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let microseconds = |time| valid(Timestamp::from_microsecond(time));
    let times = [
        Timestamp::MIN,
        microseconds(-62_135_596_800_000_000),
        microseconds(-1),
        Timestamp::UNIX_EPOCH,
        microseconds(1),
        microseconds(1_700_000_000_123_456),
        Timestamp::MAX,
    ];
    let events = times.into_iter().map(|time| NewEvent { occurred_at: Some(time), ..event() });
    let finer = NewEvent {
        occurred_at: Some(valid(Timestamp::from_nanosecond(1_700_000_000_123_456_789))),
        ..event()
    };
    let events = events.chain([finer, event()]).collect();
    comes_back(&subject, &commit("a", ExpectedVersion::NoStream, events)).await
}

pub(super) async fn event_ids_are_any_sixteen_bytes<S: EventStore>(subject: Subject<S>) -> Verdict {
    let ids = [0, 1, 1 << 63, 1 << 64, u128::MAX - 1, u128::MAX, u128::from(u64::MAX)];
    let events = ids.into_iter().map(|id| NewEvent { id: numbered_id(id), ..event() });
    comes_back(&subject, &commit("a", ExpectedVersion::NoStream, events.collect())).await
}

pub(super) async fn a_commit_of_ten_thousand_events_comes_back<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let big: Vec<_> = (0..10_000)
        .map(|number| NewEvent {
            payload: Bytes::from(vec![b'p'; number % 300]),
            tags: if number % 10 == 0 {
                [Tag::of("number", number)].into_iter().collect()
            } else {
                event().tags
            },
            ..event()
        })
        .collect();
    let half = big.len() / 2;
    let commit = commit("a", ExpectedVersion::NoStream, big[..half].to_vec());
    let commit = valid(commit.and(stream("b"), ExpectedVersion::NoStream, big[half..].to_vec()));
    comes_back(&subject, &commit).await?;
    let found: Vec<_> = subject.everything().await?.iter().map(|event| event.event_id).collect();
    let expected: Vec<_> = big.iter().map(|event| event.id).collect();
    subject.require(
        expected == found,
        "the ten thousand events in their order",
        format_args!("{} events, or in another order", found.len()),
    )?;
    let appended = subject.store.append(&commit).await;
    let appended = subject.accepted(&commit, appended)?;
    subject.same("`repeated` of the same commit again", true, appended.repeated)
}
