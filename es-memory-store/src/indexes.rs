//! Where the events with each name and each tag are.

use es_core::Tag;

use crate::names::{Names, Postings};
use crate::segments::{Segments, Slot};

/// Finds events by name and by tag, up to a slot. They are noted many at a time, when somebody asks for them
/// and when a segment is full: an append touches as little as it can, because what one thread changes another
/// must fetch from it.
#[derive(Default)]
pub(crate) struct Indexes {
    pub(crate) names: Names,
    pub(crate) tags: Postings<Tag>,
    /// The first slot that is not noted.
    end: Slot,
}

impl Indexes {
    /// Whether all events are noted that are before this slot.
    #[inline]
    pub(crate) fn reach(&self, end: Slot) -> bool {
        self.end == end
    }

    /// Notes all events before this slot.
    pub(crate) fn extend(&mut self, segments: &Segments, end: Slot) {
        for slot in self.end..end {
            self.names.add(segments.name(slot), slot);
            for tag in segments.tags(slot) {
                self.tags.add(tag, slot);
            }
        }
        self.end = end;
    }
}
