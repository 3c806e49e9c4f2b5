//! What [`store_tests!`](crate::conformance::store_tests) expands to.

use std::any::TypeId;
use std::marker::PhantomData;
use std::time::Duration;

use crate::conformance::check::Check;
use crate::conformance::fixture::{Fixture, Reopen};
use crate::store::{
    ConditionalAppend, EventStore, FencedStore, InlineRows, InlineStore, NoRows, ProjectionStore,
    RecordedAppend, StateStore, StreamRemoval,
};

/// How long one check may take. Most take a moment; some append thousands of commits.
const LONGEST: Duration = Duration::from_secs(300);

/// Writes a test for every check of the capabilities that a store has.
///
/// Before the arrow stands a [`Fixture`], which is made anew for every test; behind it what the store
/// can do: see [capabilities](crate::conformance#capabilities).
///
/// ```
/// # use es_memory_store::MemoryStore;
/// es_core::conformance::store_tests!(
///     || async { MemoryStore::new() } =>
///     EventStore, ConditionalAppend, StateStore, RecordedAppend, ProjectionStore
/// );
/// # fn main() {}
/// ```
///
/// The tests stand in modules `event_store`, `conditional_append` and so on; put the call into a module
/// of its own when one crate has several stores.
#[macro_export]
macro_rules! store_tests {
    ($fixture:expr => $($capability:ident),+ $(,)?) => {
        $( $crate::__tests_of!($capability, $fixture); )+

        #[test]
        fn every_capability_is_declared() {
            #[allow(unused_imports)]
            use $crate::conformance::{
                NotConditional, NotEventStore, NotFenced, NotFencedConditional, NotFencedRecorded,
                NotInline, NotInlineConditional, NotInlineRecorded, NotInlineRows,
                NotProjectionStore, NotRecorded, NotRemovable, NotReopen, NotStateStore,
            };

            let of = $crate::conformance::Capabilities::of(&$fixture);
            let found = [
                (of.is_event_store(), "EventStore"),
                (of.is_conditional(), "ConditionalAppend"),
                (of.is_state_store(), "StateStore"),
                (of.is_removable(), "StreamRemoval"),
                (of.is_recorded(), "RecordedAppend"),
                (of.is_projection_store(), "ProjectionStore"),
                (of.has_rows(), "ProjectionRows"),
                (of.is_inline(), "InlineStore"),
                (of.is_inline_conditional(), "InlineConditionalAppend"),
                (of.is_inline_recorded(), "InlineRecordedAppend"),
                (of.has_inline_rows(), "InlineRows"),
                (of.is_fenced(), "FencedStore"),
                (of.is_fenced_conditional(), "FencedConditionalAppend"),
                (of.is_fenced_recorded(), "FencedRecordedAppend"),
                (of.is_event_store() && of.is_durable(), "DurableEventStore"),
                (of.is_state_store() && of.is_durable(), "DurableStateStore"),
                (of.is_recorded() && of.is_durable(), "DurableRecordedAppend"),
                (of.is_projection_store() && of.is_durable(), "DurableProjectionStore"),
                (of.has_rows() && of.is_durable(), "DurableProjectionRows"),
                (of.is_inline() && of.is_durable(), "DurableInlineStore"),
                (of.is_fenced() && of.is_durable(), "DurableFencedStore"),
            ];
            $crate::conformance::Capabilities::declared(&found, &[$(stringify!($capability)),+]);
        }
    };
    ($($other:tt)*) => {
        ::core::compile_error! {
            "the suite needs a fixture and what its store can do\nhelp: write `store_tests!(|| async { MyStore::new() } => EventStore, StateStore);`"
        }
    };
}

/// The tests of one capability. The fixture is written once in each, so that a store which lacks the
/// capability gives one error.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests_of {
    (EventStore, $fixture:expr) => {
        $crate::__tests_of! { @ event_store $fixture => __event_store_checks }
    };
    (ConditionalAppend, $fixture:expr) => {
        $crate::__tests_of! { @ conditional_append $fixture => __conditional_append_checks }
    };
    (StreamRemoval, $fixture:expr) => {
        mod stream_removal {
            #[allow(unused_imports)]
            use super::*;

            fn check(name: &str) {
                $crate::conformance::test($crate::conformance::stream_removal(), name, $fixture);
            }

            $crate::__stream_removal_checks! { $crate::__name_tests! stream_removal }
        }
    };
    (StateStore, $fixture:expr) => {
        $crate::__tests_of! { @ state_store $fixture => __state_store_checks }
    };
    (RecordedAppend, $fixture:expr) => {
        $crate::__tests_of! { @ recorded_append $fixture => __recorded_append_checks }
    };
    (ProjectionStore, $fixture:expr) => {
        $crate::__tests_of! { @ projection_store $fixture => __projection_store_checks }
    };
    (ProjectionRows, $fixture:expr) => {
        $crate::__tests_of! {
            @ projection_rows $fixture => __row_commit_checks, __row_family_checks
        }
    };
    (DurableEventStore, $fixture:expr) => {
        $crate::__tests_of! { @ durable_event_store $fixture => __durable_event_store_checks }
    };
    (DurableStateStore, $fixture:expr) => {
        $crate::__tests_of! { @ durable_state_store $fixture => __durable_state_store_checks }
    };
    (DurableRecordedAppend, $fixture:expr) => {
        $crate::__tests_of! {
            @ durable_recorded_append $fixture => __durable_recorded_append_checks
        }
    };
    (DurableProjectionStore, $fixture:expr) => {
        $crate::__tests_of! {
            @ durable_projection_store $fixture => __durable_projection_store_checks
        }
    };
    (DurableProjectionRows, $fixture:expr) => {
        $crate::__tests_of! {
            @ durable_projection_rows $fixture => __durable_projection_rows_checks
        }
    };
    (InlineStore, $fixture:expr) => {
        $crate::__tests_of! { @ inline_store $fixture => __inline_store_checks }
    };
    (InlineConditionalAppend, $fixture:expr) => {
        $crate::__tests_of! {
            @ inline_conditional_append $fixture => __inline_conditional_append_checks
        }
    };
    (InlineRecordedAppend, $fixture:expr) => {
        $crate::__tests_of! { @ inline_recorded_append $fixture => __inline_recorded_append_checks }
    };
    (InlineRows, $fixture:expr) => {
        $crate::__tests_of! { @ inline_rows $fixture => __inline_rows_checks }
    };
    (DurableInlineStore, $fixture:expr) => {
        $crate::__tests_of! { @ durable_inline_store $fixture => __durable_inline_store_checks }
    };
    (FencedStore, $fixture:expr) => {
        $crate::__tests_of! { @ fenced_store $fixture => __fenced_store_checks }
    };
    (FencedConditionalAppend, $fixture:expr) => {
        $crate::__tests_of! {
            @ fenced_conditional_append $fixture => __fenced_conditional_append_checks
        }
    };
    (FencedRecordedAppend, $fixture:expr) => {
        $crate::__tests_of! { @ fenced_recorded_append $fixture => __fenced_recorded_append_checks }
    };
    (DurableFencedStore, $fixture:expr) => {
        $crate::__tests_of! { @ durable_fenced_store $fixture => __durable_fenced_store_checks }
    };
    (@ $module:ident $fixture:expr => $($checks:ident),+) => {
        mod $module {
            #[allow(unused_imports)]
            use super::*;

            fn check(name: &str) {
                $crate::conformance::test($crate::conformance::$module(), name, $fixture);
            }

            $( $crate::$checks! { $crate::__name_tests! $module } )+
        }
    };
    ($other:ident, $fixture:expr) => {
        ::core::compile_error! { ::core::concat!(
            "`", ::core::stringify!($other), "` is no capability that the suite has checks for\n",
            "help: write `EventStore`, `ConditionalAppend`, `StreamRemoval`, `StateStore`, `RecordedAppend`, `ProjectionStore`, `ProjectionRows`, `InlineStore`, `InlineRows` or `FencedStore`, or one of them with `Durable` before it"
        ) }
    };
}

/// A test for each check of a list.
#[doc(hidden)]
#[macro_export]
macro_rules! __name_tests {
    ($capability:ident $($given:ident $group:ident { $($check:ident = $rule:literal)* })*) => {
        $(
            mod $group {
                $(
                    #[test]
                    fn $check() {
                        super::check(::core::concat!(
                            ::core::stringify!($capability), "::",
                            ::core::stringify!($group), "::",
                            ::core::stringify!($check)
                        ));
                    }
                )*
            }
        )*
    };
}

/// Runs the check of this name as a test.
#[doc(hidden)]
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub fn test<F: Fixture>(checks: Vec<Check<F>>, name: &str, fixture: F) {
    let Some(check) = checks.into_iter().find(|check| check.name() == name) else {
        panic!("the suite has no check `{name}`");
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(4).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("a tokio runtime for a check: {error}"));
    let verdict = runtime.block_on(async {
        let running = tokio::spawn(async move { check.run(fixture).await });
        tokio::time::timeout(LONGEST, running).await
    });
    // A store that hangs must not hold up the report of it.
    runtime.shutdown_background();
    match verdict {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(failure))) => panic!("{failure}"),
        Ok(Err(error)) => match error.try_into_panic() {
            Ok(payload) => std::panic::resume_unwind(payload),
            Err(error) => panic!("the check did not end: {error}"),
        },
        Err(_) => panic!("the store does not pass `{name}`: it did not answer within {LONGEST:?}"),
    }
}

/// Says of a concrete fixture what its store can do: a method of the type is found where its bounds
/// hold, and where they do not, that of the trait with the same name.
#[doc(hidden)]
pub struct Capabilities<F>(PhantomData<fn() -> F>);

impl<F> Capabilities<F> {
    pub fn of(_: &F) -> Self {
        Self(PhantomData)
    }
}

impl Capabilities<()> {
    /// Compares what was found with what was declared.
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub fn declared(found: &[(bool, &'static str)], declared: &[&str]) {
        let missing: Vec<_> = found
            .iter()
            .filter(|(has, capability)| *has && !declared.contains(capability))
            .map(|(_, capability)| *capability)
            .collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            panic!(
                "the store can do more than the suite is asked to check\nhelp: add `{missing}` to what stands behind `=>` of `store_tests!`"
            );
        }
    }
}

/// Defines one question: the answer is yes where the bound holds.
macro_rules! question {
    ($name:ident, $not:ident, $($bound:tt)+) => {
        impl<F: $($bound)+> Capabilities<F> {
            pub fn $name(&self) -> bool {
                true
            }
        }

        #[doc(hidden)]
        pub trait $not {
            fn $name(&self) -> bool {
                false
            }
        }

        impl<F> $not for Capabilities<F> {}
    };
}

/// Whether the homes of projections have rows of a user's own.
impl<F: Fixture<Store: ProjectionStore>> Capabilities<F> {
    pub fn is_projection_store(&self) -> bool {
        true
    }

    pub fn has_rows(&self) -> bool {
        TypeId::of::<<F::Store as ProjectionStore>::Rows>() != TypeId::of::<NoRows>()
    }
}

#[doc(hidden)]
pub trait NotProjectionStore {
    fn is_projection_store(&self) -> bool {
        false
    }

    fn has_rows(&self) -> bool {
        false
    }
}

impl<F> NotProjectionStore for Capabilities<F> {}

question!(is_event_store, NotEventStore, Fixture<Store: EventStore>);
question!(is_conditional, NotConditional, Fixture<Store: ConditionalAppend>);
question!(is_removable, NotRemovable, Fixture<Store: StreamRemoval + ConditionalAppend>);
question!(is_state_store, NotStateStore, Fixture<Store: StateStore>);
question!(is_recorded, NotRecorded, Fixture<Store: RecordedAppend>);
question!(is_inline, NotInline, Fixture<Store: InlineStore>);
question!(
    is_inline_conditional, NotInlineConditional, Fixture<Store: InlineStore + ConditionalAppend>
);
question!(is_inline_recorded, NotInlineRecorded, Fixture<Store: InlineStore + RecordedAppend>);
question!(has_inline_rows, NotInlineRows, Fixture<Store: InlineStore<Rows: InlineRows>>);
question!(is_fenced, NotFenced, Fixture<Store: FencedStore>);
question!(
    is_fenced_conditional, NotFencedConditional, Fixture<Store: FencedStore + ConditionalAppend>
);
question!(is_fenced_recorded, NotFencedRecorded, Fixture<Store: FencedStore + RecordedAppend>);
question!(is_durable, NotReopen, Reopen);
