//! What stores answer when they can not do what was asked.

use crate::commit::AppendCondition;
use crate::error::{ErrorCategory, StoreFailure};
use crate::identity::EventId;
use crate::store::fence::Fence;
use crate::store::inline_store::InlineRefusal;
use crate::store::state_store::{ExpectedRevision, Revision, StateKey};
use crate::store::stream_removal::Archived;
use crate::stream::StreamId;
use crate::version::{ExpectedVersion, Position, Version};

/// Somebody else wrote to the stream first.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("stream `{stream}` is at version {actual}, but {expected} was expected")]
pub struct VersionConflict {
    /// The stream.
    pub stream: StreamId,
    /// What should have held of it.
    pub expected: ExpectedVersion,
    /// The version of its last event.
    pub actual: Version,
}

/// An event that an append condition forbids is there.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("an event at position {position} matches append condition {index}")]
pub struct ConditionFailed {
    /// Which of the conditions, counted from zero.
    pub index: usize,
    /// The condition.
    pub condition: AppendCondition,
    /// The first event that matches it.
    pub position: Position,
}

/// Why a commit was not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A stream is not at the expected version. Nothing was stored.
    #[error(transparent)]
    Conflict(Box<VersionConflict>),
    /// An append condition does not hold. Nothing was stored.
    #[error(transparent)]
    Condition(Box<ConditionFailed>),
    /// An event with this id is stored, but it is another one, or only some of the commit's events
    /// are stored. Nothing more was stored.
    #[error(
        "event id {event_id} is stored at position {position} with another stream, name or payload, or without the rest of its commit; an id names one event for ever"
    )]
    EventIdReused {
        /// The id.
        event_id: EventId,
        /// Where the store has it.
        position: Position,
    },
    /// An inline projection can not apply an event of the commit. Nothing was stored.
    #[error(transparent)]
    Inline(Box<InlineRefusal>),
    /// The store takes no new events, because they go to another one. Nothing was stored.
    #[error(
        "the store takes no new events since {}: they go to `{}`; open that store instead", fence.since, fence.successor
    )]
    Fenced {
        /// The fence that keeps them out.
        fence: Box<Fence>,
    },
    /// An event with this id was recorded and is not in the live store any more. Nothing was stored.
    #[error("event id {event_id} was recorded before: {archived}")]
    EventIdArchived {
        /// The id.
        event_id: EventId,
        /// Where the event is.
        archived: Box<Archived>,
    },
    /// The store could not do it now. Nothing was stored.
    #[error("the store can not append now: {0}")]
    Transient(StoreFailure),
    /// The store can not do it. Nothing was stored.
    #[error("the store can not append: {0}")]
    Permanent(StoreFailure),
    /// The answer was lost: the commit is stored or not. Appending it again is safe.
    #[error(
        "it is not known whether the commit was stored: {0}; append the same commit again to find out"
    )]
    OutcomeUnknown(StoreFailure),
}

impl AppendError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Conflict(_) | Self::Condition(_) => ErrorCategory::Conflict,
            Self::Inline(refusal) => refusal.category(),
            Self::EventIdReused { .. }
            | Self::EventIdArchived { .. }
            | Self::Fenced { .. }
            | Self::Permanent(_) => ErrorCategory::Permanent,
            Self::Transient(_) => ErrorCategory::Transient,
            Self::OutcomeUnknown(_) => ErrorCategory::OutcomeUnknown,
        }
    }
}

impl AppendError {
    /// Whether another commit may be taken all the same.
    pub(crate) fn is_of_the_commit(&self) -> bool {
        matches!(self, Self::EventIdReused { .. } | Self::Inline(_))
    }
}

impl From<VersionConflict> for AppendError {
    fn from(conflict: VersionConflict) -> Self {
        Self::Conflict(Box::new(conflict))
    }
}

impl From<ConditionFailed> for AppendError {
    fn from(failed: ConditionFailed) -> Self {
        Self::Condition(Box::new(failed))
    }
}

/// Why events could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store could not do it now.
    #[error("the store can not be read now: {0}")]
    Transient(StoreFailure),
    /// The store can not do it, or what it holds is damaged.
    #[error("the store can not be read: {0}")]
    Permanent(StoreFailure),
    /// An event that is wanted is not in the live store any more; see
    /// [`StreamRemoval`](crate::StreamRemoval).
    #[error(transparent)]
    Archived(Box<Archived>),
}

impl ReadError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Transient(_) => ErrorCategory::Transient,
            Self::Permanent(_) | Self::Archived(_) => ErrorCategory::Permanent,
        }
    }
}

/// Why a state record could not be read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The record is not at the expected revision. Nothing was stored.
    #[error("state record `{key}` is {}, but {expected} was expected", actual.map_or_else(|| "missing".to_owned(), |actual| format!("at revision {actual}")))]
    Conflict {
        /// The record.
        key: StateKey,
        /// What should have held of it.
        expected: ExpectedRevision,
        /// The revision it is at, if it is there.
        actual: Option<Revision>,
    },
    /// The store could not do it now. Nothing was stored.
    #[error("the store can not be used now: {0}")]
    Transient(StoreFailure),
    /// The store can not do it. Nothing was stored.
    #[error("the store can not be used: {0}")]
    Permanent(StoreFailure),
    /// The rows' work of a commit gave up. Nothing was stored.
    #[error("the rows' work of the commit gave up, so that nothing of it was stored")]
    Abandoned,
    /// The answer was lost: the record was changed or not. Read it to find out.
    #[error("it is not known whether the record was stored: {0}")]
    OutcomeUnknown(StoreFailure),
}

impl StateError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Conflict { .. } => ErrorCategory::Conflict,
            Self::Transient(_) => ErrorCategory::Transient,
            Self::Permanent(_) | Self::Abandoned => ErrorCategory::Permanent,
            Self::OutcomeUnknown(_) => ErrorCategory::OutcomeUnknown,
        }
    }
}
