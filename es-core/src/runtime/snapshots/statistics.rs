//! How snapshots fare.

use std::sync::atomic::{AtomicU64, Ordering};

/// How the snapshots of a runtime fare, from [`Runtime::snapshots`](crate::Runtime::snapshots).
/// Counted since the start of the runtime, and by this process alone.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct SnapshotStatistics {
    /// Loads that went on from a snapshot.
    pub hits: u64,
    /// Loads that found none.
    pub missing: u64,
    /// Loads that found one that could not be used: damaged, of another type of state, or of another
    /// history. A warning in the log says which and why.
    pub unusable: u64,
    /// Snapshots that were taken and stored.
    pub written: u64,
    /// Snapshots that could not be taken or stored. A warning in the log says why.
    pub failed: u64,
    /// Snapshots that were not taken because too many waited.
    pub postponed: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    hits: AtomicU64,
    missing: AtomicU64,
    unusable: AtomicU64,
    written: AtomicU64,
    failed: AtomicU64,
    postponed: AtomicU64,
}

impl Counters {
    pub(super) fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_missing(&self) {
        self.missing.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_unusable(&self) {
        self.unusable.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_written(&self) {
        self.written.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_postponed(&self) {
        self.postponed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> SnapshotStatistics {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SnapshotStatistics {
            hits: of(&self.hits),
            missing: of(&self.missing),
            unusable: of(&self.unusable),
            written: of(&self.written),
            failed: of(&self.failed),
            postponed: of(&self.postponed),
        }
    }
}
