//! A store that took over events, and is closed and opened again.

use std::sync::Arc;

use jiff::Timestamp;

use crate::commit::Appended;
use crate::conformance::copies::{history, recorded, time};
use crate::conformance::failure::Verdict;
use crate::conformance::fixture::Reopen;
use crate::conformance::rule::Rule;
use crate::conformance::sample::{note, valid};
use crate::conformance::subject::{again, open};
use crate::store::RecordedAppend;

pub(super) async fn recorded_times_are_there_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: RecordedAppend>,
{
    let subject = open(&*fixture, rule).await;
    subject.take_over(&history("a", 0, 20)).await?;
    let before = subject.everything().await?;
    let subject = again(&*fixture, subject).await;
    let expected: Vec<_> = (0..20).map(time).collect();
    let after = subject.everything().await?;
    let times = after.iter().map(|event| event.recorded_at).collect();
    subject.same("the times of the events", expected, times)?;
    subject.same("the events", before, after)
}

pub(super) async fn times_do_not_fall_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: RecordedAppend>,
{
    let subject = open(&*fixture, rule).await;
    let future = valid(Timestamp::from_second(Timestamp::now().as_second() + 1_000_000));
    subject.take_over(&[recorded(note("a"), future)]).await?;
    let subject = again(&*fixture, subject).await;
    subject.append(&note("a")).await?;
    let subject = again(&*fixture, subject).await;
    subject.take_over(&[recorded(note("a"), time(0))]).await?;
    let times: Vec<_> = subject.everything().await?.iter().map(|event| event.recorded_at).collect();
    subject.same("the times of the events", vec![future; 3], times)
}

pub(super) async fn a_copy_goes_on_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: RecordedAppend>,
{
    let subject = open(&*fixture, rule).await;
    let commits = history("a", 0, 9);
    let first = subject.take_over(&commits[..5]).await?;
    let subject = again(&*fixture, subject).await;
    let second = subject.take_over(&commits).await?;
    let expected: Vec<_> =
        first.iter().map(|appended| Appended { repeated: true, ..appended.clone() }).collect();
    subject.same("the answers to what was stored", &expected[..], &second[..5])?;
    subject.same("the number of events", 9, subject.everything().await?.len())
}
