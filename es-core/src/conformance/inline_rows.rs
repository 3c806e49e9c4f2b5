//! Rows of a user's own are written in the step of an append, or not at all.

use std::sync::Arc;

use crate::conformance::failure::Verdict;
use crate::conformance::fixture::RowFixture;
use crate::conformance::inline_appends::wanted;
use crate::conformance::inline_probe::{Probe, mixed};
use crate::conformance::row_work::holds;
use crate::conformance::rule::Rule;
use crate::conformance::sample::commit;
use crate::conformance::subject::open;
use crate::store::{EventStore, InlineStore};
use crate::version::ExpectedVersion;

pub(super) async fn rows_are_written_in_the_step_of_an_append<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: RowFixture<Store: InlineStore>,
{
    let subject = open(&*fixture, rule).await;
    subject.append(&wanted(1)).await?;
    let probe = Probe::with_rows::<F>("suite-inline");
    subject.enlist(&probe, true).await?;
    for round in 1..6 {
        holds::<F>(&subject, 1, &(1..=round * 2).collect::<Vec<_>>()).await?;
        subject.append(&wanted(1)).await?;
    }
    subject.ran(&probe).await
}

pub(super) async fn a_refused_step_leaves_no_rows<F>(fixture: Arc<F>, rule: Rule) -> Verdict
where
    F: RowFixture<Store: InlineStore>,
{
    let subject = open(&*fixture, rule).await;
    let probe = Probe::with_rows::<F>("suite-inline");
    subject.enlist(&probe, true).await?;
    subject.append(&wanted(1)).await?;
    for round in 0..3 {
        let refused = commit(round, ExpectedVersion::Any, mixed());
        let answer = subject.store.append(&refused).await;
        subject.is_unwanted(&probe, &refused, answer)?;
        holds::<F>(&subject, 1, &[1, 2]).await?;
    }
    // The rows of one that comes later in the set are undone with those of one before it.
    let other = Probe::new("suite-inline-other");
    subject.enlist(&other, true).await?;
    subject.append(&wanted(1)).await?;
    holds::<F>(&subject, 1, &[1, 2, 3, 4]).await?;
    subject.ran(&probe).await?;
    subject.ran(&other).await
}
