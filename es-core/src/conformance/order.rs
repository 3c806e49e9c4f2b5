//! The global order, the time in it, and that all ways of reading agree.

use crate::conformance::failure::Verdict;
use crate::conformance::sample::{commit, events, note, stream, valid};
use crate::conformance::subject::Subject;
use crate::query::Query;
use crate::store::EventStore;
use crate::version::{ExpectedVersion, Position};

pub(super) async fn the_global_order_is_the_order_of_the_commits<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let mut ids = Vec::new();
    for number in 0..30 {
        let commit = commit(number % 4, ExpectedVersion::Any, events(number % 3 + 1));
        let commit = valid(commit.and(stream("every"), ExpectedVersion::Any, events(1)));
        ids.extend(commit.streams().flat_map(|to| &to.events).map(|event| event.id));
        subject.append(&commit).await?;
    }
    let found: Vec<_> = subject.everything().await?.iter().map(|event| event.event_id).collect();
    subject.same("the order of all events", ids, found)
}

pub(super) async fn every_way_of_reading_gives_the_same_event<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    for number in 0..12 {
        let commit = commit(number % 3, ExpectedVersion::Any, events(2));
        subject.append(&commit).await?;
    }
    for event in subject.everything().await? {
        let found = subject.find(event.event_id).await?;
        subject.same("what `find` finds", Some(&event), found.as_ref())?;
        let of_stream = subject.stream(&event.stream).await?;
        let found = of_stream.iter().find(|other| other.event_id == event.event_id);
        subject.same("the event in its stream", Some(&event), found)?;
    }
    Ok(())
}

pub(super) async fn recorded_at_never_falls<S: EventStore>(subject: Subject<S>) -> Verdict {
    for number in 0..50 {
        subject.append(&commit(number % 3, ExpectedVersion::Any, events(2))).await?;
    }
    let all = subject.everything().await?;
    let times: Vec<_> = all.iter().map(|event| event.recorded_at).collect();
    let fall = times.windows(2).find(|pair| pair[0] > pair[1]);
    subject.same("a time that is earlier than that of the event before it", None, fall)?;
    // A page holds no finer time, whatever the store has.
    for event in all {
        let found = subject.find(event.event_id).await?.map(|found| found.recorded_at);
        subject.same("the time of what `find` finds", Some(event.recorded_at), found)?;
    }
    Ok(())
}

/// Whoever has seen a position finds only higher ones later, one event after another.
pub(super) async fn nothing_appears_at_or_below_a_position_that_was_seen<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let mut seen = Vec::new();
    let mut after = Position::ZERO;
    for number in 0..40 {
        let commit = commit(number % 5, ExpectedVersion::Any, events(number % 2 + 1));
        let appended = subject.append(&commit).await?;
        let new = subject.events_after(&Query::all(), after).await?;
        subject.same("the number of new events", commit.event_count(), new.len())?;
        seen.extend(new.into_iter().map(|event| (event.position, event.event_id)));
        after = appended.last_position;
        subject.same("the head", after, subject.head().await?)?;
        let all = subject.everything().await?;
        let all: Vec<_> = all.into_iter().map(|event| (event.position, event.event_id)).collect();
        subject.same("all events, against those that were seen one by one,", &seen, &all)?;
    }
    Ok(())
}

/// What was acknowledged is seen by the next call, whichever it is.
pub(super) async fn what_was_acknowledged_is_seen_at_once<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    for round in 0..50 {
        let commit = note(round % 4);
        let appended = subject.append(&commit).await?;
        let id = commit.first().events[0].id;
        match round % 4 {
            0 => subject.same("the head", appended.last_position, subject.head().await?)?,
            1 => {
                let found = subject.find(id).await?.map(|event| event.position);
                subject.same("what `find` finds", Some(appended.first_position), found)?;
            }
            2 => {
                let all = subject.events(&Query::all()).await?;
                subject.same("the last event", Some(id), all.last().map(|event| event.event_id))?;
            }
            _ => {
                let all = subject.stream(&commit.first().stream).await?;
                subject.same("the last event", Some(id), all.last().map(|event| event.event_id))?;
            }
        }
    }
    Ok(())
}
