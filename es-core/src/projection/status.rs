//! Where a projection stands and how it is.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::projection::dead_letter::DeadLetter;
use crate::projection::failure::ProjectionFailure;
use crate::version::Position;

/// Where a projection stands and how it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct ProjectionStatus {
    /// The stored name of the projection.
    pub name: &'static str,
    /// The version of what it holds.
    pub version: u32,
    /// Where it is kept.
    pub home: ProjectionHome,
    /// The generation that is served; none in memory, or before the first one is built.
    pub generation: Option<u64>,
    /// Every event up to here is applied, or is none that it wants, or is a dead letter or skipped.
    pub position: Position,
    /// The head of the store when it was read last.
    pub head: Position,
    /// When the last event that it applied was recorded, if this process applied one.
    pub applied_until: Option<Timestamp>,
    /// How it is.
    pub state: ProjectionState,
    /// The events before which it, or a key of it, stands still.
    pub dead_letters: Arc<Vec<DeadLetter>>,
    /// How far the generation is that is built beside the one that is served.
    pub rebuild: Option<RebuildProgress>,
}

impl ProjectionStatus {
    pub(crate) fn new(name: &'static str, version: u32, home: ProjectionHome) -> Self {
        Self {
            name,
            version,
            home,
            generation: None,
            position: Position::ZERO,
            head: Position::ZERO,
            applied_until: None,
            state: ProjectionState::CatchingUp,
            dead_letters: Arc::default(),
            rebuild: None,
        }
    }

    /// How many positions it is behind the head: at least as many as there are events that it has
    /// not seen.
    pub fn lag(&self) -> u64 {
        self.head.get().saturating_sub(self.position.get())
    }

    /// How long the last event that it applied has been recorded, if it is behind; zero if it is not.
    pub fn lag_time(&self, now: Timestamp) -> Option<Duration> {
        if self.lag() == 0 {
            return Some(Duration::ZERO);
        }
        let age = now.duration_since(self.applied_until?);
        Some(Duration::try_from(age).unwrap_or_default())
    }
}

/// Where a projection is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProjectionHome {
    /// In the memory of each process.
    Memory,
    /// In documents by key, in the store.
    Documents,
    /// In tables of the store that the projection's own SQL writes.
    Rows,
    /// Nowhere: it is what the program does outside.
    Effects,
}

/// How a projection is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
#[non_exhaustive]
pub enum ProjectionState {
    /// It works through events that were there before.
    CatchingUp,
    /// It has seen everything and waits for news.
    Live,
    /// It is changed in the step of every append, and is never behind.
    Inline,
    /// Its first generation of this version is being built beside one of another version, and is
    /// not served yet.
    Rebuilding,
    /// Another process keeps it current, or did so lately.
    Standby,
    /// The store can not be read or written at the moment; it tries again and again.
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
    /// It does not go on: why, and whether it is tried again, says the reason.
    Failed {
        /// Why.
        reason: ProjectionFailure,
    },
    /// The runtime was shut down or dropped, or the tokio runtime that it was started in has ended.
    Stopped,
}

impl ProjectionState {
    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self, Self::Stopped)
    }

    /// Whether it goes on by itself.
    pub(crate) fn runs(&self) -> bool {
        !matches!(self, Self::Stopped | Self::Failed { .. } | Self::Parked { .. })
    }
}

/// How far a rebuild is.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
#[non_exhaustive]
pub struct RebuildProgress {
    /// The generation that is built; none in memory.
    pub generation: Option<u64>,
    /// Up to where it has come.
    pub position: Position,
    /// Where it has to come: the head of the store when it was read last.
    pub head: Position,
    /// How many events it has applied, also before it was interrupted.
    pub events: u64,
    /// How many events a second it applied since this process went on with it.
    pub events_per_second: u64,
    /// How long it will take, if it goes on like this.
    pub remaining: Option<Duration>,
    /// Whether it is complete and waits for [`swap`](crate::ProjectionHandle::swap).
    pub ready: bool,
    /// Why it does not go on.
    pub failed: Option<ProjectionFailure>,
}
