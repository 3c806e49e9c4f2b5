//! An event store that is closed and opened again.

use std::sync::Arc;

use crate::commit::Commit;
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::fixture::Reopen;
use crate::conformance::queries::a_little_of_everything;
use crate::conformance::rule::Rule;
use crate::conformance::sample::{commit, events, exact, note, stream, valid};
use crate::conformance::subject::{Subject, again, open};
use crate::query::{Query, QueryItem};
use crate::store::EventStore;
use crate::version::{ExpectedVersion, Position, Version};

pub(super) async fn everything_is_there_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: EventStore>,
{
    let subject = open(&*fixture, rule).await;
    a_little_of_everything(&subject).await?;
    let (all, head) = (subject.everything().await?, subject.head().await?);
    let subject = again(&*fixture, subject).await;
    subject.same("all events", &all, &subject.everything().await?)?;
    subject.same("the head", head, subject.head().await?)?;
    for event in &all {
        let found = subject.find(event.event_id).await?;
        subject.same("what `find` finds", Some(event), found.as_ref())?;
    }
    for event in &all {
        let stored = subject.stream(&event.stream).await?;
        let expected: Vec<_> = all.iter().filter(|other| other.stream == event.stream).collect();
        subject.same("the events of a stream", expected, stored.iter().collect())?;
    }
    let query = Query::from(QueryItem::named(["course"]).and_tagged(["user:1"]));
    let expected: Vec<_> =
        all.iter().filter(|event| query.matches_recorded(&event.as_recorded())).collect();
    let found = subject.events(&query).await?;
    subject.same("the events of a query", expected, found.iter().collect())
}

pub(super) async fn an_empty_store_can_be_opened_again<F>(fixture: Arc<F>, rule: Rule) -> Verdict
where
    F: Reopen<Store: EventStore>,
{
    let subject = again(&*fixture, open(&*fixture, rule).await).await;
    subject.same("the head", Position::ZERO, subject.head().await?)?;
    subject.append(&note("a")).await?;
    subject.same("the number of events", 1, subject.everything().await?.len())
}

pub(super) async fn versions_positions_and_times_go_on<F>(fixture: Arc<F>, rule: Rule) -> Verdict
where
    F: Reopen<Store: EventStore>,
{
    let mut subject = open(&*fixture, rule).await;
    for round in 0..10 {
        let head = subject.head().await?;
        let (wrong, actual) = (exact(round * 2 + 1), Version::new(round * 2));
        let stale = commit("a", wrong, events(1));
        subject.as_event_store(2).conflicts(&stale, &stream("a"), wrong, actual).await?;
        let appended = subject.append(&commit("a", exact(round * 2), events(2))).await?;
        subject.require(
            appended.first_position > head,
            format_args!("a position above {head}"),
            appended.first_position,
        )?;
        subject = again(&*fixture, subject).await;
        subject.same("the head", appended.last_position, subject.head().await?)?;
    }
    let times: Vec<_> = subject.everything().await?.iter().map(|event| event.recorded_at).collect();
    subject.as_event_store(9).require(
        times.is_sorted(),
        "times that do not fall",
        format_args!("{times:?}"),
    )
}

pub(super) async fn a_commit_is_repeated_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: EventStore>,
{
    let subject = open(&*fixture, rule).await;
    subject.append(&note("a")).await?;
    let first: Commit = commit("a", exact(1), events(2));
    let first = valid(first.and(stream("b"), ExpectedVersion::NoStream, events(1)));
    let appended = subject.append(&first).await?;
    subject.append(&note("b")).await?;
    let subject = again(&*fixture, subject).await;
    subject.repeat(&first, &appended).await?;
    let mut changed = first.first().events.clone();
    changed[1].name = "other".into();
    let changed = commit("a", ExpectedVersion::Any, changed);
    let place = [(changed.first().events[1].id, appended.first_position.next())];
    let answer = subject.store.append(&changed).await;
    subject.is_reuse(&changed, answer, &place).await?;
    subject.same("the number of events", 5, subject.everything().await?.len())
}

pub(super) async fn old_news_is_answered_and_new_news_is_waited_for<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: EventStore>,
{
    let subject = open(&*fixture, rule).await;
    let first = subject.append(&note("a")).await?.last_position;
    let subject = again(&*fixture, subject).await;
    let old = subject.store.wait_beyond(Position::ZERO);
    let old = subject.soon("what is there to be answered", old).await?;
    subject.same("the head", first, subject.read("`wait_beyond`", old)?)?;
    wait_and_append(&subject, first).await
}

async fn wait_and_append<S: EventStore>(
    subject: &Subject<S>,
    head: Position,
) -> Result<(), Breach> {
    let waiting = {
        let store = Arc::clone(&subject.store);
        tokio::spawn(async move { store.wait_beyond(head).await })
    };
    let appended = subject.append(&note("a")).await?;
    let answer = subject.soon("the news to be answered", waiting).await?;
    let answer = subject.read("`wait_beyond`", crate::conformance::subject::joined(answer))?;
    subject.same("the head", appended.last_position, answer)
}
