//! Waiting for news.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::task::JoinHandle;

use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::sample::{commit, events, exact, note, stream};
use crate::conformance::subject::{Subject, joined, poll_once, together};
use crate::query::Query;
use crate::store::{EventStore, QueryRange, ReadError};
use crate::version::{ExpectedVersion, Position, Version};

type Waiting = JoinHandle<Result<Position, ReadError>>;

fn wait<S: EventStore>(subject: &Subject<S>, position: Position) -> Waiting {
    let store = Arc::clone(&subject.store);
    tokio::spawn(async move { store.wait_beyond(position).await })
}

/// What a waiter was told, which must be above what it knew and not above the head.
async fn news<S: EventStore>(
    subject: &Subject<S>,
    known: Position,
    waiting: Waiting,
) -> Result<Position, Breach> {
    let wanted = format!("who waits beyond position {known} to be told of an event after it");
    let answer = joined(subject.soon(&wanted, waiting).await?);
    let answer = subject.read("`wait_beyond`", answer)?;
    let head = subject.head().await?;
    subject.require(
        answer > known && answer <= head,
        format_args!("a head above {known} and at most {head}"),
        answer,
    )?;
    Ok(answer)
}

pub(super) async fn news_that_is_there_is_told_at_once<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let head = subject.append(&commit("a", ExpectedVersion::Any, events(5))).await?.last_position;
    for known in (0..head.get()).map(Position::new) {
        let told = news(&subject, known, wait(&subject, known)).await?;
        subject.same("the head that is told", head, told)?;
    }
    Ok(())
}

pub(super) async fn whoever_waits_is_told_of_the_next_event<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let mut known = Position::ZERO;
    for round in 0..20 {
        let waiting = wait(&subject, known);
        // Sometimes it waits already, sometimes it does not yet.
        for _ in 0..round % 4 {
            tokio::task::yield_now().await;
        }
        let appended = subject.append(&note(round % 3)).await?;
        let told = news(&subject, known, waiting).await?;
        subject.same("the head that is told", appended.last_position, told)?;
        known = told;
    }
    Ok(())
}

pub(super) async fn everybody_who_waits_is_told<S: EventStore>(subject: Subject<S>) -> Verdict {
    let known = subject.append(&note("a")).await?.last_position;
    let waiting: Vec<_> = (0..50).map(|_| wait(&subject, known)).collect();
    tokio::task::yield_now().await;
    subject.append(&note("b")).await?;
    for waiting in waiting {
        news(&subject, known, waiting).await?;
    }
    Ok(())
}

pub(super) async fn nobody_is_told_before_there_is_an_event_after_the_position<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let head = subject.append(&note("a")).await?.last_position;
    let far = head.plus(1000);
    {
        let mut waiting = pin!(subject.store.wait_beyond(far));
        for _ in 0..10 {
            if let Poll::Ready(answer) = poll_once(waiting.as_mut()) {
                return Err(subject.breach(
                    format_args!("no answer: the head is {head}, and {far} is waited for"),
                    format_args!("{answer:?}"),
                ));
            }
            // Neither a refusal nor an event below is news.
            let stale = commit("a", exact(99), events(1));
            let actual = Version::new(subject.stream(&stream("a")).await?.len() as u64);
            subject.conflicts(&stale, &stream("a"), exact(99), actual).await?;
            subject.append(&note("a")).await?;
        }
    }
    // Who stopped waiting there has lost nothing.
    let appended = subject.append(&note("a")).await?;
    let told = news(&subject, head, wait(&subject, head)).await?;
    subject.same("the head that is told", appended.last_position, told)
}

pub(super) async fn waiting_that_was_dropped_loses_nothing<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let mut known = Position::ZERO;
    for round in 0..20 {
        let dropped = wait(&subject, known);
        let waiting = wait(&subject, known);
        for _ in 0..round % 3 {
            tokio::task::yield_now().await;
        }
        dropped.abort();
        let appended = subject.append(&note("a")).await?;
        // Whoever waits beside it is told all the same, and so is who begins later.
        news(&subject, known, waiting).await?;
        known = news(&subject, known, wait(&subject, known)).await?;
        subject.same("the head that is told", appended.last_position, known)?;
    }
    Ok(())
}

pub(super) async fn chains_are_news_too<S: EventStore>(subject: Subject<S>) -> Verdict {
    let waiting = wait(&subject, Position::ZERO);
    tokio::task::yield_now().await;
    let commits = [note("a"), note("b")];
    for (commit, answer) in commits.iter().zip(subject.store.append_chain(&commits).await) {
        subject.accepted(commit, answer)?;
    }
    news(&subject, Position::ZERO, waiting).await?;
    Ok(())
}

/// A writer and a reader who wait for each other's events: no wake-up may be lost between a look
/// and the wait that follows it.
pub(super) async fn two_who_answer_each_other_never_wait_for_ever<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    const ROUNDS: u64 = 200;
    let players = (0..2).map(|player| {
        let subject = subject.clone();
        async move {
            let (mut seen, mut events) = (Position::ZERO, 0);
            while events < ROUNDS {
                if events % 2 == player {
                    subject.append(&note("game")).await?;
                }
                let waiting = subject.store.wait_beyond(seen);
                let wanted = format!("event {} of {ROUNDS} to be told", events + 1);
                let answer = subject.soon(wanted, waiting).await?;
                subject.read("`wait_beyond`", answer)?;
                let page = subject.page(&Query::all(), QueryRange::after(seen)).await?;
                subject.require(
                    !page.events.is_empty(),
                    format_args!("an event after position {seen}, of which there is news"),
                    "none",
                )?;
                for recorded in page.events.iter() {
                    seen = recorded.position;
                    events += 1;
                }
            }
            Ok(())
        }
    });
    together(players).await?;
    Ok(())
}
