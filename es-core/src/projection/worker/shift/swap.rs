//! Making the generation live that was built.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Shift;
use crate::projection::ledger::Ledger;
use crate::projection::race::race;
use crate::projection::workplace::Exit;
use crate::store::EventStore;

/// How long a rebuild holds up the live generation while its other partitions catch up, and how long
/// it leaves it alone then.
const SWAP_LONGEST: Duration = Duration::from_millis(100);

/// How often a rebuild that can not swap looks at the partitions that other processes work on, which
/// tell nobody how far they are.
const LOOK_AT_OTHERS: Duration = Duration::from_millis(10);

impl<S: EventStore> Shift<'_, S> {
    /// Makes the generation live, once it is not behind the one that is. Whether it is this partition
    /// that is to try again.
    pub(super) async fn swap(
        &mut self,
        ledger: &mut Ledger,
        live: Option<u64>,
        built: &mut watch::Receiver<u64>,
    ) -> Result<bool, Exit> {
        let place = &*self.worker.place;
        let store = place.durable()?;
        if !self.worker.partition.is_only() {
            // The others look at what is stored.
            ledger.store_what_was_seen(place, store).await?;
            if self.told < Some(ledger.position()) {
                self.told = Some(ledger.position());
                place.built.send_modify(|count| *count += 1);
            }
        }
        // Nobody is held up before it is worth it.
        let Ok(_alone) = place.swapping.try_lock() else { return Ok(false) };
        if !ledger.is_near(place, live).await? {
            return Ok(false);
        }
        // The live generation's workers in this process commit nothing meanwhile.
        let turn = place.turn.write().await;
        self.look_at_served().await?;
        let (began, goal) = (Instant::now(), ledger.position());
        loop {
            let fetched = self.next(ledger.position()).await?;
            self.head = self.head.max(fetched.head);
            if self.step(ledger, &fetched).await? {
                return Ok(true);
            }
            if fetched.more {
                continue;
            }
            if place.inline.is_some() {
                if ledger.swap_in_step(place, live).await? {
                    return Err(Exit::Inline);
                }
                drop(turn);
                return Ok(false);
            }
            if ledger.swap(place, store, live, goal).await? {
                return Err(Exit::Changed);
            }
            // A live one's worker in another process was faster, or another partition of this
            // generation is behind.
            self.report_caught_up(ledger);
            if !self.worker.partition.is_only() {
                if began.elapsed() >= SWAP_LONGEST {
                    drop(turn);
                    place.unless_stopped(tokio::time::sleep(SWAP_LONGEST)).await?;
                    return Ok(false);
                }
                let left = SWAP_LONGEST.saturating_sub(began.elapsed());
                let pause = self.until_others_are_looked_at(left);
                place.unless_stopped(race(built.changed(), tokio::time::sleep(pause))).await?;
            }
        }
    }

    /// How long to wait for the partitions of this process, which say when they have come further, and
    /// for those of others, which do not.
    pub(super) fn until_others_are_looked_at(&self, longest: Duration) -> Duration {
        match self.worker.share.borrow().is_shared() {
            true => LOOK_AT_OTHERS.min(longest),
            false => longest,
        }
    }
}
