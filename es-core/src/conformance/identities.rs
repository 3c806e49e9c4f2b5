//! What tells a history, and an opening of it, from every other.

use std::sync::Arc;

use crate::conformance::failure::Verdict;
use crate::conformance::fixture::Fixture;
use crate::conformance::records::key;
use crate::conformance::rule::Rule;
use crate::conformance::sample::note;
use crate::conformance::state_commits::puts;
use crate::conformance::subject::open;
use crate::store::{ExpectedRevision, ProjectionStore};

pub(super) async fn the_identity_stays_and_no_other_store_has_it<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Fixture<Store: ProjectionStore>,
{
    let one = open(&*fixture, rule).await;
    let identity = one.identity().await?;
    one.append(&note("a")).await?;
    one.commit(puts([(&key("a"), "1", ExpectedRevision::Missing)])).await?;
    one.same("the identity after events and records", identity, one.identity().await?)?;
    let other = open(&*fixture, rule).await;
    let others = other.identity().await?;
    one.require(others != identity, "an identity that no other store has", identity)
}

pub(super) async fn an_opening_stays_and_no_other_store_has_it<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Fixture<Store: ProjectionStore>,
{
    let one = open(&*fixture, rule).await;
    let Some(opening) = one.store.opening() else { return Ok(()) };
    one.append(&note("a")).await?;
    one.commit(puts([(&key("a"), "1", ExpectedRevision::Missing)])).await?;
    one.same("the opening later", Some(opening), one.store.opening())?;
    let other = open(&*fixture, rule).await;
    let differs = other.store.opening() != Some(opening);
    one.require(differs, "an opening that no other store has", opening)
}
