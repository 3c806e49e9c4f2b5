//! Many at once, on threads of their own.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Barrier;

use crate::conformance::failure::Verdict;
use crate::conformance::sample::{commit, event, events, exact, note, stream, valid};
use crate::conformance::subject::{Subject, shown, together};
use crate::query::Query;
use crate::store::{AppendError, EventStore, QueryRange, StreamRange};
use crate::version::{ExpectedVersion, Position, Version};

const WRITERS: usize = 8;
const ROUNDS: u64 = 100;

pub(super) async fn of_many_with_one_expected_version_exactly_one_wins<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let barrier = Arc::new(Barrier::new(WRITERS));
    let writers = (0..WRITERS).map(|_| {
        let (subject, barrier) = (subject.clone(), Arc::clone(&barrier));
        async move {
            let mut won = Vec::new();
            let mut verdict = Ok(());
            for round in 0..ROUNDS {
                barrier.wait().await;
                let new = commit("contended", exact(round), events(1));
                match subject.store.append(&new).await {
                    Ok(appended) => won.push((round, appended.first_position)),
                    // Whoever comes late finds the next version, and no other.
                    refused => {
                        let actual = Version::new(round + 1);
                        let is = subject.is_conflict(
                            &new,
                            refused,
                            &stream("contended"),
                            exact(round),
                            actual,
                        );
                        verdict = verdict.and(is);
                    }
                }
                // All stay in step, also after a failure.
                barrier.wait().await;
            }
            verdict.map(|()| won)
        }
    });
    let won = together(writers).await?.concat();
    let mut by_round: BTreeMap<u64, Vec<Position>> = BTreeMap::new();
    for (round, position) in &won {
        by_round.entry(*round).or_default().push(*position);
    }
    for round in 0..ROUNDS {
        let winners = by_round.remove(&round).unwrap_or_default();
        subject.require(
            winners.len() == 1,
            format_args!("one of {WRITERS} writers that expect version {round} to win"),
            format_args!("{} won, at positions {winners:?}", winners.len()),
        )?;
    }
    subject.same("the number of events", ROUNDS as usize, subject.everything().await?.len())
}

pub(super) async fn writers_of_different_streams_never_conflict<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let writers = (0..WRITERS).map(|writer| {
        let subject = subject.clone();
        async move {
            for version in 0..ROUNDS / 2 {
                subject.append(&commit(writer, exact(version), events(1))).await?;
            }
            Ok(())
        }
    });
    together(writers).await?;
    for writer in 0..WRITERS {
        let count = subject.stream(&stream(writer)).await?.len() as u64;
        subject.same("the number of events of a stream", ROUNDS / 2, count)?;
    }
    Ok(())
}

pub(super) async fn who_expects_nothing_is_never_refused<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let writers = (0..WRITERS).map(|_| {
        let subject = subject.clone();
        async move {
            for _ in 0..ROUNDS / 2 {
                subject.append(&note("one")).await?;
            }
            Ok(())
        }
    });
    together(writers).await?;
    let versions: Vec<_> =
        subject.stream(&stream("one")).await?.iter().map(|event| event.version.get()).collect();
    let expected: Vec<_> = (1..=ROUNDS / 2 * WRITERS as u64).collect();
    subject.as_event_store(5).same("the versions of the stream", expected, versions)
}

pub(super) async fn one_commit_that_many_repeat_is_stored_once<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    for round in 0..30 {
        let new = commit(format!("a {round}"), ExpectedVersion::NoStream, events(2));
        let new =
            valid(new.and(stream(format!("b {round}")), ExpectedVersion::NoStream, events(1)));
        let new = Arc::new(new);
        let barrier = Arc::new(Barrier::new(WRITERS));
        let writers = (0..WRITERS).map(|_| {
            let (subject, barrier, new) = (subject.clone(), Arc::clone(&barrier), Arc::clone(&new));
            async move {
                barrier.wait().await;
                subject.accepted(&new, subject.store.append(&new).await)
            }
        });
        let answers = together(writers).await?;
        let first = answers.iter().filter(|answer| !answer.repeated).count();
        subject.same("the number of answers without `repeated`", 1, first)?;
        let places: HashSet<_> = answers
            .iter()
            .map(|answer| (answer.first_position, answer.last_position, answer.version))
            .collect();
        subject.require(
            places.len() == 1,
            "one place in all answers",
            format_args!("{places:?}"),
        )?;
    }
    subject.same("the number of events", 90, subject.everything().await?.len())
}

/// Two streams that commits name in both orders: nobody waits for ever, and nothing is torn.
pub(super) async fn commits_that_cross_are_stored_whole<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let writers = (0..4).map(|writer| {
        let subject = subject.clone();
        async move {
            let (left, right) = if writer % 2 == 0 { ("left", "right") } else { ("right", "left") };
            for _ in 0..ROUNDS / 2 {
                let both = commit(left, ExpectedVersion::Any, events(1));
                let both = valid(both.and(stream(right), ExpectedVersion::Any, events(1)));
                let append = subject.store.append(&both);
                let answer = subject.soon("an answer to a commit to two streams", append).await?;
                subject.accepted(&both, answer)?;
            }
            Ok(())
        }
    });
    together(writers).await?;
    for id in ["left", "right"] {
        let count = subject.stream(&stream(id)).await?.len() as u64;
        subject.same("the number of events of a stream", ROUNDS * 2, count)?;
    }
    Ok(())
}

/// Whoever reads while commits of three events to two streams are appended sees all of a commit or
/// nothing of it.
pub(super) async fn no_reader_sees_a_part_of_a_commit<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let ended = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|reader| {
            let (subject, ended) = (subject.clone(), Arc::clone(&ended));
            tokio::spawn(async move {
                let mut verdict = Ok(());
                while verdict.is_ok() && !ended.load(Ordering::SeqCst) {
                    verdict = is_whole(&subject, reader == 0).await;
                    tokio::task::yield_now().await;
                }
                verdict
            })
        })
        .collect();
    let writers = (0..4).map(|_| {
        let subject = subject.clone();
        async move {
            for _ in 0..ROUNDS / 2 {
                let three = commit("left", ExpectedVersion::Any, events(2));
                let three = valid(three.and(stream("right"), ExpectedVersion::Any, events(1)));
                subject.append(&three).await?;
            }
            Ok(())
        }
    });
    let written = together(writers).await;
    ended.store(true, Ordering::SeqCst);
    for reader in readers {
        crate::conformance::subject::joined(reader.await)?;
    }
    written?;
    is_whole(&subject, true).await?;
    subject.same("the number of events", ROUNDS as usize * 6, subject.everything().await?.len())
}

async fn is_whole<S: EventStore>(subject: &Subject<S>, all: bool) -> Verdict {
    if all {
        let range = QueryRange { limit: usize::MAX, ..QueryRange::all() };
        let page = subject.page(&Query::all(), range).await?;
        let last = page.events.last().map_or(Position::ZERO, |last| last.position);
        // The page may end before the range does; then it says nothing about commits.
        if page.more {
            return Ok(());
        }
        subject.as_event_store(8).same("the head that the page says", last, page.head)?;
        let count = page.events.len();
        let expected = "a multiple of three events: each commit has three";
        subject.require(count.is_multiple_of(3), expected, format_args!("{count}"))
    } else {
        let page = subject.stream_page(&stream("left"), StreamRange::all()).await?;
        let version = page.version.get();
        let expected = "an even version: each commit gives the stream two events";
        subject.require(version.is_multiple_of(2), expected, version)
    }
}

/// The law that most stores break: a position that was passed must not get an event later.
pub(super) async fn who_follows_the_store_sees_every_event_once_and_none_late<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    const COMMITS: usize = 200;
    let total = 4 * COMMITS + 4 * COMMITS / 2;
    let readers = [1, 7, usize::MAX].map(|limit| {
        let subject = subject.clone();
        tokio::spawn(async move { follow(&subject, limit, total).await })
    });
    let writers = (0..4).map(|writer| {
        let subject = subject.clone();
        async move {
            for number in 0..COMMITS {
                // Commits of one and of two events, so that they take unlike time; and refusals.
                let new = commit(writer, ExpectedVersion::Any, events(number % 2 + 1));
                subject.append(&new).await?;
                if number % 5 == 0 {
                    let stale = commit(writer, ExpectedVersion::NoStream, vec![event()]);
                    match subject.store.append(&stale).await {
                        Err(AppendError::Conflict(_)) => {}
                        Err(other) => {
                            return Err(subject.breach("a conflict", shown(&other)));
                        }
                        Ok(appended) => {
                            let found = format_args!("it is stored: {appended:?}").to_string();
                            return Err(subject.breach("a conflict", found));
                        }
                    }
                }
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    });
    together(writers).await?;
    let all: Vec<_> =
        subject.everything().await?.iter().map(|event| (event.position, event.event_id)).collect();
    subject.same("the number of events", total, all.len())?;
    for reader in readers {
        let wanted = "a reader who follows to see all events";
        let seen = crate::conformance::subject::joined(subject.soon(wanted, reader).await?)?;
        let missed = all.iter().find(|event| !seen.contains(event));
        subject.same("an event that a reader who followed has missed", None, missed)?;
        subject.same("what a reader saw who followed", &all, &seen)?;
    }
    Ok(())
}

async fn follow<S: EventStore>(
    subject: &Subject<S>,
    limit: usize,
    total: usize,
) -> Result<Vec<(Position, crate::EventId)>, crate::conformance::Breach> {
    let mut seen = Vec::new();
    let mut after = Position::ZERO;
    let mut idle = 0;
    while seen.len() < total {
        let range = QueryRange { limit, ..QueryRange::after(after) };
        let page = subject.page(&Query::all(), range).await?;
        for recorded in page.events.iter() {
            subject.require(
                recorded.position > after,
                format_args!("an event above position {after}, which was seen"),
                format_args!("one at position {}", recorded.position),
            )?;
            after = recorded.position;
            seen.push((after, recorded.event_id));
        }
        let token = page.token(&range);
        subject.require(
            token >= after,
            format_args!("a token at or above {after}, which was seen"),
            token,
        )?;
        after = token;
        if page.events.is_empty() {
            let waiting = subject.store.wait_beyond(after);
            match subject.soon("news", waiting).await {
                Ok(answer) => _ = subject.read("`wait_beyond`", answer)?,
                // Nothing came: what is missing was skipped, and the caller says which it is.
                Err(_) => return Ok(seen),
            }
            idle += 1;
            let wanted = "news to be of an event that can be read";
            subject.as_event_store(13).require(idle < 100_000, wanted, "none can be read")?;
        }
    }
    Ok(seen)
}
