//! Projections: read models that are built from the global order.
//!
//! A batch of events is read and decoded (`feed`, `batch`), applied by the session of a generation
//! (`session`), committed with the checkpoint (`ledger`), by the one worker that holds its lease
//! (`worker`); `supervisor` decides which generations have a worker.

mod ahead;
mod batch;
mod board;
mod dead_letter;
mod document;
pub(crate) mod effect;
mod error;
mod failure;
pub(crate) mod feed;
pub(crate) mod generation;
mod handle;
pub(crate) mod host;
pub(crate) mod inline;
mod lease;
mod ledger;
mod membership;
mod memory;
pub(crate) mod partition;
mod race;
mod row;
mod session;
mod shared_feed;
pub(crate) mod state;
mod status;
pub(crate) mod supervisor;
mod view;
pub(crate) mod wait;
pub(crate) mod worker;
pub(crate) mod workplace;

use crate::event::Event;
use crate::event_set::EventSet;
use crate::fingerprint::Fingerprint;
use crate::recorded::Recorded;

pub use self::dead_letter::DeadLetter;
pub use self::document::{
    Document, DocumentProjection, Documents, DocumentsPage, Keys, ReadModelError,
};
pub use self::effect::{EffectProjection, Occasion, React};
pub use self::error::ProjectError;
pub use self::failure::ProjectionFailure;
pub use self::handle::{Differences, HandleError, ProjectionHandle, Rebuild, RebuildError, Skip};
pub use self::host::{
    AnyHost, DocumentsIn, Effects, HomeOf, InDocuments, InMemory, InRows, Inlined,
};
pub use self::inline::{Inline, InlinePlace};
pub use self::row::{ProjectRows, RowProjection, RowTables};
pub use self::status::{
    PartitionStatus, ProjectionHome, ProjectionState, ProjectionStatus, RebuildProgress,
};
pub use self::view::ProjectionView;
pub use self::wait::Wait;

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
/// # Where it is kept
///
/// In memory, unless the attribute says otherwise; the handlers are the same:
///
/// | `#[projection(..)]` | what `self` is | where it is |
/// |---|---|---|
/// | | the whole state | in memory, built anew at every start |
/// | `documents` | the document of the event's stream | in the store, one for each key |
/// | `documents(key = path)` | the document of each key that `path(event, recorded)` gives | in the store |
/// | `rows = Family` | nothing: handlers are [`ProjectRows`] | in tables that your own SQL writes |
///
/// `partitions = 8` beside `documents` or `rows` lets eight workers share it, in one process or in
/// several: documents by their key; rows by the event's stream, or by the key that
/// `partition = path(event, recorded)` gives. Events of one key are applied in order.
///
/// With `effects` it keeps nothing, and does something outside instead: see [`React`].
///
/// With `inline`, documents and rows are changed in the step that appends the events, in stores that
/// are an [`InlineStore`](crate::InlineStore): what is read is never behind, and an event that can
/// not be applied is refused, with its command.
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
    /// How many partitions it has, which are worked on side by side and each in order: from 1 to
    /// 256; 1 in memory.
    const PARTITIONS: u32 = 1;
    /// Where it is kept: [`InMemory`], [`InDocuments`] or [`InRows`]; or one of the last two
    /// [`Inlined`]; or nowhere, with [`Effects`].
    type Home;
}

/// A projection whose handlers change a state: all of it in memory, or one document.
pub trait StateProjection: Projection {
    /// Changes the state as the event says, by the `Project` of that event.
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
    /// A failure parks the projection at this event, or only the document: nothing is skipped, and
    /// nothing of what the handler did until then is kept. One that may pass by itself is tried
    /// again first; see [`ProjectError::transient`].
    fn project(&mut self, event: &E, recorded: &Recorded<'_>) -> Result<(), ProjectError>;
}
