//! Blocks that were read lately, decoded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::Events;

/// The lines of all blocks that are kept are together not longer than this.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// The blocks that were read last, of all segments of an archive.
#[derive(Default)]
pub(crate) struct BlockCache(Mutex<Blocks>);

#[derive(Default)]
struct Blocks {
    /// The one that was used last at the end.
    blocks: VecDeque<Known>,
    bytes: u64,
}

struct Known {
    segment: Arc<str>,
    number: usize,
    bytes: u64,
    events: Events,
}

impl BlockCache {
    pub(super) fn get(&self, segment: &Arc<str>, number: usize) -> Option<Events> {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |known: &Known| known.number == number && known.segment == *segment;
        let at = blocks.blocks.iter().rposition(is_it)?;
        let known = blocks.blocks.remove(at)?;
        let events = Arc::clone(&known.events);
        blocks.blocks.push_back(known);
        Some(events)
    }

    pub(super) fn put(&self, segment: &Arc<str>, number: usize, bytes: u64, events: &Events) {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (segment, events) = (Arc::clone(segment), Arc::clone(events));
        blocks.bytes += bytes;
        blocks.blocks.push_back(Known { segment, number, bytes, events });
        while blocks.bytes > MOST_BYTES && blocks.blocks.len() > 1 {
            let oldest = blocks.blocks.pop_front();
            blocks.bytes -= oldest.map_or(0, |oldest| oldest.bytes);
        }
    }

    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Blocks::default();
    }
}
