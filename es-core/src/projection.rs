//! Projections: read models that are built from the global order.
//!
//! A batch of events is read and decoded (`feed`, `batch`), applied by the session of a generation
//! (`session`), committed with the checkpoint (`ledger`), by the one worker that holds its lease
//! (`worker`); `supervisor` decides which generations have a worker.

mod ahead;
mod batch;
mod board;
mod chunk;
mod dead_letter;
mod document;
pub(crate) mod effect;
mod error;
mod failure;
pub(crate) mod feed;
pub(crate) mod generation;
mod handle;
mod handover;
pub(crate) mod host;
pub(crate) mod inline;
mod keys;
mod lease;
mod ledger;
mod membership;
mod memory;
pub(crate) mod partition;
mod race;
mod records;
mod row;
mod session;
mod shared_feed;
mod standing;
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
pub use self::document::{Document, DocumentProjection, Documents, DocumentsPage, ReadModelError};
pub use self::effect::{EffectProjection, Occasion, React, boxed};
pub use self::error::ProjectError;
pub use self::failure::ProjectionFailure;
pub use self::handle::{Differences, HandleError, ProjectionHandle, Rebuild, RebuildError, Skip};
pub use self::host::{
    AnyHost, DocumentsIn, Effects, HomeOf, InDocuments, InMemory, InRows, Inlined, KeptInMemory,
};
pub use self::inline::{Inline, InlinePlace};
pub use self::keys::{IntoKey, IntoKeys, Keys};
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
/// `partitions = 8` beside `documents`, `rows` or `effects` lets eight workers share it, in one process
/// or in several: documents by their key; rows and side effects by the event's stream, or by the key
/// that `partition = path(event, recorded)` gives. Events of one key are applied in order.
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
    /// Whether the event's stream decides its partition; of documents their key does.
    const PARTITIONED_BY_STREAM: bool = true;
    /// Where it is kept: [`InMemory`], [`InDocuments`] or [`InRows`]; or one of the last two
    /// [`Inlined`]; or nowhere, with [`Effects`].
    type Home;

    /// The key that decides the partition of the event; not asked when that is by stream.
    fn partition_key(_: &Self::Event, _: &Recorded<'_>, _: &mut Keys) {}
}

/// A projection whose handlers change a state: all of it in memory, or one document.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection with a state in memory or in documents",
    label = "no state to read",
    note = "write `#[derive(Projection, Default)]` and `#[projection(name = \"...\", events(...))]` above `struct {Self}`",
    note = "rows are read by SQL of your own, and side effects keep nothing"
)]
pub trait StateProjection: Projection {
    /// Changes the state as the event says, by the `Project` of that event: by its `replay` if this is
    /// a replay, else by its `project`.
    ///
    /// # Errors
    /// When that `Project` fails.
    fn project_event<const REPLAY: bool>(
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

    /// Changes the read model in a replay. It is called instead of [`project`](Self::project), and
    /// does the same unless you write another one.
    ///
    /// ```
    /// use es_core::prelude::*;
    ///
    /// # #[derive(Event, Serialize, Deserialize)]
    /// # #[event(name = "account.deposited")]
    /// # struct Deposited { amount: u64 }
    /// #[derive(Projection, Default)]
    /// #[projection(name = "totals", events(Deposited))]
    /// struct Totals {
    ///     sum: u64,
    /// }
    ///
    /// impl Project<Deposited> for Totals {
    ///     fn project(&mut self, event: &Deposited, recorded: &Recorded) -> Result<(), ProjectError> {
    ///         // Whoever watches the log has no use for what happened last year.
    ///         println!("{} in stream {}", event.amount, recorded.stream);
    ///         self.replay(event, recorded)
    ///     }
    ///
    ///     fn replay(&mut self, event: &Deposited, _: &Recorded) -> Result<(), ProjectError> {
    ///         self.sum += event.amount;
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # What a replay is
    /// An event is replayed to a read model if it is past to it:
    /// - in memory, if it was stored when the runtime started, or was applied before and the state is
    ///   built anew;
    /// - in documents and rows, if it was stored when the generation was begun: at the first start of a
    ///   program that has the projection, by a rebuild, or for a new version;
    /// - while a generation is built beside one of the same version, also if that one has applied it;
    /// - in [`projection_as_of`](crate::Runtime::projection_as_of), always.
    ///
    /// Every other event goes to `project`, also what was appended while no process ran. It goes there
    /// again only if nothing was kept of the first time: a batch that failed, or a process that was
    /// killed before the commit.
    ///
    /// # Contract
    /// Both must leave the same behind. Only so are a read model that was built anew and one that was
    /// kept current the same; nothing checks that. What is done outside and must not be missed
    /// is a side effect, with a cursor of its own: see [`React`].
    ///
    /// # Errors
    /// As [`project`](Self::project).
    fn replay(&mut self, event: &E, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.project(event, recorded)
    }
}
