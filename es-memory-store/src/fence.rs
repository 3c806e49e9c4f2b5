//! Closing the store to new events.

use es_core::{Fence, FenceError, FencedStore, Position, ReadError};

use crate::MemoryStore;

impl FencedStore for MemoryStore {
    async fn fence(&self, successor: &str) -> Result<(Fence, Position), FenceError> {
        // The clock is somebody else's: it is not asked under the lock.
        let since = self.clock.now();
        let mut log = self.log.write();
        let head = log.head();
        match &log.fence {
            Some(fence) if fence.successor == successor => Ok(((**fence).clone(), head)),
            Some(fence) => Err(FenceError::Fenced { fence: fence.clone() }),
            None => {
                let fence = Fence { successor: successor.to_owned(), since };
                log.fence = Some(Box::new(fence.clone()));
                Ok((fence, head))
            }
        }
    }

    async fn fenced(&self) -> Result<Option<Fence>, ReadError> {
        Ok(self.log.read().fence.as_deref().cloned())
    }

    async fn lift_fence(&self) -> Result<Option<Fence>, FenceError> {
        let mut log = self.log.write();
        Ok(log.fence.take().map(|fence| *fence))
    }
}
