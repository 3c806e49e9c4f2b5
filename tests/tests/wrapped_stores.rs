//! A right store behind a layer that breaks one law is rejected, by the check that is meant to; behind
//! one that does nothing it passes.

#![expect(clippy::panic, reason = "a test fails by a panic")]

use es_core::conformance::{Check, conditional_append, event_store, state_store};
use es_tests::wrapped::{
    AfterOffByOne, BurntPosition, ConditionThenAppend, ConditionWithoutTags, DuplicateOnRetry,
    LatePosition, Layer, LeaseWithoutFencing, LostRace, Nothing, SilentTruncation, StaleHead,
    TagPrefix, TornBatch, Wrapping,
};

fn checks<L: Layer>() -> Vec<Check<Wrapping<L>>> {
    let mut checks = event_store();
    checks.extend(conditional_append());
    checks.extend(state_store());
    checks
}

/// What each check says of the store behind a layer, all run at once.
async fn failures<L: Layer>(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let running: Vec<_> = checks::<L>()
        .into_iter()
        .filter(|check| wanted(check.name()))
        .map(|check| tokio::spawn(async move { check.run(Wrapping::default()).await }))
        .collect();
    let mut failures = Vec::new();
    for running in running {
        match running.await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => failures.push(failure.check.to_owned()),
            Err(error) => panic!("a check panicked: {error}"),
        }
    }
    failures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_behind_a_layer_that_does_nothing_passes_every_check() {
    assert_eq!(failures::<Nothing>(|_| true).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_layer_that_breaks_a_law_is_caught_by_the_check_that_is_meant_to() {
    let mut passed = Vec::new();
    macro_rules! caught {
        ($layer:ident, $check:literal) => {
            let known = checks::<$layer>().iter().any(|check| check.name() == $check);
            assert!(known, "`{}` is no check", $check);
            if failures::<$layer>(|name| name == $check).await != [$check] {
                passed.push(stringify!($layer));
            }
        };
    }
    es_tests::for_each_layer!(caught);
    assert!(passed.is_empty(), "not caught by the check that is meant to: {passed:?}");
}
