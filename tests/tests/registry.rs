//! The registry: what a whole program can get wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use es_core::{Registry, RegistryProblem};
use es_tests::counter::{Counter, Sums};

mod billing {
    #![expect(unreachable_pub, reason = "as a module of a user has it")]

    use es_core::prelude::*;

    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "counter.raised")]
    pub struct Raised;

    #[derive(Aggregate, Default)]
    #[aggregate(name = "counter", id = u64, events(Raised), register = false)]
    pub struct Counter {}

    impl Apply<Raised> for Counter {
        fn apply(&mut self, _: &Raised) {}
    }

    #[derive(Projection, Default)]
    #[projection(name = "sums", events(Raised), register = false)]
    pub struct Sums {}

    impl Project<Raised> for Sums {
        fn project(&mut self, _: &Raised, _: &Recorded) -> Result<(), ProjectError> {
            Ok(())
        }
    }
}

#[test]
fn everything_that_a_derive_registered_in_a_linked_crate_is_found() {
    let registry = Registry::linked().build().unwrap();
    assert_eq!(registry.aggregates().collect::<Vec<_>>(), ["counter"]);
    assert_eq!(registry.projections().collect::<Vec<_>>(), ["sums"]);
}

#[test]
fn adding_something_twice_is_the_same_as_once() {
    let registry = Registry::linked().aggregate::<Counter>().projection::<Sums>().build().unwrap();
    assert_eq!(registry.aggregates().count() + registry.projections().count(), 2);
}

#[test]
fn names_that_are_used_twice_are_all_told_at_once_with_both_types_and_places() {
    let error = Registry::linked()
        .aggregate::<billing::Counter>()
        .projection::<billing::Sums>()
        .build()
        .unwrap_err();
    let text = error.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("aggregate name `counter` is used twice: by "), "{text}");
    assert!(lines[1].starts_with("projection name `sums` is used twice: by "), "{text}");
    for line in &lines[..2] {
        assert!(
            line.contains("es_tests::counter::") && line.contains("registry::billing::"),
            "{text}"
        );
        assert!(line.contains("counter.rs:") && line.contains("registry.rs:"), "{text}");
    }
    assert_eq!(
        lines[2],
        "event name `counter.raised` is used twice: by `es_tests::counter::Raised` and by \
         `registry::billing::Raised`; give one of them another `#[event(name = ...)]`"
    );
}

#[test]
fn a_package_that_registered_nothing_is_missed() {
    let error = Registry::linked().expect_package("es-shipping").build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "package `es-shipping` is expected but registered nothing (linked: es-tests); is it named \
         anywhere? write `use es_shipping as _;`"
    );
    assert!(matches!(error.problems(), [RegistryProblem::SilentPackage { .. }]));
    Registry::linked().expect_package("es-tests").build().unwrap();
}
