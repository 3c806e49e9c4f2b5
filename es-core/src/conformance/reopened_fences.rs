//! A fence in a store that is closed and opened again.

use std::sync::Arc;

use crate::conformance::failure::Verdict;
use crate::conformance::fixture::Reopen;
use crate::conformance::rule::Rule;
use crate::conformance::sample::note;
use crate::conformance::subject::{again, open};
use crate::store::{EventStore, FencedStore};

pub(super) async fn a_fence_holds_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: FencedStore>,
{
    let mut subject = open(&*fixture, rule).await;
    let stored = note("a");
    let first = subject.append(&stored).await?;
    let (fence, head) = subject.fence().await?;
    for _ in 0..2 {
        subject = again(&*fixture, subject).await;
        // Appends come first: nobody has asked for the fence yet.
        let new = note("a");
        subject.meets(&fence, &new, subject.store.append(&new).await)?;
        subject.under(2).repeat(&stored, &first).await?;
        subject.same("the fence", Some(&fence), subject.fenced().await?.as_ref())?;
        let again = subject.fence().await?;
        subject.under(4).same(
            "the answer to the same fence",
            (&fence, head),
            (&again.0, again.1),
        )?;
    }
    Ok(())
}

pub(super) async fn a_fence_that_was_lifted_does_not_come_back<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: FencedStore>,
{
    let mut subject = open(&*fixture, rule).await;
    subject.fence().await?;
    subject = again(&*fixture, subject).await;
    subject.lift().await?;
    subject = again(&*fixture, subject).await;
    subject.same("the fence", None, subject.fenced().await?)?;
    subject.append(&note("a")).await.map(drop)
}
