//! What can go wrong, by category.

use std::path::PathBuf;

use es_core::uuid::Uuid;
use es_core::{
    Consumer, ConsumersError, ErrorCategory, InvalidStreamId, LoadError, Position, ReadError,
    RemovalError, StateError, StoreFailure, StreamId,
};

/// Why an archive could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file or the directory could not be used.
    #[error("`{}`: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
    /// There is no archive.
    #[error("there is no archive in `{}`; name the directory that has its segments", directory.display())]
    NoArchive {
        /// Where none is.
        directory: PathBuf,
    },
    /// A segment is not in the archive.
    #[error(
        "segment `{segment}` is not in `{}`; bring the file back, or name the directory that has it",
        directory.display()
    )]
    MissingSegment {
        /// Its name.
        segment: String,
        /// The directory of the archive.
        directory: PathBuf,
    },
    /// A segment is not what was written.
    #[error(
        "segment `{segment}` is damaged in {place}: {problem}; bring the file back from a copy of the archive"
    )]
    Damaged {
        /// Its name.
        segment: String,
        /// Where.
        place: SegmentPlace,
        /// What is wrong.
        problem: String,
    },
    /// A segment does not hold what a stub says.
    #[error(
        "segment `{segment}` does not hold version {version} of stream `{stream}` as the store's stub says; is this the archive of that store?"
    )]
    NotInSegment {
        /// Its name.
        segment: String,
        /// The stream.
        stream: StreamId,
        /// The version.
        version: es_core::Version,
    },
    /// The archive holds the events of another store.
    #[error(
        "segment `{segment}` has events of store {found}, and this is store {expected}; an archive is of one store: use another directory"
    )]
    OtherStore {
        /// A segment of it.
        segment: String,
        /// The identity of the store.
        expected: Uuid,
        /// The identity of the store that the segment is of.
        found: Uuid,
    },
    /// Somebody has not consumed what is to go.
    #[error(
        "events up to position {up_to} are to be archived, but {consumer}: let it catch up, or discard it if nobody needs it any more, and do it again"
    )]
    NotConsumed {
        /// Who.
        consumer: Box<Consumer>,
        /// How many others there are like it.
        others: usize,
        /// The position of the last event that is to go.
        up_to: Position,
    },
    /// A stream holds no events that could go.
    #[error("there is no stream `{stream}`")]
    NoStream {
        /// The stream.
        stream: StreamId,
    },
    /// What was removed for good can not be restored.
    #[error("events of stream `{stream}` were removed for good; there is nothing to restore")]
    Gone {
        /// The stream.
        stream: StreamId,
    },
    /// A stream may not be truncated.
    #[error("stream `{stream}` is not truncated: {reason}")]
    NotTruncated {
        /// The stream.
        stream: StreamId,
        /// Why not.
        reason: &'static str,
    },
    /// A stream could not be summarised.
    #[error("stream `{stream}` can not be compacted: {reason}")]
    NotCompacted {
        /// The stream.
        stream: StreamId,
        /// Why not.
        reason: String,
    },
    /// An id names no stream.
    #[error(transparent)]
    Id(#[from] InvalidStreamId),
    /// The state of an aggregate could not be had.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// State records could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// It is not known how far consumers are.
    #[error(transparent)]
    Consumers(#[from] ConsumersError),
    /// The store did not remove events or take them back.
    #[error(transparent)]
    Removal(#[from] RemovalError),
    /// An event can not be written as a line.
    #[error("an event can not be written: {0}")]
    Line(#[source] serde_json::Error),
    /// Lines can not be compressed.
    #[error("a block can not be compressed: {0}")]
    Compress(#[source] std::io::Error),
    /// A thread that reads files has ended.
    #[error("a thread that reads files has ended before it answered; do it again")]
    Stopped,
}

impl ArchiveError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Load(error) => error.category(),
            Self::Read(error) => error.category(),
            Self::State(error) => error.category(),
            Self::Consumers(error) => error.category(),
            Self::Removal(error) => error.category(),
            Self::Stopped => ErrorCategory::Transient,
            _ => ErrorCategory::Permanent,
        }
    }

    /// As the error of a read through the archive.
    pub(crate) fn into_read_error(self) -> ReadError {
        match self {
            Self::Read(error) => error,
            error => {
                let transient = error.category() == ErrorCategory::Transient;
                let failure = StoreFailure::caused_by(error.to_string(), error);
                if transient {
                    ReadError::Transient(failure)
                } else {
                    ReadError::Permanent(failure)
                }
            }
        }
    }
}

/// A place in a segment.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentPlace {
    /// Its first frame.
    #[error("its first frame")]
    Beginning,
    /// A block of events.
    #[error("block {number}, which holds events from position {first} to {last}")]
    Block {
        /// Which one, counted from zero.
        number: usize,
        /// The position of its first event.
        first: Position,
        /// The position of its last event.
        last: Position,
    },
    /// The index.
    #[error("its index")]
    Index,
    /// Its last frame.
    #[error("its last frame")]
    End,
}
