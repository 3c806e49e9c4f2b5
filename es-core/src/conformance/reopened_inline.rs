//! A store of inline projections that is closed and opened again.

use std::sync::Arc;

use crate::conformance::failure::Verdict;
use crate::conformance::fixture::Reopen;
use crate::conformance::inline_appends::wanted;
use crate::conformance::inline_probe::Probe;
use crate::conformance::rule::Rule;
use crate::conformance::subject::{again, open};
use crate::store::InlineStore;

pub(super) async fn what_was_changed_with_events_is_there_after_the_store_was_opened_again<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Reopen<Store: InlineStore>,
{
    let mut subject = open(&*fixture, rule).await;
    for space in ["suite-inline-1", "suite-inline-2", "suite-inline-3"] {
        let probe = Probe::new(space);
        subject.enlist(&probe, true).await?;
        for writer in 0..3 {
            subject.append(&wanted(writer)).await?;
        }
        subject.ran(&probe).await?;
        subject = again(&*fixture, subject).await;
        subject.has_the_records(&probe).await?;
    }
    Ok(())
}
