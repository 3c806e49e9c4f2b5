//! What inline projections change is there with the events, for everybody and at every moment.

use std::pin::pin;
use std::task::Poll;

use crate::conformance::failure::Verdict;
use crate::conformance::inline_appends::wanted;
use crate::conformance::subject::{Subject, joined, poll_once, together};
use crate::query::Query;
use crate::store::{InlineStore, QueryRange};

const WRITERS: u64 = 4;
const EACH: u64 = 30;

/// Whoever finds an event finds its record, and the other way round.
pub(super) async fn nobody_finds_events_without_their_records<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    let probe = subject.probed().await?;
    let writers = (0..WRITERS).map(|writer| {
        let subject = subject.clone();
        async move {
            for _ in 0..EACH {
                subject.append(&wanted(writer)).await?;
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    });
    let readers = (0..2).map(|_| {
        let (subject, probe) = (subject.clone(), probe.clone());
        async move {
            let mut after = crate::version::Position::ZERO;
            while after.get() < WRITERS * EACH * 2 {
                let page = subject.page(&Query::all(), QueryRange::after(after)).await?;
                let keys: Vec<_> =
                    page.events.iter().map(|event| probe.key(event.event_id)).collect();
                let records = subject.get_many(&keys).await?;
                for (event, record) in page.events.iter().zip(records) {
                    let what = format_args!("whether event {} has its record", event.position);
                    subject.same(what, true, record.is_some())?;
                    after = event.position;
                }
                let counted = subject.get(&probe.key("count")).await?;
                let head = subject.head().await?;
                let counted = counted
                    .and_then(|record| String::from_utf8_lossy(&record.value).parse::<u64>().ok());
                subject.require(
                    counted.unwrap_or(0) <= head.get(),
                    format_args!("at most as many events counted as there are, {head}"),
                    format_args!("{counted:?}"),
                )?;
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    });
    let read = tokio::spawn(together(readers.collect::<Vec<_>>()));
    let written = together(writers).await;
    written?;
    joined(read.await)?;
    subject.ran(&probe).await
}

pub(super) async fn an_append_that_is_dropped_leaves_both_or_neither<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    let probe = subject.probed().await?;
    for round in 0..30_u64 {
        let commit = wanted(round);
        {
            let mut appending = pin!(subject.store.append(&commit));
            for _ in 0..round % 4 {
                if let Poll::Ready(answer) = poll_once(appending.as_mut()) {
                    subject.accepted(&commit, answer)?;
                    break;
                }
            }
        }
        // This one comes after it, whether it was stored or not.
        subject.accepted(&commit, subject.store.append(&commit).await)?;
        subject.ran(&probe).await?;
    }
    Ok(())
}

pub(super) async fn a_step_is_known_to_be_stored_when_its_append_is_answered<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    let probe = subject.probed().await?;
    let writers = (0..WRITERS).map(|writer| {
        let (subject, probe) = (subject.clone(), probe.clone());
        async move {
            for _ in 0..EACH {
                let appended = subject.append(&wanted(writer)).await?;
                let told = probe.told_up_to();
                subject.require(
                    told >= appended.last_position,
                    format_args!(
                        "`InlineSet::committed` before the answer {}",
                        appended.last_position
                    ),
                    format_args!("it is called up to {told}"),
                )?;
            }
            Ok(())
        }
    });
    together(writers).await.map(drop)
}

pub(super) async fn a_step_is_known_to_be_stored_before_anybody_hears_of_its_events<
    S: InlineStore,
>(
    subject: Subject<S>,
) -> Verdict {
    let probe = subject.probed().await?;
    let listeners = (0..3).map(|_| {
        let (subject, probe) = (subject.clone(), probe.clone());
        async move {
            let mut known = crate::version::Position::ZERO;
            while known.get() < WRITERS * EACH * 2 {
                let news = subject.store.wait_beyond(known);
                let news = subject.soon("who waits to be told of an event", news).await?;
                known = subject.read("`wait_beyond`", news)?;
                let told = probe.told_up_to();
                subject.require(
                    told >= known,
                    format_args!("`InlineSet::committed` before the news of position {known}"),
                    format_args!("it is called up to {told}"),
                )?;
            }
            Ok(())
        }
    });
    let listening = tokio::spawn(together(listeners.collect::<Vec<_>>()));
    let writers = (0..WRITERS).map(|writer| {
        let subject = subject.clone();
        async move {
            for _ in 0..EACH {
                subject.append(&wanted(writer)).await?;
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    });
    together(writers).await?;
    joined(listening.await).map(drop)
}
