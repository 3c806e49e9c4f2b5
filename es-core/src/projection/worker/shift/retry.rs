//! Trying parked keys again.

use std::sync::Arc;

use super::Shift;
use crate::projection::host::Start;
use crate::projection::ledger::Ledger;
use crate::projection::session::{KeySet, Part};
use crate::projection::workplace::Exit;
use crate::store::EventStore;
use crate::version::Position;

impl<S: EventStore> Shift<'_, S> {
    /// Tries parked keys again, in the order of their events.
    pub(super) async fn retry_keys(&mut self, ledger: &mut Ledger) -> Result<(), Exit> {
        for key in ledger.parked_keys() {
            self.retry_key(ledger, key).await?;
        }
        self.report(ledger);
        Ok(())
    }

    /// Applies to one document what it has missed, up to where the projection stands.
    async fn retry_key(&mut self, ledger: &mut Ledger, key: String) -> Result<(), Exit> {
        let place = &*self.worker.place;
        let Some(letter) = ledger.letter(&key) else { return Ok(()) };
        let mut up_to = ledger.position();
        let mut failed = None;
        loop {
            let mut session =
                Arc::clone(&place.host).session(Start::Generation(self.worker.generation));
            let mut feed = place.feed(up_to);
            let mut at = Position::new(letter.position.get().saturating_sub(1));
            let mut document = None;
            let failure = loop {
                // An empty range needs no read.
                if at >= up_to {
                    break None;
                }
                let fetched = place.next(&mut feed, at).await?;
                let part = Part {
                    end: fetched.batch.len(),
                    skips: ledger.skips(),
                    keys: KeySet::Only(key.clone()),
                    partition: self.worker.partition,
                    replay_until: self.replay_until(),
                };
                let missing = session.missing(&fetched.batch, &part);
                session.load(ledger.documents(place, missing).await?);
                match session.apply(&fetched.batch, &part) {
                    Ok(changes) => {
                        if let Some(changed) = changes.documents.into_iter().next() {
                            document = Some(changed);
                        }
                    }
                    Err(failure) => break Some(failure),
                }
                at = fetched.token;
                if !fetched.more {
                    break None;
                }
            };
            match failure {
                None => {
                    let store = place.durable()?;
                    let turn = self.worker.turn().await;
                    let done = ledger.settle(store, &key, document, failed).await;
                    drop(turn);
                    self.session.forget_key(&key);
                    return match done {
                        Ok(()) => Ok(()),
                        Err(error) => place.endure(error.category(), &error, 1).await,
                    };
                }
                Some(failure) => {
                    // Again, up to the event that fails.
                    up_to = Position::new(failure.position.get().saturating_sub(1));
                    let again = failure.position == letter.position;
                    let attempts = if again { letter.attempts.saturating_add(1) } else { 1 };
                    failed = Some(failure.letter(
                        place.name(),
                        Some(self.worker.generation),
                        self.worker.partition,
                        attempts,
                    ));
                }
            }
        }
    }
}
