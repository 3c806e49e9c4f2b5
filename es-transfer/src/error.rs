//! What can go wrong.

use std::io;

use es_core::{
    AppendError, ErrorCategory, EventId, Fence, FenceError, InvalidCommit, Position, ReadError,
    StateError, StreamId, Version,
};

/// Why events were not moved. What was moved until then stays; run it again to go on.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// A store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The target did not take events.
    #[error("at position {position} of the source: {error}")]
    Append {
        /// Where the source has the first of them; zero if it is a file.
        position: Position,
        /// Why not.
        error: AppendError,
    },
    /// Events make a commit that no store would take.
    #[error("at position {position} of the source: {error}")]
    Commit {
        /// Where the source has them.
        position: Position,
        /// What is wrong.
        error: InvalidCommit,
    },
    /// The target holds something that does not come from the source.
    #[error(
        "the target ends with event {event_id} (version {version} of stream `{stream}`), which is not in the source; copy into an empty store, or into one that an earlier run has begun to fill"
    )]
    OtherTarget {
        /// The event.
        event_id: EventId,
        /// Its stream.
        stream: StreamId,
        /// Its place there.
        version: Version,
    },
    /// An event could not be changed as it should be.
    #[error(
        "event {event_id} (version {version} of stream `{stream}`, position {position} of the source) can not be changed: {reason}"
    )]
    Change {
        /// The event.
        event_id: EventId,
        /// Its stream.
        stream: StreamId,
        /// Its place there.
        version: Version,
        /// Where the source has it.
        position: Position,
        /// Why not.
        reason: String,
    },
    /// The two stores differ.
    #[error(transparent)]
    Differs(#[from] Difference),
}

impl TransferError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Read(error) => error.category(),
            Self::Append { error, .. } => error.category(),
            Self::Commit { .. }
            | Self::OtherTarget { .. }
            | Self::Change { .. }
            | Self::Differs(_) => ErrorCategory::Permanent,
        }
    }
}

/// The first place at which two stores differ.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// The target lacks events.
    #[error(
        "the target ends before event {event_id} (version {version} of stream `{stream}`, position {position} of the source)"
    )]
    Missing {
        /// The first event that is missing.
        event_id: EventId,
        /// Its stream.
        stream: StreamId,
        /// Its place there.
        version: Version,
        /// Where the source has it.
        position: Position,
    },
    /// The target has events that the source has not.
    #[error(
        "the target goes on with event {event_id} (version {version} of stream `{stream}`, position {position}) where the source ends"
    )]
    TooMany {
        /// The first event that is too many.
        event_id: EventId,
        /// Its stream.
        stream: StreamId,
        /// Its place there.
        version: Version,
        /// Where the target has it.
        position: Position,
    },
    /// An event is not the same.
    #[error(
        "position {source_position} of the source and {target_position} of the target differ in the {part}: event {event_id}, version {version} of stream `{stream}`"
    )]
    Event {
        /// Which part of the event: `stream`, `payload` and so on.
        part: &'static str,
        /// Where the source has it.
        source_position: Position,
        /// Where the target has it.
        target_position: Position,
        /// The id of the source's event.
        event_id: EventId,
        /// The stream of the source's event.
        stream: StreamId,
        /// Its place there.
        version: Version,
    },
}

/// Why a cut-over did not come to its end. What was done until then stays; run it again to go on.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CutOverError {
    /// The events could not be copied, or the stores differ. The source still takes events.
    #[error("{0}; the old store is still in use, and the new one is not")]
    Open(TransferError),
    /// The source could not be fenced.
    #[error(transparent)]
    Fence(FenceError),
    /// The rest of the events could not be copied, or the stores differ. The source is fenced.
    #[error(
        "{error}; the old store is fenced and takes no events: run the cut-over again, or open the old store again with `call_off`"
    )]
    Closed {
        /// The fence of the source.
        fence: Box<Fence>,
        /// What went wrong.
        error: TransferError,
    },
    /// A position of a subscription could not be found in the target. The source is fenced.
    #[error("a subscription can not be moved: {0}; run the cut-over again, or `call_off`")]
    Records(TransferError),
    /// A state record could not be read or written.
    #[error("{0}; run the cut-over again to go on")]
    State(StateError),
}

impl CutOverError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Open(error) | Self::Closed { error, .. } | Self::Records(error) => {
                error.category()
            }
            Self::Fence(error) => error.category(),
            Self::State(error) => error.category(),
        }
    }
}

/// Why a cut-over was not called off.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallOffError {
    /// The target has taken events of its own, which the source lacks.
    #[error(
        "the new store has taken events of its own, last {event_id} (version {version} of stream `{stream}`): it is the store now, and the old one stays closed"
    )]
    TargetLives {
        /// The last event of the target.
        event_id: EventId,
        /// Its stream.
        stream: StreamId,
        /// Its place there.
        version: Version,
    },
    /// A store could not be read.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// A state record could not be read or removed.
    #[error(transparent)]
    State(StateError),
    /// The fence could not be lifted.
    #[error(transparent)]
    Fence(FenceError),
}

impl CallOffError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::TargetLives { .. } => ErrorCategory::Permanent,
            Self::Transfer(error) => error.category(),
            Self::State(error) => error.category(),
            Self::Fence(error) => error.category(),
        }
    }
}

/// Why a store was not written to a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file could not be written.
    #[error("the export can not be written: {0}")]
    Write(#[from] io::Error),
}

/// Why a file was not taken over. What was taken over until then stays; run it again to go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file could not be read.
    #[error("line {line}: the file can not be read: {error}")]
    Io {
        /// The line, counted from one.
        line: u64,
        /// Why not.
        error: io::Error,
    },
    /// A line is no event.
    #[error("line {line}: {problem}")]
    Line {
        /// The line, counted from one.
        line: u64,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// The events could not be stored.
    #[error(transparent)]
    Transfer(#[from] TransferError),
}

/// What is wrong with a line of a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// It is no JSON of the expected form.
    #[error("no event in this format: {0}")]
    Json(#[from] serde_json::Error),
    /// A field has a value that it can not have.
    #[error("field `{field}`: {reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
}
