//! The conformance suite is itself proven: of stores that break one rule each, it must reject every
//! one, by the check that is meant to.

#![expect(clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeSet;

use es_core::conformance::{Check, Contract, Failure, Rule};
use es_core::conformance::{
    conditional_append, durable_event_store, durable_fenced_store, durable_inline_store,
    durable_projection_rows, durable_projection_store, durable_recorded_append,
    durable_state_store, event_store, fenced_conditional_append, fenced_recorded_append,
    fenced_store, inline_conditional_append, inline_recorded_append, inline_rows, inline_store,
    projection_rows, projection_store, recorded_append, state_store, stream_removal,
};
use es_tests::broken::{Broken, Bug};
use es_tests::broken_removal::{BrokenRemoval, RemovalBug};

fn checks() -> Vec<Check<Broken>> {
    let mut checks = event_store();
    checks.extend(conditional_append());
    checks.extend(state_store());
    checks.extend(recorded_append());
    checks.extend(projection_store());
    checks.extend(projection_rows());
    checks.extend(inline_store());
    checks.extend(inline_conditional_append());
    checks.extend(inline_recorded_append());
    checks.extend(inline_rows());
    checks.extend(fenced_store());
    checks.extend(fenced_conditional_append());
    checks.extend(fenced_recorded_append());
    checks.extend(durable_event_store());
    checks.extend(durable_state_store());
    checks.extend(durable_recorded_append());
    checks.extend(durable_projection_store());
    checks.extend(durable_projection_rows());
    checks.extend(durable_inline_store());
    checks.extend(durable_fenced_store());
    checks
}

/// Runs a check for each of some stores, all at once, since some of them have to be waited for.
async fn verdicts(
    checks: impl IntoIterator<Item = (Option<Bug>, Check<Broken>)>,
) -> Vec<(Option<Bug>, Result<(), Failure>)> {
    let running: Vec<_> = checks
        .into_iter()
        .map(|(bug, check)| (bug, tokio::spawn(async move { check.run(Broken(bug)).await })))
        .collect();
    let mut verdicts = Vec::new();
    for (bug, running) in running {
        match running.await {
            Ok(verdict) => verdicts.push((bug, verdict)),
            Err(error) => panic!("a check of {bug:?} panicked: {error}"),
        }
    }
    verdicts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_without_a_bug_passes_every_check() {
    let failed: Vec<_> = verdicts(checks().into_iter().map(|check| (None, check)))
        .await
        .into_iter()
        .filter_map(|(_, verdict)| Some(verdict.err()?.to_string()))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_bug_is_caught_by_the_check_that_is_meant_to() {
    let meant = Bug::ALL.iter().map(|bug| (*bug, bug.caught_by()));
    let catching = meant.chain(Bug::FURTHER.iter().copied()).map(|(bug, name)| {
        match checks().into_iter().find(|check| check.name() == name) {
            Some(check) => (Some(bug), check),
            None => panic!("`{bug:?}` is to be caught by `{name}`, which is no check"),
        }
    });
    let catching: Vec<_> = catching.collect();
    let names: Vec<_> = catching.iter().map(|(_, check)| check.name()).collect();
    let mut passed = Vec::new();
    for ((bug, verdict), name) in verdicts(catching).await.into_iter().zip(names) {
        match verdict {
            Err(failure) => assert_eq!(failure.check, name),
            Ok(()) => passed.push((bug, name)),
        }
    }
    assert!(passed.is_empty(), "not caught by the check that is meant to: {passed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_bug_of_removing_is_caught_by_the_check_that_is_meant_to() {
    for check in stream_removal::<BrokenRemoval>() {
        if let Err(failure) = check.run(BrokenRemoval(None)).await {
            panic!("{failure}");
        }
    }
    let mut passed = Vec::new();
    for bug in RemovalBug::ALL {
        let mut checks = stream_removal::<BrokenRemoval>().into_iter();
        let Some(check) = checks.find(|check| check.name() == bug.caught_by()) else {
            panic!("`{bug:?}` is to be caught by `{}`, which is no check", bug.caught_by());
        };
        if check.run(BrokenRemoval(Some(*bug))).await.is_ok() {
            passed.push(bug);
        }
    }
    assert!(passed.is_empty(), "not caught by the check that is meant to: {passed:?}");
}

#[test]
fn every_rule_has_a_check_and_every_check_a_rule() {
    let mut checked: BTreeSet<_> = checks().iter().map(Check::rule).collect();
    checked.extend(stream_removal::<BrokenRemoval>().iter().map(Check::rule));
    let rules: BTreeSet<_> = Contract::ALL.iter().flat_map(|contract| contract.rules()).collect();
    let unchecked: Vec<_> = rules.difference(&checked).map(Rule::to_string).collect();
    assert!(unchecked.is_empty(), "no check holds a store to\n{}", unchecked.join("\n"));
    let unknown: Vec<_> = checked.difference(&rules).collect();
    assert!(unknown.is_empty(), "no such rule: {unknown:?}");
}

/// A check that no bug is caught by may be one that can not fail: whoever adds a check adds a bug.
#[test]
fn every_check_is_named_by_a_bug() {
    let further = Bug::FURTHER.iter().map(|(_, name)| *name);
    let naming: BTreeSet<_> = Bug::ALL.iter().map(|bug| bug.caught_by()).chain(further).collect();
    let checks = checks();
    let names = checks.iter().map(Check::name);
    let unproven: Vec<_> = names.filter(|name| !naming.contains(name)).collect();
    assert!(unproven.is_empty(), "no bug is caught by {unproven:?}");
    let naming: BTreeSet<_> = RemovalBug::ALL.iter().map(|bug| bug.caught_by()).collect();
    let checks = stream_removal::<BrokenRemoval>();
    let unproven: Vec<_> =
        checks.iter().map(Check::name).filter(|it| !naming.contains(it)).collect();
    assert!(unproven.is_empty(), "no bug is caught by {unproven:?}");
}

/// Names are what a test run shows and what tables refer to.
#[test]
fn no_two_checks_have_one_name() {
    let mut names = BTreeSet::new();
    for check in checks() {
        assert!(names.insert(check.name()), "two checks are called `{}`", check.name());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_history_that_no_order_explains_is_printed_small() {
    let name = Bug::StaleHead;
    let check = event_store::<Broken>().into_iter().find(|check| {
        check.name() == "event_store::histories::calls_at_once_take_effect_one_after_another"
    });
    let Some(check) = check else { panic!("the check is gone") };
    let Err(failure) = check.run(Broken(Some(name))).await else {
        panic!("a stale head is not noticed");
    };
    let found = failure.breach.found;
    let calls = found.lines().filter(|line| line.starts_with("  #")).count();
    // One append, and a look at the head that does not know of it; sometimes a little more.
    assert!((2..=6).contains(&calls), "{found}");
    assert!(found.contains(": head -> "), "{found}");
}
