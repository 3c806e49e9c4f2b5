//! A state store that is closed and opened again.

use std::sync::Arc;

use bytes::Bytes;

use crate::conformance::failure::Verdict;
use crate::conformance::fixture::Reopen;
use crate::conformance::records::key;
use crate::conformance::rule::Rule;
use crate::conformance::subject::{again, open};
use crate::store::{ExpectedRevision, StateKey, StateRecord, StateStore};

pub(super) async fn every_record_is_there_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: StateStore>,
{
    let subject = open(&*fixture, rule).await;
    let mut expected = Vec::new();
    for number in 10..40 {
        let (key, value) = (key(&number.to_string()), Bytes::from(vec![number; 100]));
        let revision = subject.put(&key, value.clone(), ExpectedRevision::Missing).await?;
        if number % 5 == 0 {
            subject.remove(&key, ExpectedRevision::Exact(revision)).await?;
        } else {
            expected.push((key, StateRecord { revision, value }));
        }
    }
    let subject = again(&*fixture, subject).await;
    subject.same("the list", &expected, &subject.list("checkpoint", 7).await?)?;
    for (key, record) in &expected {
        let found = subject.get(key).await?;
        subject.same(format_args!("`{key}`"), Some(record), found.as_ref())?;
    }
    let empty = subject.list("nobody", 3).await?;
    subject.same("the list of a space without records", 0, empty.len())
}

/// The greatest revision may be that of a record which is gone.
pub(super) async fn no_revision_comes_again_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: StateStore>,
{
    let mut subject = open(&*fixture, rule).await;
    let lease = StateKey::new("lease", "balances");
    let mut last = None;
    for round in 0..10 {
        let revision = subject.put(&lease, "held", ExpectedRevision::Any).await?;
        subject.require(
            last.is_none_or(|last| revision > last),
            format_args!("a revision above {last:?}, which the record had"),
            revision,
        )?;
        last = Some(revision);
        if round % 2 == 0 {
            subject.remove(&lease, ExpectedRevision::Exact(revision)).await?;
        }
        subject = again(&*fixture, subject).await;
    }
    Ok(())
}

pub(super) async fn the_expected_revision_is_checked_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: StateStore>,
{
    let subject = open(&*fixture, rule).await;
    let first = subject.put(&key("a"), "1", ExpectedRevision::Missing).await?;
    let second = subject.put(&key("a"), "2", ExpectedRevision::Exact(first)).await?;
    let subject = again(&*fixture, subject).await;
    let stale = ExpectedRevision::Exact(first);
    let answer = subject.store.put(&key("a"), Bytes::from("late"), stale).await;
    subject.is_refused(answer, &key("a"), stale, Some(second))?;
    subject.put(&key("a"), "3", ExpectedRevision::Exact(second)).await?;
    Ok(())
}
