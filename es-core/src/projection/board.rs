//! What is known of a projection in this process, and what is asked of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::watch;

use crate::error::ignore_poison;
use crate::projection::host::ProjectionType;
use crate::projection::inline::Standing;
use crate::projection::partition::Partition;
use crate::projection::status::{ProjectionHome, ProjectionState, ProjectionStatus};
use crate::telemetry::metrics;
use crate::version::Position;

/// The status of a projection, and the bell of its workers.
pub(crate) struct Board {
    status: watch::Sender<ProjectionStatus>,
    /// Rung when somebody has asked for something, so that workers look.
    bell: watch::Sender<u64>,
    rebuilds: AtomicU64,
    rebuilt: AtomicU64,
    /// The positions that somebody has decided to skip.
    skips: Mutex<Arc<BTreeSet<Position>>>,
    /// The head of the store when the runtime started.
    begun_at: OnceLock<Position>,
    /// How far the projection is, while it is changed in the step of every append.
    inline: Mutex<Option<Standing>>,
}

impl Board {
    pub(crate) fn new(projection: &ProjectionType, home: ProjectionHome) -> Self {
        let mut status = ProjectionStatus::new(projection.name, projection.version, home);
        status.partitioned(projection.partitions);
        Self {
            status: watch::Sender::new(status),
            bell: watch::Sender::new(0),
            rebuilds: AtomicU64::new(0),
            rebuilt: AtomicU64::new(0),
            skips: Mutex::default(),
            begun_at: OnceLock::new(),
            inline: Mutex::default(),
        }
    }

    pub(crate) fn status(&self) -> ProjectionStatus {
        self.status.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<ProjectionStatus> {
        self.status.subscribe()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut ProjectionStatus)) {
        self.status.send_modify(|status| {
            change(status);
            metrics::status(status);
        });
    }

    pub(crate) fn set_state(&self, state: ProjectionState) {
        self.status.send_if_modified(|status| {
            let other = status.state != state;
            status.state = state;
            other
        });
    }

    /// The state of the projection and of each of its partitions.
    pub(crate) fn set_all(&self, state: ProjectionState) {
        self.update(|status| {
            for partition in Arc::make_mut(&mut status.partitions) {
                partition.state = state.clone();
            }
            status.state = state;
        });
    }

    pub(crate) fn ring(&self) {
        self.bell.send_modify(|count| *count += 1);
    }

    /// Hears every ring from now on.
    pub(crate) fn bell(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Asks for a rebuild of what is kept in memory, and answers with its number.
    pub(crate) fn ask_for_rebuild(&self) -> u64 {
        let number = self.rebuilds.fetch_add(1, Ordering::SeqCst) + 1;
        self.ring();
        number
    }

    /// How many of the rebuilds are done.
    pub(crate) fn rebuilt(&self) -> u64 {
        self.rebuilt.load(Ordering::SeqCst)
    }

    pub(crate) fn set_rebuilt(&self, count: u64) {
        self.rebuilt.store(count, Ordering::SeqCst);
        self.update(|status| status.rebuild = None);
    }

    pub(crate) fn skips(&self) -> Arc<BTreeSet<Position>> {
        let skips = ignore_poison(self.skips.lock());
        Arc::clone(&skips)
    }

    pub(crate) fn set_skips(&self, skips: Arc<BTreeSet<Position>>) {
        *ignore_poison(self.skips.lock()) = skips;
    }

    /// Skips an event in this process only.
    pub(crate) fn skip(&self, position: Position) {
        let mut skips = ignore_poison(self.skips.lock());
        Arc::make_mut(&mut skips).insert(position);
    }

    /// The head of the store when the runtime started, which is this one if nobody has said so before.
    pub(crate) fn begun_at(&self, head: Position) -> Position {
        *self.begun_at.get_or_init(|| head)
    }

    /// How far a partition of a generation is, as far as it is shown.
    pub(crate) fn position(&self, generation: u64, partition: Partition) -> Position {
        let status = self.status.borrow();
        match status.generation == Some(generation) {
            true => status.of(partition).0,
            false => Position::ZERO,
        }
    }

    /// How far the projection is, if it is changed in the step of every append now.
    pub(crate) fn inline(&self) -> Option<Standing> {
        *ignore_poison(self.inline.lock())
    }

    /// Waits until side effects know where they begin, or will not before somebody does something.
    pub(crate) async fn begun_or_not(&self) {
        let settled = |status: &ProjectionStatus| {
            status.generation.is_some()
                || matches!(status.state, ProjectionState::Failed { .. })
                || status.state.has_ended()
        };
        // The sender lives here.
        let _ = self.watch().wait_for(settled).await;
    }

    /// Waits until an inline projection takes part in appends, or will not before somebody does
    /// something.
    pub(crate) async fn inline_or_not(&self) {
        let settled = |status: &ProjectionStatus| {
            matches!(
                status.state,
                ProjectionState::Inline
                    | ProjectionState::Parked { .. }
                    | ProjectionState::Failed { .. }
            ) || status.state.has_ended()
                || !status.dead_letters.is_empty()
        };
        // The sender lives here.
        let _ = self.watch().wait_for(settled).await;
    }

    pub(crate) fn set_inline(&self, standing: Option<Standing>) {
        *ignore_poison(self.inline.lock()) = standing;
    }

    /// How many rebuilds were asked for.
    pub(crate) fn rebuilds(&self) -> u64 {
        self.rebuilds.load(Ordering::SeqCst)
    }

    /// Says that the projection has ended if nothing else has.
    pub(crate) fn end(&self) {
        self.status.send_if_modified(|status| {
            let goes_on = !status.state.has_ended();
            if goes_on {
                status.state = ProjectionState::Stopped;
                status.no_rebuild();
            }
            goes_on
        });
    }
}
