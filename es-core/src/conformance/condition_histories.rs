//! Random programs whose commits have conditions.

use std::sync::Arc;

use crate::conformance::failure::Verdict;
use crate::conformance::fixture::Fixture;
use crate::conformance::histories::check_guarded;
use crate::conformance::rule::Rule;
use crate::store::ConditionalAppend;

pub(super) async fn any_sequence_of_calls_is_answered_as_the_contract_says<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Fixture<Store: ConditionalAppend>,
{
    check_guarded(&*fixture, rule, 1, 40).await
}

pub(super) async fn calls_at_once_take_effect_one_after_another<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Fixture<Store: ConditionalAppend>,
{
    check_guarded(&*fixture, rule, 4, 7).await
}
