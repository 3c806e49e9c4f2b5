//! Projections: read models that are built from the global order.

pub(crate) mod host;
pub(crate) mod runner;
mod status;
mod view;

use std::error::Error;
use std::fmt;

use crate::event::Event;
use crate::event_set::EventSet;
use crate::fingerprint::Fingerprint;
use crate::recorded::Recorded;

pub use self::status::{ProjectionState, ProjectionStatus};
pub use self::view::ProjectionView;

/// A read model built from the global order.
///
/// Derive it, and say with one [`Project`] for each event what that event changes:
///
/// ```
/// use std::collections::BTreeMap;
///
/// use es_core::prelude::*;
///
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "account.deposited")]
/// # struct Deposited { amount: u64 }
/// #[derive(Projection, Default)]
/// #[projection(name = "balances", version = 1, events(Deposited))]
/// struct Balances {
///     by_account: BTreeMap<u64, u64>,
/// }
///
/// impl Project<Deposited> for Balances {
///     fn project(&mut self, event: &Deposited, recorded: &Recorded) -> Result<(), ProjectError> {
///         let account = recorded.stream.parse_id()?;
///         *self.by_account.entry(account).or_default() += event.amount;
///         Ok(())
///     }
/// }
/// ```
///
/// # Contract
/// 1. What a projection holds depends on the events alone: not on time, chance or other state.
/// 2. `VERSION` rises with every change of what is held; the read model is then built anew.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection",
    label = "not a projection",
    note = "write `#[derive(Projection, Default)]` and `#[projection(name = \"...\", events(...))]` above `struct {Self}`"
)]
pub trait Projection: Send + Sync + 'static {
    /// The stored name.
    const NAME: &'static str;
    /// The version of what is held.
    const VERSION: u32;
    /// What the type of the read model looks like: one that is kept is read only by a program in
    /// which it is the same.
    const FINGERPRINT: Fingerprint;
    /// The events that are projected.
    type Event: EventSet;

    /// Changes the read model as the event says, by the `Project` of that event.
    ///
    /// # Errors
    /// When that `Project` fails.
    fn project_event(
        &mut self,
        event: &Self::Event,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError>;
}

/// What one event changes in a read model.
#[diagnostic::on_unimplemented(
    message = "projection `{Self}` does not say what event `{E}` changes in it",
    label = "missing `impl Project<{E}> for {Self}`",
    note = "write `impl Project<{E}> for {Self} {{ fn project(&mut self, event: &{E}, recorded: &Recorded) -> Result<(), ProjectError> {{ .. }} }}`"
)]
pub trait Project<E: Event> {
    /// Changes the read model.
    ///
    /// # Errors
    /// A failure parks the projection at this event: nothing is skipped. What was changed before
    /// stays changed, so check first and change then.
    fn project(&mut self, event: &E, recorded: &Recorded<'_>) -> Result<(), ProjectError>;
}

/// Why an event could not be projected. The `?` operator makes it of any error; a sentence of your
/// own becomes one with [`ProjectError::new`], not with `into()`.
///
/// It holds the error as a trait object because a handler may fail with anything; all that happens
/// with it is that the projection parks and shows it.
pub struct ProjectError(Box<dyn Error + Send + Sync>);

impl ProjectError {
    /// A failure in one sentence.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into().into())
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for ProjectError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for ProjectError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for ProjectError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
