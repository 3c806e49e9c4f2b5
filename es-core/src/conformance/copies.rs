//! Events that are taken over from another store, with the times at which that one recorded them.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use jiff::Timestamp;

use crate::commit::{Appended, Commit, NewEvent};
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::sample::{commit, event, events, exact, note, stream, valid};
use crate::conformance::subject::{Subject, poll_once};
use crate::metadata::Metadata;
use crate::recorded::RecordedEvent;
use crate::store::{AppendError, RecordedAppend, RecordedCommit};
use crate::tag::Tag;
use crate::version::{ExpectedVersion, SchemaVersion, Version};

/// Some time of long ago, so many seconds later.
pub(super) fn time(seconds: i64) -> Timestamp {
    valid(Timestamp::from_microsecond(1_000_000_000_123_456 + seconds * 1_000_000))
}

pub(super) fn recorded(commit: Commit, recorded_at: Timestamp) -> RecordedCommit {
    RecordedCommit { commit, recorded_at }
}

/// Commits of one event each to a stream, a second apart.
pub(super) fn history(id: &str, from: u64, count: u64) -> Vec<RecordedCommit> {
    let versions = from..from + count;
    versions
        .map(|version| recorded(commit(id, exact(version), events(1)), time(version as i64)))
        .collect()
}

impl<S: RecordedAppend> Subject<S> {
    /// Takes over commits, all of which must be accepted.
    pub(super) async fn take_over(
        &self,
        commits: &[RecordedCommit],
    ) -> Result<Vec<Appended>, Breach> {
        let (appended, _) = self.take_over_some(commits, commits.len()).await?;
        Ok(appended)
    }

    /// Takes over commits of which the first `accepted` are to be accepted; gives the answers of
    /// these and that of the one that is to be refused.
    async fn take_over_some(
        &self,
        commits: &[RecordedCommit],
        accepted: usize,
    ) -> Result<(Vec<Appended>, Option<AppendError>), Breach> {
        let mut answers = self.store.append_recorded(commits).await;
        let wanted = if accepted < commits.len() { accepted + 1 } else { accepted };
        self.same("the number of answers", wanted, answers.len())?;
        let refusal = if wanted > accepted {
            match answers.pop() {
                Some(Err(error)) => Some(error),
                other => {
                    return Err(self.breach(
                        format_args!("commit {accepted} to be refused"),
                        format_args!("{other:?}"),
                    ));
                }
            }
        } else {
            None
        };
        let appended = answers.into_iter().zip(commits);
        let appended = appended.map(|(answer, of)| self.accepted(&of.commit, answer));
        Ok((appended.collect::<Result<_, _>>()?, refusal))
    }

    async fn times(&self) -> Result<Vec<Timestamp>, Breach> {
        Ok(self.everything().await?.iter().map(|event| event.recorded_at).collect())
    }
}

pub(super) async fn commits_of_nothing_have_no_answer<S: RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    let answers = subject.store.append_recorded(&[]).await;
    subject.require(answers.is_empty(), "no answer", format_args!("{answers:?}"))
}

pub(super) async fn events_are_recorded_at_the_time_beside_their_commit<S: RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    let microseconds = |time| valid(Timestamp::from_microsecond(time));
    let times = [
        microseconds(-62_135_596_800_000_000),
        microseconds(-1),
        Timestamp::UNIX_EPOCH,
        microseconds(1),
        time(0),
        time(0),
        time(60),
    ];
    let mut commits = Vec::new();
    for (number, time) in (0..).zip(times) {
        let both = commit("a", exact(number * 2), events(2));
        let both = valid(both.and(stream(format!("b {number}")), ExpectedVersion::Any, events(1)));
        commits.push(recorded(both, time));
    }
    // In two calls, so that the second one goes on where the first one ended.
    subject.take_over(&commits[..3]).await?;
    subject.take_over(&commits[3..]).await?;
    let expected: Vec<_> = times.into_iter().flat_map(|time| [time; 3]).collect();
    subject.same("the times of all events", expected, subject.times().await?)?;
    let of_stream = subject.stream(&stream("a")).await?;
    let of_stream = of_stream.iter().map(|event| event.recorded_at).collect();
    let expected: Vec<_> = times.into_iter().flat_map(|time| [time; 2]).collect();
    subject.same("the times of the events of a stream", expected, of_stream)?;
    for RecordedCommit { commit, recorded_at } in &commits {
        let found = subject.find(commit.first().events[1].id).await?;
        let found = found.map(|event| event.recorded_at);
        subject.same("the time of what `find` finds", Some(*recorded_at), found)?;
    }
    Ok(())
}

pub(super) async fn recorded_times_are_exact_to_the_microsecond<S: RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    let finer =
        |number: i128| valid(Timestamp::from_nanosecond(1_700_000_000_123_456_000 + number));
    let commits = [
        recorded(note("a"), finer(0)),
        recorded(note("a"), finer(1_000)),
        recorded(note("a"), finer(2_789)),
    ];
    subject.take_over(&commits).await?;
    let expected = [finer(0), finer(1_000), finer(2_000)];
    subject.same("the times of the events", &expected[..], &subject.times().await?[..])?;
    // A page holds no finer time, whatever the store has.
    for (commit, expected) in commits.iter().zip(expected) {
        let found = subject.find(commit.commit.first().events[0].id).await?;
        let found = found.map(|event| event.recorded_at);
        subject.same("the time of what `find` finds", Some(expected), found)?;
    }
    Ok(())
}

pub(super) async fn a_time_before_that_of_the_last_event_is_that_of_the_last_event<
    S: RecordedAppend,
>(
    subject: Subject<S>,
) -> Verdict {
    let (early, late) = (time(-1_000), time(1_000));
    let commits = [
        recorded(note("a"), time(0)),
        recorded(note("b"), early),
        recorded(note("c"), late),
        recorded(note("a"), time(0)),
    ];
    subject.take_over(&commits).await?;
    let taken = vec![time(0), time(0), late, late];
    subject.same("the times of the events", taken, subject.times().await?)?;

    // What the store records itself comes after it: now, or at the time of what was taken over.
    let future = valid(Timestamp::from_second(Timestamp::now().as_second() + 1_000_000));
    subject.append(&note("a")).await?;
    subject.take_over(&[recorded(note("a"), future), recorded(note("a"), early)]).await?;
    subject.append(&note("a")).await?;
    let times = subject.times().await?;
    subject.require(times.is_sorted(), "times that do not fall", format_args!("{times:?}"))?;
    subject.same("the last times", &[future; 3][..], &times[times.len() - 3..])
}

pub(super) async fn everything_else_of_an_event_comes_back<S: RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    let full = NewEvent {
        schema_version: valid(SchemaVersion::try_from(7)),
        payload: Bytes::from_static(b"{\"b\": 1, \"a\": 1.0}"),
        tags: ["z", "a", "\u{17e}"].into_iter().map(Tag::from).collect(),
        occurred_at: Some(time(-5)),
        metadata: Metadata::default().with_actor("clerk").with("key", "value"),
        ..event()
    };
    let bytes = NewEvent { payload: Bytes::from_static(&[0xff, 0, 1]), ..event() };
    let all = [full.clone(), bytes.clone(), event()];
    let both = commit("a", ExpectedVersion::NoStream, vec![full, bytes]);
    let both = valid(both.and(stream("b"), ExpectedVersion::NoStream, vec![all[2].clone()]));
    let appended = subject.take_over(&[recorded(both, time(3))]).await?.swap_remove(0);
    let expected: Vec<_> = (0..)
        .zip([("a", 1), ("a", 2), ("b", 1)])
        .zip(&all)
        .map(|((index, (id, version)), given)| RecordedEvent {
            position: appended.first_position.plus(index),
            stream: stream(id),
            version: Version::new(version),
            event_id: given.id,
            name: given.name.to_string(),
            schema_version: given.schema_version,
            payload: given.payload.clone(),
            tags: given.tags.clone(),
            recorded_at: time(3),
            occurred_at: given.occurred_at,
            metadata: given.metadata.clone(),
        })
        .collect();
    subject.same("the events", expected, subject.everything().await?)
}

pub(super) async fn the_answers_say_where_the_events_are_read<S: RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    subject.append(&note("a")).await?;
    let both = |version: u64| {
        let commit = commit("a", exact(version), events(2));
        valid(commit.and(stream("b"), ExpectedVersion::Any, events(3)))
    };
    let commits = [recorded(both(1), time(1)), recorded(both(3), time(2))];
    let answers = subject.take_over(&commits).await?;
    let mut before = subject.everything().await?[0].position;
    for (index, (answer, of)) in (0..).zip(answers.iter().zip(&commits)) {
        subject.require(
            answer.first_position > before,
            format_args!("a first position above {before}"),
            answer.first_position,
        )?;
        let expected = Appended {
            first_position: answer.first_position,
            last_position: answer.first_position.plus(4),
            version: Version::new(3 + index * 2),
            more_versions: vec![Version::new(3 + index * 3)],
            repeated: false,
        };
        subject.same("the answer", &expected, answer)?;
        let ids = of.commit.streams().flat_map(|to| &to.events).map(|event| event.id);
        for (place, id) in (0..).zip(ids) {
            let found = subject.find(id).await?.map(|stored| stored.position);
            let what = format_args!("the position of event {place} of a commit");
            subject.same(what, Some(answer.first_position.plus(place)), found)?;
        }
        before = answer.last_position;
    }
    subject.same("the head", before, subject.head().await?)?;
    let next = subject.append(&commit("a", exact(5), events(1))).await?;
    subject.require(
        next.first_position > before,
        format_args!("a position above {before}"),
        next.first_position,
    )
}

pub(super) async fn expected_versions_are_checked_as_in_append<S: RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    let variants = [
        ExpectedVersion::Any,
        ExpectedVersion::NoStream,
        ExpectedVersion::Exists,
        exact(0),
        exact(2),
    ];
    for (number, expected) in variants.into_iter().enumerate() {
        for length in [0, 2] {
            let (id, actual) = (format!("{number}-{length}"), Version::new(length));
            if length > 0 {
                subject.take_over(&history(&id, 0, length)).await?;
            }
            let head = subject.head().await?;
            let next = commit(&id, expected, events(1));
            // A second stream, which no reason is against.
            let next = valid(next.and(stream(format!("{id} more")), exact(0), events(1)));
            let one = [recorded(next.clone(), time(9))];
            if expected.admits(actual) {
                subject.take_over(&one).await?;
            } else {
                let (_, refusal) = subject.take_over_some(&one, 0).await?;
                refused(&subject, &next, refusal, &id, expected, actual)?;
                subject.same("the head after a refusal", head, subject.head().await?)?;
                subject.holds(&stream(format!("{id} more")), &[]).await?;
            }
        }
    }
    Ok(())
}

fn refused<S: RecordedAppend>(
    subject: &Subject<S>,
    commit: &Commit,
    refusal: Option<AppendError>,
    id: &str,
    expected: ExpectedVersion,
    actual: Version,
) -> Verdict {
    match refusal {
        Some(error) => subject.is_conflict(commit, Err(error), &stream(id), expected, actual),
        None => Err(subject.breach("a refusal", "none")),
    }
}

pub(super) async fn the_first_refusal_is_the_last_answer<S: RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    // A version that is not there yet: a gap in the history.
    let mut commits = history("a", 0, 5);
    commits[2] = recorded(commit("a", exact(9), events(1)), time(2));
    commits[3] = recorded(note("b"), time(3));
    commits[4] = recorded(commit("a", exact(2), events(1)), time(4));
    let (_, refusal) = subject.take_over_some(&commits, 2).await?;
    refused(&subject, &commits[2].commit, refusal, "a", exact(9), Version::new(2))?;
    let before: Vec<_> =
        commits[..2].iter().flat_map(|of| of.commit.first().events.clone()).collect();
    subject.holds(&stream("a"), &before).await?;
    subject.holds(&stream("b"), &[]).await?;

    // An event id that is another event's.
    let taken = before[0].clone();
    let place = subject.find(taken.id).await?.map(|stored| (taken.id, stored.position));
    let mut commits = history("c", 0, 3);
    let other = NewEvent { payload: Bytes::from_static(b"{}"), ..taken };
    commits[1] = recorded(commit("c", exact(1), vec![other]), time(1));
    let (_, refusal) = subject.take_over_some(&commits, 1).await?;
    let refusal = refusal.map_or_else(|| Err(subject.breach("a refusal", "none")), Ok)?;
    let places: Vec<_> = place.into_iter().collect();
    subject.is_reuse(&commits[1].commit, Err(refusal), &places).await?;
    subject.holds(&stream("c"), &commits[0].commit.first().events).await
}

pub(super) async fn a_commit_does_not_build_on_what_a_stranger_wrote<S: RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    // A repeated commit stands elsewhere than the one after it believes.
    let repeated = recorded(note("a"), time(0));
    subject.take_over(std::slice::from_ref(&repeated)).await?;
    subject.append(&note("a")).await?;
    let next = recorded(commit("a", exact(2), events(1)), time(1));
    let (_, refusal) = subject.take_over_some(&[repeated, next.clone()], 1).await?;
    refused(&subject, &next.commit, refusal, "a", exact(2), Version::new(1))
}

pub(super) async fn a_copy_that_is_repeated_is_answered_as_the_first_time<S: RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    let commits = history("a", 0, 6);
    // Of the first attempt some are stored, of the second all.
    let first = subject.take_over(&commits[..3]).await?;
    let second = subject.take_over(&commits).await?;
    let again = |appended: &Appended| Appended { repeated: true, ..appended.clone() };
    let expected: Vec<_> = first.iter().map(again).collect();
    subject.same("the answers to what was stored", &expected[..], &second[..3])?;
    let new = second[3..].iter().all(|appended| !appended.repeated);
    subject.require(
        new,
        "answers to what is new without `repeated`",
        format_args!("{second:?}"),
    )?;
    let before = subject.everything().await?;

    // Another time does not make it another commit, nor change the one that is there.
    let later: Vec<_> = commits.iter().map(|of| recorded(of.commit.clone(), time(500))).collect();
    let expected: Vec<_> = second.iter().map(again).collect();
    subject.same(
        "the answers to the third attempt",
        &expected,
        &subject.take_over(&later).await?,
    )?;
    subject.same("all events", &before, &subject.everything().await?)?;

    // The other way in knows them too, and this one what came by the other.
    subject.repeat(&commits[4].commit, &second[4]).await?;
    let own = note("b");
    let appended = subject.append(&own).await?;
    let before = subject.everything().await?;
    let repeated = subject.take_over(&[recorded(own, time(600))]).await?;
    subject.same("the answer to what was appended", vec![again(&appended)], repeated)?;
    subject.same("all events", before, subject.everything().await?)
}

pub(super) async fn a_copy_that_is_dropped_leaves_whole_commits_from_the_beginning<
    S: RecordedAppend,
>(
    subject: Subject<S>,
) -> Verdict {
    for round in 0..20 {
        let (left, right) = (format!("left {round}"), format!("right {round}"));
        let commits: Vec<_> = (0..4)
            .map(|number| {
                let both = commit(&left, exact(number * 2), events(2));
                let both = valid(both.and(stream(&right), exact(number), events(1)));
                recorded(both, time(number as i64))
            })
            .collect();
        {
            let mut copying = pin!(subject.store.append_recorded(&commits));
            drive(copying.as_mut(), round % 5);
        }
        // Whatever became of it: it can be taken over again, and is there once and whole.
        subject.take_over(&commits).await?;
        for to in [&left, &right] {
            let of_stream = commits.iter().flat_map(|of| of.commit.streams());
            let of_stream = of_stream.filter(|append| append.stream == stream(to));
            let events: Vec<_> = of_stream.flat_map(|append| append.events.clone()).collect();
            subject.holds(&stream(to), &events).await?;
        }
    }
    Ok(())
}

/// Polls a future at most so many times.
fn drive<F: Future>(mut future: Pin<&mut F>, times: usize) {
    for _ in 0..times {
        if poll_once(future.as_mut()).is_ready() {
            return;
        }
    }
}

pub(super) async fn copies_are_news<S: RecordedAppend>(subject: Subject<S>) -> Verdict {
    for round in 0..20 {
        let known = subject.head().await?;
        let mut waiting = pin!(subject.store.wait_beyond(known));
        if let Poll::Ready(answer) = poll_once(waiting.as_mut()) {
            let wanted = format!("who waits beyond position {known}, the head, to wait");
            return Err(subject.breach(wanted, format_args!("an answer {answer:?}")));
        }
        let answers = subject.take_over(&history(&round.to_string(), 0, 2)).await?;
        let told = subject.soon("who waits to be told of a copy", waiting).await?;
        let told = subject.read("`wait_beyond`", told)?;
        subject.require(
            told >= answers[0].last_position,
            format_args!("a head at or above {}", answers[0].last_position),
            told,
        )?;
    }
    Ok(())
}
