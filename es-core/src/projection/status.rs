//! Where a projection stands and how it is.

use crate::version::Position;

/// Where a projection stands and how it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProjectionStatus {
    /// The stored name of the projection.
    pub name: &'static str,
    /// The version of what it holds.
    pub version: u32,
    /// Every event up to here is applied, or is none that it wants.
    pub position: Position,
    /// How it is.
    pub state: ProjectionState,
}

/// How a projection is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ProjectionState {
    /// It works through events that were there before.
    CatchingUp,
    /// It has seen everything and waits for news.
    Live,
    /// The store can not be read at the moment; it tries again and again.
    Retrying {
        /// What the store said last.
        error: String,
    },
    /// It stands still before an event that it can not apply. Nothing is skipped.
    Parked {
        /// The event's place in the global order.
        position: Position,
        /// What went wrong, with stream, version and name of the event.
        error: String,
    },
    /// It ended because the store can not be read any more.
    Failed {
        /// What the store said.
        error: String,
    },
    /// The runtime was shut down or dropped, or the tokio runtime that it was started in has ended.
    Stopped,
}

impl ProjectionState {
    /// Whether it goes on by itself.
    pub(crate) fn runs(&self) -> bool {
        matches!(self, Self::Live | Self::CatchingUp | Self::Retrying { .. })
    }
}
