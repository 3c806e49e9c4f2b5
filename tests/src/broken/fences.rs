//! The fence of a broken store.

use std::time::Duration;

use es_core::jiff::Timestamp;
use es_core::{AppendError, Commit, Fence, FenceError, FencedStore, Position, ReadError};

use crate::broken::bug::Bug;
use crate::broken::inline::Way;
use crate::broken::log::{Log, microseconds};
use crate::broken::{BrokenStore, lock};

impl BrokenStore {
    /// Refuses a commit that comes this way while there is a fence.
    pub(super) fn check_fence(
        &self,
        log: &mut Log,
        commit: &Commit,
        way: Way,
    ) -> Result<(), AppendError> {
        let Some(fence) = log.fence.clone() else { return Ok(()) };
        let passes = match self.bug {
            Some(Bug::FenceLetsOneThrough) => !std::mem::replace(&mut log.passed, true),
            Some(Bug::FenceNotForChains) => way == Way::Chained,
            Some(Bug::FenceNotAtOnce) => way == Way::AtOnce,
            Some(Bug::FenceNotInPlace) => way == Way::InPlace,
            Some(Bug::FenceNotUnderConditions) => way == Way::Guarded,
            Some(Bug::FenceNotForCopies) => way == Way::Copied,
            _ => false,
        };
        if passes {
            return Ok(());
        }
        if self.has(Bug::FenceBurnsPosition) {
            log.burnt += commit.event_count() as u64;
        }
        Err(AppendError::Fenced { fence: Box::new(fence) })
    }
}

impl FencedStore for BrokenStore {
    async fn fence(&self, successor: &str) -> Result<(Fence, Position), FenceError> {
        let old_head = lock(&self.log).head();
        if self.has(Bug::FenceAtAnOldHead) {
            tokio::task::yield_now().await;
        }
        let mut log = lock(&self.log);
        let head = if self.has(Bug::FenceAtAnOldHead) { old_head } else { log.head() };
        match &mut log.fence {
            Some(fence) if fence.successor == successor => {
                if self.has(Bug::FenceStampedAnew) {
                    fence.since += Duration::from_secs(1);
                }
                return Ok((fence.clone(), head));
            }
            Some(fence) if !self.has(Bug::FenceReplaced) => {
                return Err(FenceError::Fenced { fence: Box::new(fence.clone()) });
            }
            _ => {}
        }
        let since = microseconds(Timestamp::now());
        let fence = Fence { successor: successor.to_owned(), since };
        (log.fence, log.lifted) = (Some(fence.clone()), None);
        Ok((fence, head))
    }

    async fn fenced(&self) -> Result<Option<Fence>, ReadError> {
        Ok(lock(&self.log).fence.clone())
    }

    async fn lift_fence(&self) -> Result<Option<Fence>, FenceError> {
        let mut log = lock(&self.log);
        if self.has(Bug::FenceStays) {
            return Ok(log.fence.clone());
        }
        log.lifted = log.fence.take();
        Ok(log.lifted.clone())
    }
}
