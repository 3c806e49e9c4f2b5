//! The values of labels, which are few and stable.

use crate::error::ErrorCategory;
use crate::runtime::{ExecuteError, Receipt};

/// What became of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It led to events.
    Accepted,
    /// It was accepted, and nothing changes.
    Unchanged,
    /// It was carried out before.
    Repeated,
    /// The domain refused it.
    Rejected,
    /// Others were faster every time.
    Conflict,
    /// It could not be carried out.
    Failed,
    /// Nobody knows.
    Unknown,
    /// Its handler or an `Apply` panicked.
    Panicked,
}

impl Outcome {
    pub(crate) fn of<E>(outcome: &Result<Receipt, ExecuteError<E>>) -> Self {
        match outcome {
            Ok(receipt) => Self::of_receipt(receipt),
            Err(error) => match error.category() {
                ErrorCategory::Rejected => Self::Rejected,
                ErrorCategory::Conflict => Self::Conflict,
                ErrorCategory::OutcomeUnknown => Self::Unknown,
                ErrorCategory::Transient | ErrorCategory::Permanent => Self::Failed,
            },
        }
    }

    pub(crate) fn of_receipt(receipt: &Receipt) -> Self {
        match receipt {
            Receipt { repeated: true, .. } => Self::Repeated,
            Receipt { events: 0, .. } => Self::Unchanged,
            _ => Self::Accepted,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Unchanged => "unchanged",
            Self::Repeated => "repeated",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Panicked => "panicked",
        }
    }
}

/// Where the state of an aggregate came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LoadSource {
    /// It was warm, and nothing was read.
    Warm,
    /// It was warm, and the events behind it were read.
    Tail,
    /// A snapshot and the events behind it.
    Snapshot,
    /// All events of the stream.
    Stream,
}

impl LoadSource {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Tail => "tail",
            Self::Snapshot => "snapshot",
            Self::Stream => "stream",
        }
    }
}

/// What was tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Retried {
    /// A command was decided again.
    Command,
    /// An append.
    Append,
    /// A read.
    Read,
    /// An event was projected again.
    Project,
    /// A projection waited for its store.
    ProjectionStore,
}

impl Retried {
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "the value of a label"))]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Append => "append",
            Self::Read => "read",
            Self::Project => "project",
            Self::ProjectionStore => "projection_store",
        }
    }
}
