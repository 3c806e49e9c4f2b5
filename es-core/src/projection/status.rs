//! Where a projection stands and how it is.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::projection::dead_letter::DeadLetter;
use crate::projection::failure::ProjectionFailure;
use crate::projection::partition::Partition;
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
    /// How each partition is, if there are several: position and state of the projection are then
    /// those of the one that is furthest behind.
    pub partitions: Arc<Vec<PartitionStatus>>,
}

/// Where one partition of a projection stands and how it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct PartitionStatus {
    /// Its number, from 0.
    pub partition: u32,
    /// Every event of it up to here is applied, or is a dead letter or skipped.
    pub position: Position,
    /// When the last event that it applied was recorded.
    pub applied_until: Option<Timestamp>,
    /// How it is: [`Standby`](ProjectionState::Standby) if another process works on it.
    pub state: ProjectionState,
    /// How far it is in the generation that is built beside the one that is served.
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
            partitions: Arc::default(),
        }
    }

    /// Begins to show partitions, none of which has been looked at.
    pub(crate) fn partitioned(&mut self, count: u32) {
        if count > 1 {
            self.partitions = Arc::new((0..count).map(PartitionStatus::unknown).collect());
        }
    }

    /// Shows how a partition that is served is, and so the projection.
    pub(crate) fn show(
        &mut self,
        partition: Partition,
        position: Position,
        applied_until: Option<Timestamp>,
        state: ProjectionState,
    ) {
        if partition.is_only() {
            (self.position, self.applied_until, self.state) = (position, applied_until, state);
            return;
        }
        let partitions = Arc::make_mut(&mut self.partitions);
        if let Some(shown) = partitions.get_mut(partition.index()) {
            (shown.position, shown.applied_until, shown.state) = (position, applied_until, state);
        }
        let Some(last) = partitions.iter().min_by_key(|partition| partition.position) else {
            return;
        };
        (self.position, self.applied_until) = (last.position, last.applied_until);
        let states = partitions.iter().map(|partition| &partition.state);
        if let Some(state) = states.min_by_key(|state| state.rank()) {
            self.state = state.clone();
        }
    }

    /// Shows the dead letters of a partition of a generation, in place of those before.
    pub(crate) fn show_letters(
        &mut self,
        generation: u64,
        partition: Partition,
        letters: Vec<DeadLetter>,
    ) {
        let others = self.dead_letters.iter().filter(|letter| {
            letter.generation != Some(generation) || letter.partition != partition.number()
        });
        let all: Vec<_> = others.cloned().chain(letters).collect();
        if *self.dead_letters != all {
            self.dead_letters = Arc::new(all);
        }
    }

    /// Shows how far a partition is that is built, and so the rebuild.
    pub(crate) fn show_rebuild(&mut self, partition: Partition, progress: RebuildProgress) {
        if partition.is_only() {
            self.rebuild = Some(progress);
            return;
        }
        let partitions = Arc::make_mut(&mut self.partitions);
        if let Some(shown) = partitions.get_mut(partition.index()) {
            shown.rebuild = Some(progress);
        }
        let parts = partitions.iter().map(|partition| partition.rebuild.as_ref());
        self.rebuild = RebuildProgress::of_parts(parts);
    }

    /// How far a partition is that is built.
    pub(crate) fn rebuild_of(&self, partition: Partition) -> RebuildProgress {
        let shown = match self.partitions.get(partition.index()) {
            Some(shown) => &shown.rebuild,
            None => &self.rebuild,
        };
        shown.clone().unwrap_or_default()
    }

    /// No rebuild is running.
    pub(crate) fn no_rebuild(&mut self) {
        self.rebuild = None;
        if !self.partitions.is_empty() {
            Arc::make_mut(&mut self.partitions).iter_mut().for_each(|it| it.rebuild = None);
        }
    }

    /// The position and the state of a partition, or of the projection that has no others.
    pub(crate) fn of(&self, partition: Partition) -> (Position, &ProjectionState) {
        match self.partitions.get(partition.index()) {
            Some(shown) if !self.state.has_ended() => (shown.position, &shown.state),
            Some(shown) => (shown.position, &self.state),
            None => (self.position, &self.state),
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

    /// Of all partitions the state with the lowest rank is shown for the projection: the one that
    /// somebody must do something about, else what is furthest behind.
    fn rank(&self) -> u8 {
        match self {
            Self::Failed { .. } => 0,
            Self::Parked { .. } => 1,
            Self::Retrying { .. } => 2,
            Self::Rebuilding => 3,
            Self::CatchingUp => 4,
            Self::Live | Self::Inline => 5,
            Self::Standby => 6,
            Self::Stopped => 7,
        }
    }

    /// Whether it goes on by itself.
    pub(crate) fn runs(&self) -> bool {
        !matches!(self, Self::Stopped | Self::Failed { .. } | Self::Parked { .. })
    }
}

impl PartitionStatus {
    fn unknown(partition: u32) -> Self {
        Self {
            partition,
            position: Position::ZERO,
            applied_until: None,
            state: ProjectionState::CatchingUp,
            rebuild: None,
        }
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

impl RebuildProgress {
    /// That of several partitions together; those that are not known have not begun.
    fn of_parts<'a>(parts: impl Iterator<Item = Option<&'a Self>>) -> Option<Self> {
        let not_begun = Self::default();
        parts.map(|part| part.unwrap_or(&not_begun).clone()).reduce(|all, part| Self {
            generation: all.generation.or(part.generation),
            position: all.position.min(part.position),
            head: all.head.max(part.head),
            events: all.events + part.events,
            events_per_second: all.events_per_second + part.events_per_second,
            remaining: all.remaining.max(part.remaining),
            ready: all.ready && part.ready,
            failed: all.failed.or(part.failed),
        })
    }
}
