//! Appending: expected versions, commits to several streams, and what a refusal leaves behind.

use std::pin::pin;
use std::task::Poll;

use crate::conformance::failure::Verdict;
use crate::conformance::sample::{commit, events, exact, note, stream, valid};
use crate::conformance::subject::{Subject, poll_once};
use crate::store::{EventStore, StreamRange};
use crate::version::{ExpectedVersion, Position, Version};

const VARIANTS: [ExpectedVersion; 7] = [
    ExpectedVersion::Any,
    ExpectedVersion::NoStream,
    ExpectedVersion::Exists,
    exact(0),
    exact(1),
    exact(3),
    ExpectedVersion::Exact(Version::MAX),
];

pub(super) async fn each_expected_version_admits_what_it_says<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    for (number, expected) in VARIANTS.into_iter().enumerate() {
        for length in [0, 1, 3, 4] {
            let id = format!("{number}-{length}");
            if length > 0 {
                subject.append(&commit(&id, ExpectedVersion::Any, events(length))).await?;
            }
            let actual = Version::new(length as u64);
            let next = commit(&id, expected, events(2));
            if expected.admits(actual) {
                let appended = subject.append(&next).await?;
                subject.same("the version of the stream", actual.plus(2), appended.version)?;
            } else {
                subject.conflicts(&next, &stream(&id), expected, actual).await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn versions_count_up_from_one_in_each_stream<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    for round in 0..3u64 {
        for id in ["a", "b"] {
            let appended = subject.append(&commit(id, ExpectedVersion::Any, events(2))).await?;
            let expected = Version::new(round * 2 + 2);
            subject.same("the version after two more events", expected, appended.version)?;
        }
    }
    for id in ["a", "b"] {
        let stored = subject.stream(&stream(id)).await?;
        let versions: Vec<_> = stored.iter().map(|event| event.version.get()).collect();
        subject.same("the versions of a stream", vec![1, 2, 3, 4, 5, 6], versions)?;
    }
    Ok(())
}

pub(super) async fn positions_rise_and_those_of_a_commit_are_contiguous<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let mut last = Position::ZERO;
    for count in [1, 3, 1, 20] {
        let commit = commit("a", ExpectedVersion::Any, events(count));
        let commit = valid(commit.and(stream("b"), ExpectedVersion::Any, events(2)));
        let appended = subject.append(&commit).await?;
        subject.require(
            appended.first_position > last,
            format_args!("a first position above {last}"),
            appended.first_position,
        )?;
        last = appended.first_position.plus(count as u64 + 1);
        subject.same("the last position of the commit", last, appended.last_position)?;
        subject.same("the head", last, subject.head().await?)?;
    }
    let positions: Vec<_> =
        subject.everything().await?.iter().map(|event| event.position).collect();
    subject.require(
        positions.is_sorted_by(|left, right| left < right),
        "positions that rise strictly",
        format_args!("{positions:?}"),
    )
}

pub(super) async fn the_answer_says_where_the_events_are_read<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    subject.append(&commit("b", ExpectedVersion::Any, events(1))).await?;
    let new = commit("c", ExpectedVersion::NoStream, events(2));
    let new = valid(new.and(stream("a"), ExpectedVersion::NoStream, events(1)));
    let new = valid(new.and(stream("b"), exact(1), events(3)));
    let appended = subject.append(&new).await?;
    subject.same("the version of the first stream", Version::new(2), appended.version)?;
    let more = vec![Version::new(1), Version::new(4)];
    subject.same("the versions of the others in order", more, appended.more_versions.clone())?;
    let mut position = appended.first_position;
    for to in new.streams() {
        for event in &to.events {
            let what = format!("the position of event {} of `{}`", event.id, to.stream);
            let found = subject.find(event.id).await?.map(|stored| stored.position);
            subject.same(what, Some(position), found)?;
            position = position.next();
        }
    }
    subject.same("one after the last position", position, appended.last_position.next())
}

pub(super) async fn a_commit_to_several_streams_is_stored_whole<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let first = events(2);
    let mut whole = commit(0, ExpectedVersion::NoStream, first.clone());
    let mut others = Vec::new();
    for id in 1..20 {
        let events = events(id % 3 + 1);
        whole = valid(whole.and(stream(id), ExpectedVersion::NoStream, events.clone()));
        others.push((stream(id), events));
    }
    subject.append(&whole).await?;
    subject.holds(&stream(0), &first).await?;
    for (stream, events) in &others {
        subject.holds(stream, events).await?;
    }
    let stored = subject.everything().await?;
    subject.same("the number of events", whole.event_count(), stored.len())
}

pub(super) async fn one_conflict_refuses_all_streams_of_a_commit<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let there = events(1);
    subject.append(&commit("there", ExpectedVersion::Any, there.clone())).await?;
    let head = subject.head().await?;
    // The stream that is not as expected stands first, in the middle and last.
    for place in 0..3 {
        let ids = ["new 1", "new 2", "new 3"].map(|id| format!("{id} of {place}"));
        let to = |number: usize| {
            if number == place {
                (stream("there"), ExpectedVersion::NoStream)
            } else {
                (stream(&ids[number]), ExpectedVersion::NoStream)
            }
        };
        let (first, expected) = to(0);
        let mut refused = valid(crate::Commit::new(first, expected, events(2)));
        for number in 1..3 {
            let (stream, expected) = to(number);
            refused = valid(refused.and(stream, expected, events(2)));
        }
        let (expected, actual) = (ExpectedVersion::NoStream, Version::new(1));
        subject.conflicts(&refused, &stream("there"), expected, actual).await?;
        for id in &ids {
            subject.holds(&stream(id), &[]).await?;
        }
        subject.holds(&stream("there"), &there).await?;
        subject.same("the head", head, subject.head().await?)?;
    }
    Ok(())
}

pub(super) async fn a_refused_commit_leaves_nothing_behind<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    // How far apart the positions of two commits stand when nothing happens between them.
    let mut last = subject.append(&note("a")).await?.last_position;
    let next = subject.append(&note("a")).await?;
    let step = next.first_position.get().saturating_sub(last.get());
    last = next.last_position;

    let refused = commit("a", exact(1), events(3));
    let refused = valid(refused.and(stream("b"), ExpectedVersion::Any, events(1)));
    for _ in 0..3 {
        subject.conflicts(&refused, &stream("a"), exact(1), Version::new(2)).await?;
    }
    subject.same("the head", last, subject.head().await?)?;
    for event in refused.streams().flat_map(|to| &to.events) {
        let found = subject.find(event.id).await?;
        subject.same("what `find` finds of an event that was refused", None, found)?;
    }
    let page = subject.stream_page(&stream("b"), StreamRange::all()).await?;
    subject.same("the version of a stream that was refused", Version::ZERO, page.version)?;
    subject.same("the number of events", 2, subject.everything().await?.len())?;

    let after = subject.append(&note("a")).await?;
    subject.same("the version of the next event", Version::new(3), after.version)?;
    subject.same(
        "the distance of the next position, as without a refusal,",
        step,
        after.first_position.get().saturating_sub(last.get()),
    )
}

pub(super) async fn events_that_were_refused_can_be_appended_later<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let events = events(2);
    let (expected, actual) = (ExpectedVersion::Exists, Version::ZERO);
    let refused = commit("a", expected, events.clone());
    subject.conflicts(&refused, &stream("a"), expected, actual).await?;
    let elsewhere = commit("b", ExpectedVersion::NoStream, events.clone());
    subject.append(&elsewhere).await?;
    subject.holds(&stream("a"), &[]).await?;
    subject.holds(&stream("b"), &events).await
}

/// What is read of a conflict is enough to append: nobody has to guess.
pub(super) async fn the_version_of_a_conflict_is_the_one_to_go_on_from<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    subject.append(&commit("a", ExpectedVersion::Any, events(7))).await?;
    let late = commit("a", exact(2), events(1));
    subject.conflicts(&late, &stream("a"), exact(2), Version::new(7)).await?;
    let again = commit("a", exact(7), events(1));
    subject.append(&again).await?;
    Ok(())
}

pub(super) async fn an_append_that_is_dropped_is_stored_whole_or_not_at_all<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    for round in 0..20 {
        let (left, right) = (format!("left {round}"), format!("right {round}"));
        let dropped = commit(&left, ExpectedVersion::NoStream, events(3));
        let dropped = valid(dropped.and(stream(&right), ExpectedVersion::NoStream, events(2)));
        {
            let mut append = pin!(subject.store.append(&dropped));
            for _ in 0..round % 4 {
                match poll_once(append.as_mut()) {
                    Poll::Ready(answer) => {
                        subject.accepted(&dropped, answer)?;
                        break;
                    }
                    Poll::Pending => {}
                }
            }
        }
        // Whatever became of it: it can be appended again, and is there once and whole.
        let answer = subject.store.append(&dropped).await;
        subject.accepted(&dropped, answer)?;
        for to in dropped.streams() {
            subject.holds(&to.stream, &to.events).await?;
        }
    }
    subject.same("the number of events", 100, subject.everything().await?.len())
}
