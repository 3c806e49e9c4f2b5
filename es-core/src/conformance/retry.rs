//! Idempotent retry: an event id names one event for ever.

use bytes::Bytes;

use crate::commit::{Commit, NewEvent};
use crate::conformance::failure::Verdict;
use crate::conformance::sample::{commit, event, events, exact, note, stream, valid};
use crate::conformance::subject::Subject;
use crate::metadata::Metadata;
use crate::store::EventStore;
use crate::tag::Tag;
use crate::version::{ExpectedVersion, SchemaVersion};

pub(super) async fn a_commit_that_is_repeated_is_answered_as_the_first_time<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    subject.append(&note("a")).await?;
    let first = commit("a", exact(1), events(3));
    let appended = subject.append(&first).await?;
    subject.repeat(&first, &appended).await?;
    // Also when its expected version does not hold any more, and others have written since.
    subject.append(&commit("a", ExpectedVersion::Any, events(2))).await?;
    subject.append(&note("b")).await?;
    let head = subject.head().await?;
    for _ in 0..3 {
        subject.repeat(&first, &appended).await?;
    }
    subject.same("the head", head, subject.head().await?)?;
    subject.same("the number of events", 7, subject.everything().await?.len())
}

pub(super) async fn a_commit_of_a_new_stream_is_repeated_whatever_it_expects<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let events = events(2);
    let first = commit("a", ExpectedVersion::NoStream, events.clone());
    let appended = subject.append(&first).await?;
    for expected in [ExpectedVersion::NoStream, ExpectedVersion::Any, exact(7), exact(2)] {
        subject.repeat(&commit("a", expected, events.clone()), &appended).await?;
    }
    subject.holds(&stream("a"), &events).await
}

pub(super) async fn a_commit_to_several_streams_is_repeated_as_one<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    subject.append(&commit("b", ExpectedVersion::Any, events(4))).await?;
    let first = commit("a", ExpectedVersion::NoStream, events(2));
    let first = valid(first.and(stream("b"), exact(4), events(3)));
    let first = valid(first.and(stream("c"), ExpectedVersion::Any, events(1)));
    let appended = subject.append(&first).await?;
    for id in ["a", "b", "c"] {
        subject.append(&note(id)).await?;
        subject.repeat(&first, &appended).await?;
    }
    subject.same("the number of events", 13, subject.everything().await?.len())
}

pub(super) async fn an_id_with_another_event_is_refused<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let events = events(3);
    let first = commit("a", ExpectedVersion::NoStream, events.clone());
    let appended = subject.append(&first).await?;
    let head = subject.head().await?;
    for place in 0..3 {
        let other = |change: fn(NewEvent) -> NewEvent| {
            let mut events = events.clone();
            events[place] = change(events[place].clone());
            commit("a", ExpectedVersion::Any, events)
        };
        let changed = [
            ("payload", other(|event| NewEvent { payload: Bytes::from_static(b"{}"), ..event })),
            (
                "shorter payload",
                other(|event| {
                    let payload = event.payload.slice(..event.payload.len() - 1);
                    NewEvent { payload, ..event }
                }),
            ),
            ("name", other(|event| NewEvent { name: "thing.other".into(), ..event })),
            ("schema version", other(|event| NewEvent { schema_version: version(2), ..event })),
        ];
        let possible: Vec<_> = (0..)
            .zip(&events)
            .map(|(index, event)| (event.id, appended.first_position.plus(index)))
            .collect();
        for (what, changed) in changed {
            let answer = subject.store.append(&changed).await;
            let verdict = subject.is_reuse(&changed, answer, &possible[place..=place]).await;
            verdict.map_err(|breach| {
                subject.breach(format_args!("{} (another {what})", breach.expected), breach.found)
            })?;
        }
    }
    let moved = commit("b", ExpectedVersion::Any, events.clone());
    let answer = subject.store.append(&moved).await;
    let places = [(events[0].id, appended.first_position)];
    subject.is_reuse(&moved, answer, &places).await?;
    subject.same("the head", head, subject.head().await?)?;
    subject.holds(&stream("a"), &events).await?;
    subject.holds(&stream("b"), &[]).await
}

fn version(number: u32) -> SchemaVersion {
    valid(SchemaVersion::try_from(number))
}

pub(super) async fn a_commit_of_which_a_part_is_stored_is_refused<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let old = events(2);
    let first = commit("a", ExpectedVersion::NoStream, old.clone());
    let at = subject.append(&first).await?.first_position;
    let head = subject.head().await?;
    let new = || vec![event()];
    let mixed: [Vec<NewEvent>; 4] = [
        [old.clone(), new()].concat(),
        [new(), old.clone()].concat(),
        [vec![old[0].clone()], new()].concat(),
        [new(), vec![old[1].clone()]].concat(),
    ];
    let possible = [(old[0].id, at), (old[1].id, at.next())];
    for events in mixed {
        for expected in [ExpectedVersion::Any, exact(2)] {
            let mixed = commit("a", expected, events.clone());
            let answer = subject.store.append(&mixed).await;
            subject.is_reuse(&mixed, answer, &possible).await?;
        }
    }
    let elsewhere = valid(first.clone().and(stream("b"), ExpectedVersion::Any, new()));
    let answer = subject.store.append(&elsewhere).await;
    subject.is_reuse(&elsewhere, answer, &possible).await?;
    subject.same("the head", head, subject.head().await?)?;
    subject.holds(&stream("b"), &[]).await?;
    subject.holds(&stream("a"), &old).await
}

pub(super) async fn a_commit_in_another_order_is_refused<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let events = events(2);
    let at = {
        let first = commit("a", ExpectedVersion::NoStream, events.clone());
        subject.append(&first).await?.first_position
    };
    let turned: Vec<_> = events.iter().rev().cloned().collect();
    let turned = commit("a", ExpectedVersion::Any, turned);
    let answer = subject.store.append(&turned).await;
    let possible = [(events[0].id, at), (events[1].id, at.next())];
    subject.is_reuse(&turned, answer, &possible).await?;
    subject.holds(&stream("a"), &events).await
}

pub(super) async fn tags_and_metadata_of_the_first_time_stay<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let first = NewEvent {
        tags: [Tag::from("first")].into_iter().collect(),
        metadata: Metadata::default().with_actor("first"),
        ..event()
    };
    let appended = subject.append(&commit("a", ExpectedVersion::Any, vec![first.clone()])).await?;
    let again = NewEvent {
        tags: [Tag::from("again")].into_iter().collect(),
        metadata: Metadata::default().with_actor("again"),
        ..first.clone()
    };
    subject.repeat(&commit("a", ExpectedVersion::Any, vec![again]), &appended).await?;
    let stored = subject.find(first.id).await?.map(|stored| (stored.tags, stored.metadata));
    subject.same("its tags and metadata", Some((first.tags, first.metadata)), stored)
}

pub(super) async fn a_refused_event_id_keeps_nothing_of_its_commit<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let old = event();
    subject.append(&commit("a", ExpectedVersion::Any, vec![old.clone()])).await?;
    let at = subject.head().await?;
    let new = events(2);
    let refused = commit("b", ExpectedVersion::Any, new.clone());
    let other = NewEvent { payload: Bytes::from_static(b"{}"), ..old.clone() };
    let refused = valid(refused.and(stream("a"), ExpectedVersion::Any, vec![other]));
    let answer = subject.store.append(&refused).await;
    subject.as_event_store(3).is_reuse(&refused, answer, &[(old.id, at)]).await?;
    subject.holds(&stream("b"), &[]).await?;
    subject.same("the head", at, subject.head().await?)?;
    // The ids beside it were not taken.
    let free: Commit = commit("c", ExpectedVersion::NoStream, new);
    subject.append(&free).await?;
    Ok(())
}
