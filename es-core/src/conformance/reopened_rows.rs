//! Rows of a user's own in a store that is closed and opened again.

use std::sync::Arc;

use crate::conformance::failure::Verdict;
use crate::conformance::fixture::{Reopen, RowFixture};
use crate::conformance::row_work::{Step, holds, serves, work};
use crate::conformance::rule::Rule;
use crate::conformance::subject::{again, open};

pub(super) async fn rows_are_there_after_the_store_was_opened_again<F: RowFixture + Reopen>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict {
    let subject = open(&*fixture, rule).await;
    work::<F>(&subject, 1, &[Step::Create, Step::Insert(1), Step::Publish]).await?;
    work::<F>(&subject, 2, &[Step::Create, Step::Insert(2)]).await?;
    let subject = again(&*fixture, subject).await;
    serves(&*fixture, &subject, &[1]).await?;
    holds::<F>(&subject, 1, &[1]).await?;
    holds::<F>(&subject, 2, &[2]).await?;
    work::<F>(&subject, 2, &[Step::Insert(3), Step::Publish]).await?;
    let subject = again(&*fixture, subject).await;
    serves(&*fixture, &subject, &[2, 3]).await
}
