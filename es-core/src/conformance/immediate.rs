//! Appending and reading at once: a second way in and out, and no other store.

use std::ops::ControlFlow;
use std::pin::pin;
use std::task::Poll;

use crate::clock::Moment;
use crate::commit::{Appended, Commit};
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::sample::{commit, event, events, exact, stream, valid};
use crate::conformance::subject::{Subject, poll_once};
use crate::recorded::{Recorded, RecordedEvent};
use crate::store::{AppendError, Direction, EventStore, StreamRange, StreamVisit};
use crate::stream::StreamId;
use crate::version::{ExpectedVersion, Version};

const VARIANTS: [ExpectedVersion; 5] =
    [ExpectedVersion::Any, ExpectedVersion::NoStream, ExpectedVersion::Exists, exact(0), exact(2)];

/// Appends at once. `None`: the store has no such way, and rule 16 asks nothing of it.
fn now<S: EventStore>(
    subject: &Subject<S>,
    commit: &Commit,
) -> Option<Result<Appended, AppendError>> {
    subject.store.immediate().map(|store| store.append_now(commit, &Moment::default()))
}

pub(super) async fn a_commit_at_once_is_answered_and_read_as_any_other<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let (first, second, third) = (events(2), events(3), events(1));
    let one = commit("a", ExpectedVersion::NoStream, first.clone());
    let one = valid(one.and(stream("b"), ExpectedVersion::Any, second.clone()));
    let Some(answer) = now(&subject, &one) else { return Ok(()) };
    let answer = subject.accepted(&one, answer)?;
    let expected = Appended {
        first_position: answer.first_position,
        last_position: answer.first_position.plus(4),
        version: Version::new(2),
        more_versions: vec![Version::new(3)],
        repeated: false,
    };
    subject.same("the answer to a commit at once", &expected, &answer)?;
    subject.same("the head", answer.last_position, subject.head().await?)?;

    // The other way goes on from there, and this one from the other.
    let other = subject.append(&commit("a", exact(2), third.clone())).await?;
    subject.require(
        other.first_position > answer.last_position,
        format_args!("a first position above {}", answer.last_position),
        other.first_position,
    )?;
    let last = commit("a", exact(3), events(1));
    if let Some(answer) = now(&subject, &last) {
        let answer = subject.accepted(&last, answer)?;
        subject.same("the version of the stream", Version::new(4), answer.version)?;
    }
    let mut of_a = [first, third].concat();
    of_a.extend(last.streams().flat_map(|to| to.events.clone()));
    subject.holds(&stream("a"), &of_a).await?;
    subject.holds(&stream("b"), &second).await?;
    for (index, event) in one.streams().flat_map(|to| &to.events).enumerate() {
        let what = format!("the position of event {} that was appended at once", event.id);
        let found = subject.find(event.id).await?.map(|stored| stored.position);
        subject.same(what, Some(answer.first_position.plus(index as u64)), found)?;
    }
    subject.same("the number of events", 7, subject.everything().await?.len())
}

pub(super) async fn a_commit_at_once_is_refused_as_any_other<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    for (number, expected) in VARIANTS.into_iter().enumerate() {
        for length in [0, 1, 2] {
            let id = format!("{number}-{length}");
            if length > 0 {
                subject.append(&commit(&id, ExpectedVersion::Any, events(length))).await?;
            }
            let (head, actual) = (subject.head().await?, Version::new(length as u64));
            let next = commit(&id, expected, events(2));
            let next = valid(next.and(stream(format!("{id} more")), exact(0), events(1)));
            let Some(answer) = now(&subject, &next) else { return Ok(()) };
            if expected.admits(actual) {
                let appended = subject.accepted(&next, answer)?;
                subject.same("the version of the stream", actual.plus(2), appended.version)?;
            } else {
                subject.is_conflict(&next, answer, &stream(&id), expected, actual)?;
                subject.same("the head after a refusal", head, subject.head().await?)?;
                subject.holds(&stream(format!("{id} more")), &[]).await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn a_commit_at_once_is_repeated_as_any_other<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let at_once = commit("a", ExpectedVersion::NoStream, events(2));
    let Some(answer) = now(&subject, &at_once) else { return Ok(()) };
    let first = subject.accepted(&at_once, answer)?;
    subject.repeat(&at_once, &first).await?;

    let waited_for = commit("b", ExpectedVersion::NoStream, events(2));
    let first_waited_for = subject.append(&waited_for).await?;
    for (again, first) in [(&at_once, &first), (&waited_for, &first_waited_for)] {
        if let Some(answer) = now(&subject, again) {
            let expected = Appended { repeated: true, ..first.clone() };
            let found = subject.accepted(again, answer)?;
            subject.same("the answer to a commit again at once", expected, found)?;
        }
    }
    // An id that is stored with the rest of another commit.
    let stored = waited_for.first().events[0].clone();
    let id = stored.id;
    let mixed = commit("c", ExpectedVersion::Any, vec![stored, event()]);
    if let Some(answer) = now(&subject, &mixed) {
        subject.is_reuse(&mixed, answer, &[(id, first_waited_for.first_position)]).await?;
    }
    subject.same("the number of events", 4, subject.everything().await?.len())
}

pub(super) async fn a_commit_at_once_is_news<S: EventStore>(subject: Subject<S>) -> Verdict {
    for _ in 0..20 {
        let known = subject.head().await?;
        let mut waiting = pin!(subject.store.wait_beyond(known));
        if let Poll::Ready(answer) = poll_once(waiting.as_mut()) {
            let wanted = format!("who waits beyond position {known}, the head, to wait");
            return Err(subject.breach(wanted, format_args!("an answer {answer:?}")));
        }
        let Some(answer) = now(&subject, &commit("a", ExpectedVersion::Any, events(3))) else {
            return Ok(());
        };
        let last = match answer {
            Ok(appended) => appended.last_position,
            Err(error) => return Err(subject.breach("a commit at once to be accepted", error)),
        };
        let told = subject.soon("who waits to be told of a commit at once", waiting).await?;
        subject.same("the head that is told", last, subject.read("`wait_beyond`", told)?)?;
    }
    Ok(())
}

/// Shows events at once, so many at most. `None`: the store has no such way, and rule 17 asks nothing
/// of it.
fn shown<S: EventStore>(
    subject: &Subject<S>,
    stream: &StreamId,
    range: StreamRange,
    at_most: usize,
) -> Result<Option<(Vec<RecordedEvent>, StreamVisit)>, Breach> {
    let Some(store) = subject.store.immediate_read() else { return Ok(None) };
    let mut events = Vec::new();
    let mut visit = |recorded: &Recorded<'_>| {
        events.push(recorded.to_event());
        if events.len() < at_most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let visited = subject.read("`visit_stream`", store.visit_stream(stream, range, &mut visit))?;
    Ok(Some((events, visited)))
}

pub(super) async fn what_is_shown_at_once_is_what_is_read<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    for _ in 0..3 {
        subject.append(&commit("a", ExpectedVersion::Any, events(2))).await?;
        subject.append(&commit("b", ExpectedVersion::Any, events(1))).await?;
    }
    let bounds = [0, 1, 3, 6, 7, u64::MAX].map(Version::new);
    for stream in [stream("a"), stream("missing")] {
        for (from, to) in bounds.iter().flat_map(|from| bounds.map(|to| (*from, to))) {
            for direction in [Direction::Forward, Direction::Backward] {
                for limit in [0, 1, 4, usize::MAX] {
                    let range = StreamRange { from, to, direction, limit };
                    let Some((events, visit)) = shown(&subject, &stream, range, usize::MAX)? else {
                        return Ok(());
                    };
                    let page = subject.stream_page(&stream, range).await?;
                    let read: Vec<_> = page.events.iter().map(|it| it.to_event()).collect();
                    let what = format!("what is shown of {range:?} of `{stream}`");
                    subject.same(what, read, events)?;
                    let expected = StreamVisit { version: page.version, next: page.next };
                    subject.same(format!("the answer to {range:?}"), expected, visit)?;
                }
            }
        }
    }
    Ok(())
}

pub(super) async fn who_breaks_off_is_told_where_to_go_on<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let stream = stream("a");
    subject.append(&commit("a", ExpectedVersion::Any, events(5))).await?;
    for direction in [Direction::Forward, Direction::Backward] {
        for at_most in 1..=5 {
            let mut range = StreamRange { direction, ..StreamRange::all() };
            let mut joined = Vec::new();
            // More rounds than there are events would be no progress.
            for _ in 0..5 {
                let Some((events, visit)) = shown(&subject, &stream, range, at_most)? else {
                    return Ok(());
                };
                let asked = format!("how many are shown to one who breaks off after {at_most}");
                subject.same(asked, at_most.min(5 - joined.len()), events.len())?;
                joined.extend(events.iter().map(|event| event.version.get()));
                subject.same("the version of the stream", Version::new(5), visit.version)?;
                match visit.next {
                    Some(next) => range = range.continued(next),
                    None => break,
                }
            }
            let mut expected: Vec<_> = (1..=5).collect();
            if direction == Direction::Backward {
                expected.reverse();
            }
            subject.same("the versions that are shown, joined", expected, joined)?;
        }
    }
    Ok(())
}

pub(super) async fn what_was_acknowledged_is_shown_at_once<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    for round in 1..30 {
        let appended = subject.append(&commit("a", ExpectedVersion::Any, events(1))).await?;
        let range = StreamRange::after(Version::new(round - 1));
        let Some((shown, visited)) = shown(&subject, &stream("a"), range, usize::MAX)? else {
            return Ok(());
        };
        let versions = shown.iter().map(|event| event.version).collect();
        subject.same("the events that are shown", vec![appended.version], versions)?;
        subject.same("the version that is shown", appended.version, visited.version)?;
    }
    Ok(())
}
