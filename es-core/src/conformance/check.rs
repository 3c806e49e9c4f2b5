//! Checks as values, and the lists of them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::conformance::failure::{Failure, Verdict};
use crate::conformance::fixture::Fixture;
use crate::conformance::rule::Rule;

type Running = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// One check of the suite, for the stores of one type of [`Fixture`].
pub struct Check<F> {
    name: &'static str,
    rule: Rule,
    run: fn(Arc<F>, Rule) -> Running,
}

impl<F: Fixture> Check<F> {
    pub(super) const fn new(
        name: &'static str,
        rule: Rule,
        run: fn(Arc<F>, Rule) -> Running,
    ) -> Self {
        Self { name, rule, run }
    }

    /// Its name: capability, group and sentence, such as
    /// `event_store::append::versions_count_up_from_one`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The rule that it holds a store to.
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// Tries a store. It needs a tokio runtime with several threads and a timer.
    ///
    /// # Errors
    /// When the store breaks a rule.
    ///
    /// # Panics
    /// When the fixture or the store does.
    pub async fn run(&self, fixture: F) -> Result<(), Failure> {
        let verdict = (self.run)(Arc::new(fixture), self.rule).await;
        verdict.map_err(|breach| Failure { check: self.name, breach })
    }
}

impl<F> fmt::Debug for Check<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Check").field("name", &self.name).field("rule", &self.rule).finish()
    }
}

/// Makes the checks of a list: each group is a module, each check a function of it. The function
/// gets a store, or the fixture if its group stands behind `fixture`.
macro_rules! list_checks {
    ($contract:ident $capability:ident
        $($given:ident $group:ident { $($check:ident = $rule:literal)* })*
    ) => {
        vec![$($(
            $crate::conformance::check::Check::new(
                concat!(
                    stringify!($capability), "::", stringify!($group), "::", stringify!($check)
                ),
                $crate::conformance::Rule {
                    contract: $crate::conformance::Contract::$contract,
                    number: $rule,
                },
                |fixture, rule| {
                    $crate::conformance::check::list_checks!(@ $given $group $check fixture rule)
                },
            ),
        )*)*]
    };
    (@ store $group:ident $check:ident $fixture:ident $rule:ident) => {
        Box::pin(async move {
            let store = $crate::conformance::Fixture::empty(&*$fixture).await;
            let subject = $crate::conformance::subject::Subject::new(store, $rule);
            $crate::conformance::$group::$check(subject).await
        })
    };
    (@ fixture $group:ident $check:ident $fixture:ident $rule:ident) => {
        Box::pin(async move { $crate::conformance::$group::$check($fixture, $rule).await })
    };
}
pub(super) use list_checks;
