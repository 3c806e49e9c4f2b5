//! The port of stores that can be closed to new events, because these go elsewhere from now on.

use std::future::Future;

use jiff::Timestamp;

use crate::error::{ErrorCategory, StoreFailure};
use crate::store::error::ReadError;
use crate::store::event_store::EventStore;
use crate::version::Position;

/// A store that can be fenced: from then on it takes no new event, and says where they go.
///
/// For moving a history to another store while programs use it: see `CutOver` of es-transfer.
///
/// # Contract
/// 1. [`fence`](Self::fence) takes effect at one instant, in one order with all appends: what is
///    appended before it is at or below the position that it answers with, and after it nothing is
///    stored. Every append, of whatever kind, is then refused with
///    [`AppendError::Fenced`](crate::AppendError::Fenced) and leaves nothing behind.
/// 2. A commit that is stored already is answered as it was the first time, also behind the fence:
///    so a writer whose answer was lost finds out what became of it.
/// 3. A durable store keeps the fence as it keeps events: it is on disk before it is answered, and
///    holds after a restart.
/// 4. A fence is put up once. The same successor again is answered as the first time; another one is
///    refused with [`FenceError::Fenced`].
/// 5. Reads, and state records, are not fenced: projections and subscriptions come to their end.
/// 6. [`lift_fence`](Self::lift_fence) takes the fence away, and does nothing if there is none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be closed to new events",
    label = "has no fence",
    note = "use a store that implements `FencedStore`, or stop every program that writes to it before you move its events"
)]
pub trait FencedStore: EventStore {
    /// Closes the store to new events, which go to `successor` from now on: a name that tells the
    /// people who read the error where to look, such as `sqlite:/srv/bank-2.db`. Answers with the
    /// fence and with the position of the last event (rules 1, 3 and 4).
    fn fence(
        &self,
        successor: &str,
    ) -> impl Future<Output = Result<(Fence, Position), FenceError>> + Send;

    /// The fence, if there is one.
    fn fenced(&self) -> impl Future<Output = Result<Option<Fence>, ReadError>> + Send;

    /// Opens the store to new events again, and answers with the fence that stood there (rule 6).
    ///
    /// When the successor has taken events of its own, the two histories part here.
    fn lift_fence(&self) -> impl Future<Output = Result<Option<Fence>, FenceError>> + Send;
}

/// What keeps new events out of a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fence {
    /// Where they go instead, as whoever put it up has named it.
    pub successor: String,
    /// When it was put up, by the clock of the store.
    pub since: Timestamp,
}

/// Why a fence was not put up or lifted.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FenceError {
    /// There is a fence, with another successor.
    #[error(
        "the store is fenced since {}, its new events go to `{}`; lift that fence first if they do not", fence.since, fence.successor
    )]
    Fenced {
        /// The fence that stands.
        fence: Box<Fence>,
    },
    /// The store could not do it now. Nothing was changed.
    #[error("the store can not be fenced now: {0}")]
    Transient(StoreFailure),
    /// The store can not do it. Nothing was changed.
    #[error("the store can not be fenced: {0}")]
    Permanent(StoreFailure),
    /// The answer was lost: it was done or not. Doing it again is safe.
    #[error("it is not known whether the fence was changed: {0}; do it again to find out")]
    OutcomeUnknown(StoreFailure),
}

impl FenceError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Fenced { .. } | Self::Permanent(_) => ErrorCategory::Permanent,
            Self::Transient(_) => ErrorCategory::Transient,
            Self::OutcomeUnknown(_) => ErrorCategory::OutcomeUnknown,
        }
    }
}
