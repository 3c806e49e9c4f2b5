//! A home of projections that is closed and opened again.

use std::sync::Arc;

use crate::conformance::failure::Verdict;
use crate::conformance::fixture::Reopen;
use crate::conformance::records::key;
use crate::conformance::rule::Rule;
use crate::conformance::sample::note;
use crate::conformance::state_commits::puts;
use crate::conformance::subject::{again, open};
use crate::store::{ExpectedRevision, ProjectionStore, StateCommit};

pub(super) async fn commits_are_there_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: ProjectionStore>,
{
    let mut subject = open(&*fixture, rule).await;
    let names: Vec<_> = (0..20).map(|number| key(&number.to_string())).collect();
    for round in 0..5 {
        let mut commit = StateCommit::default();
        for (index, name) in names.iter().enumerate() {
            if index % 5 == round {
                commit.remove(name.clone(), ExpectedRevision::Any);
            } else {
                commit.put(name.clone(), format!("{round} {index}"), ExpectedRevision::Any);
            }
        }
        subject.commit(commit).await?;
        let before = (subject.get_many(&names).await?, subject.list("checkpoint", 7).await?);
        subject = again(&*fixture, subject).await;
        let after = (subject.get_many(&names).await?, subject.list("checkpoint", 7).await?);
        subject.same("all records", &before, &after)?;
    }
    Ok(())
}

/// The greatest revision may be that of a commit of which no record is left.
pub(super) async fn no_revision_of_a_commit_comes_again_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: ProjectionStore>,
{
    let mut subject = open(&*fixture, rule).await;
    let mut last = None;
    for _ in 0..6 {
        let both = puts([
            (&key("a"), "held", ExpectedRevision::Any),
            (&key("b"), "held", ExpectedRevision::Any),
        ]);
        let revision = subject.commit(both).await?;
        subject.require(
            last.is_none_or(|last| revision > last),
            format_args!("a revision above {last:?}, which the records had"),
            revision,
        )?;
        let mut gone = StateCommit::default();
        gone.remove(key("a"), ExpectedRevision::Exact(revision));
        gone.remove(key("b"), ExpectedRevision::Exact(revision));
        last = Some(subject.commit(gone).await?.max(revision));
        subject = again(&*fixture, subject).await;
    }
    Ok(())
}

pub(super) async fn the_identity_is_the_same_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: ProjectionStore>,
{
    let mut subject = open(&*fixture, rule).await;
    let identity = subject.identity().await?;
    for _ in 0..3 {
        subject.append(&note("a")).await?;
        subject = again(&*fixture, subject).await;
        subject.same("the identity", identity, subject.identity().await?)?;
    }
    Ok(())
}

pub(super) async fn every_opening_is_another_one<F>(fixture: Arc<F>, rule: Rule) -> Verdict
where
    F: Reopen<Store: ProjectionStore>,
{
    let mut subject = open(&*fixture, rule).await;
    let mut openings = Vec::new();
    for _ in 0..3 {
        let Some(opening) = subject.store.opening() else { return Ok(()) };
        let new = !openings.contains(&opening);
        subject.require(new, "an opening that never was before", opening)?;
        openings.push(opening);
        subject = again(&*fixture, subject).await;
    }
    Ok(())
}
