//! Checkpoints: the write-ahead log is copied into the database file.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Writer;
use crate::error::{Failure, MaintenanceError};
use crate::job::Checkpointed;

impl Writer {
    pub(super) fn checkpoint_is_due(&self) -> bool {
        self.log_pages.load(Ordering::Relaxed) >= self.next_checkpoint
    }

    /// Copies the write-ahead log into the database file when it is long, after everybody was
    /// answered.
    pub(crate) fn checkpoint_when_due(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if !self.checkpoint_is_due() {
            // It begins anew after it was copied whole.
            if pages < self.next_checkpoint - self.checkpoint_pages {
                self.next_checkpoint = self.checkpoint_pages;
            }
            return;
        }
        self.next_checkpoint = match self.checkpoint("PASSIVE") {
            Ok(Checkpointed { log_pages, copied_pages, .. }) if log_pages == copied_pages => {
                self.checkpoint_pages
            }
            // Somebody reads an old state: what comes after it can not be copied yet.
            Ok(_) => pages.saturating_add(self.checkpoint_pages),
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be copied into the database");
                pages.saturating_add(self.checkpoint_pages)
            }
        };
    }

    pub(super) fn checkpoint(&self, mode: &str) -> Result<Checkpointed, MaintenanceError> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        // Only here SQLite itself may wait for somebody.
        self.connection.busy_timeout(self.busy).map_err(Failure::from)?;
        let done = self.connection.query_row(&sql, [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        self.connection.busy_timeout(Duration::ZERO).map_err(Failure::from)?;
        let (busy, log, copied) = done.map_err(Failure::from)?;
        Ok(Checkpointed {
            complete: busy == 0 && log == copied,
            log_pages: u64::try_from(log).unwrap_or(0),
            copied_pages: u64::try_from(copied).unwrap_or(0),
        })
    }
}
