//! Showing how far the generation is.

use std::time::Duration;

use super::{Role, Shift, Worker};
use crate::projection::ledger::Ledger;
use crate::projection::{ProjectionState, RebuildProgress};
use crate::store::EventStore;

impl<S: EventStore> Shift<'_, S> {
    /// Shows how far the generation is.
    pub(crate) fn report(&self, ledger: &Ledger) {
        self.show(ledger, ProjectionState::CatchingUp, false);
    }

    pub(super) fn report_caught_up(&self, ledger: &Ledger) {
        self.show(ledger, ProjectionState::Live, true);
    }

    fn show(&self, ledger: &Ledger, state: ProjectionState, ready: bool) {
        let state = ledger.parked_state().unwrap_or(state);
        let Worker { generation, partition, .. } = *self.worker;
        let letters = ledger.letters();
        self.worker.place.host.board().update(|status| {
            status.head = status.head.max(self.head);
            status.show_letters(generation, partition, letters);
            match self.worker.role {
                Role::Live => {
                    status.generation = Some(generation);
                    status.show(partition, ledger.position(), ledger.applied_until(), state);
                }
                Role::Building { live, .. } => {
                    status.show_rebuild(partition, self.progress(ledger, ready));
                    if live.is_none() {
                        status.state = match state {
                            parked @ ProjectionState::Parked { .. } => parked,
                            _ => ProjectionState::Rebuilding,
                        };
                    }
                }
            }
        });
    }

    fn progress(&self, ledger: &Ledger, ready: bool) -> RebuildProgress {
        let elapsed = self.began.elapsed().as_secs_f64();
        let events = ledger.events();
        let done = events.saturating_sub(self.events_before) as f64;
        let per_second = if elapsed > 0.0 { done / elapsed } else { 0.0 };
        let position = ledger.position();
        let left = self.head.get().saturating_sub(position.get()) as f64;
        // Events that it does not want take no time: the share of those it has met stays.
        let share = if position.get() > 0 { events as f64 / position.get() as f64 } else { 1.0 };
        let remaining = (per_second > 0.0)
            .then(|| Duration::try_from_secs_f64(left * share / per_second).ok())
            .flatten();
        RebuildProgress {
            generation: Some(self.worker.generation),
            position,
            head: self.head,
            events,
            events_per_second: per_second as u64,
            remaining,
            ready,
            failed: None,
        }
    }
}
