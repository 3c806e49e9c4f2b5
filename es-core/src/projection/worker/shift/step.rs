//! Applying a batch, and storing what it changes.

use std::time::Instant;

use tracing::Instrument;

use super::{Shift, Worker};
use crate::projection::failure::ProjectionFailure;
use crate::projection::feed::Fetched;
use crate::projection::host::Needs;
use crate::projection::ledger::{Entry, Ledger};
use crate::projection::session::{Failure, KeySet, Part};
use crate::projection::workplace::Exit;
use crate::store::{EventStore, StateError};
use crate::telemetry::metrics::{self, Stopwatch};
use crate::telemetry::{Retried, TARGET, project_span};
use crate::version::Position;

impl<S: EventStore> Shift<'_, S> {
    /// Applies a batch and stores what it changes, as far as it can be applied. Whether the
    /// projection is parked then.
    pub(super) async fn step(
        &mut self,
        ledger: &mut Ledger,
        fetched: &Fetched,
    ) -> Result<bool, Exit> {
        if self.worker.place.host.needs() == Needs::Effects {
            return self.react(ledger, fetched).await;
        }
        let name = self.worker.place.name();
        let span = {
            let Worker { generation, partition, .. } = *self.worker;
            project_span(name, Some(generation), partition.number(), fetched.batch.len())
        };
        let (began, before) = (Stopwatch::start(), ledger.events());
        let parked = self.project(ledger, fetched).instrument(span).await?;
        metrics::projected(name, ledger.events() - before, began);
        Ok(parked)
    }

    async fn project(&mut self, ledger: &mut Ledger, fetched: &Fetched) -> Result<bool, Exit> {
        let place = &*self.worker.place;
        let store = place.durable()?;
        let mut tries = Tries::default();
        let mut store_failures = 1;
        let mut entry = Entry::new(fetched);
        loop {
            let part = Part {
                end: entry.end,
                skips: ledger.skips(),
                keys: KeySet::Except(ledger.parked_with(&entry)),
                partition: self.worker.partition,
                replay_until: self.replay_until(),
            };
            let missing = self.session.missing(&fetched.batch, &part);
            if !missing.is_empty() {
                let documents = ledger.documents(place, missing).await?;
                self.session.load(documents);
            }
            let changes = match self.session.apply(&fetched.batch, &part) {
                Ok(changes) => changes,
                Err(failure) => {
                    self.session.forget();
                    self.fail(ledger, &mut entry, &mut tries, failure).await?;
                    continue;
                }
            };
            match ledger.commit(store, &entry, changes).await {
                Ok(()) => {
                    self.session.committed();
                    self.renewed = Instant::now();
                    return Ok(ledger.is_parked());
                }
                Err(StateError::Abandoned) => {
                    self.session.forget();
                    let Some(failure) = self.session.take_failure() else {
                        let error = StateError::Abandoned;
                        return Err(Exit::Failed(ProjectionFailure::of_store(&error)));
                    };
                    self.fail(ledger, &mut entry, &mut tries, failure).await?;
                }
                Err(error) => {
                    self.session.forget();
                    place.endure(error.category(), &error, store_failures).await?;
                    store_failures = store_failures.saturating_add(1);
                }
            }
        }
    }

    /// Takes note of a failure: the event is tried again, or parks its key or the projection.
    async fn fail(
        &mut self,
        ledger: &Ledger,
        entry: &mut Entry,
        tries: &mut Tries,
        failure: Failure,
    ) -> Result<(), Exit> {
        let place = &*self.worker.place;
        let attempts = tries.count(&failure);
        let (projection, position) = (place.name(), failure.position.get());
        if failure.transient && place.retry.allows_more_than(attempts) {
            let error = &failure.error;
            metrics::retry(Retried::Project);
            tracing::warn!(target: TARGET, projection, position, attempts, %error, "event is projected again");
            return place.pause(attempts).await;
        }
        let error = &failure.error;
        tracing::error!(target: TARGET, projection, position, key = failure.key, %error, "projection parked");
        ledger.park(entry, failure, attempts);
        Ok(())
    }
}

/// How often one event was tried.
#[derive(Default)]
struct Tries {
    of: Option<(Position, Option<String>)>,
    count: u32,
}

impl Tries {
    fn count(&mut self, failure: &Failure) -> u32 {
        let of = Some((failure.position, failure.key.clone()));
        if self.of == of {
            self.count = self.count.saturating_add(1);
        } else {
            (self.of, self.count) = (of, 1);
        }
        self.count
    }
}
