//! The log: all events in their global order, and the indexes over them.

mod append;
mod matches;
mod read;
mod removal;

use es_core::jiff::Timestamp;
use es_core::{
    EventId, Fence, InlineSet, Position, Query, Recorded, RemovedPart, StreamId, Stub, Version,
};
use hashbrown::HashMap;

use self::matches::wants_everything;
use crate::event_ids::EventIds;
use crate::indexes::Indexes;
use crate::segments::{Segments, Slot};

/// What every append changes stands first and together, and not in the line of memory of the lock: one
/// thread must fetch each line that another has changed.
#[repr(C, align(64))]
pub(crate) struct Log {
    length: Slot,
    last_recorded_at: Timestamp,
    ids: EventIds,
    pub(crate) segments: Segments,
    streams: Vec<Stream>,
    by_stream: HashMap<StreamId, u32>,
    indexes: Indexes,
    /// What is changed with the events.
    inline: InlineSet,
    /// What keeps new events out.
    pub(crate) fence: Option<Box<Fence>>,
}

/// Threads that append to different streams do not change the same line of memory.
#[repr(align(64))]
struct Stream {
    slots: Vec<Slot>,
    /// Some event of the stream.
    example: Slot,
    /// What was removed of it.
    removed: Vec<RemovedPart>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            segments: Segments::default(),
            length: 0,
            last_recorded_at: Timestamp::MIN,
            streams: Vec::new(),
            by_stream: HashMap::new(),
            ids: EventIds::default(),
            indexes: Indexes::default(),
            inline: InlineSet::default(),
            fence: None,
        }
    }
}

impl Log {
    pub(crate) fn head(&self) -> Position {
        Position::new(self.length.into())
    }

    /// Whether all events that a query asks for are found.
    pub(crate) fn finds(&self, query: &Query) -> bool {
        self.indexes.reach(self.length) || wants_everything(query)
    }

    pub(crate) fn extend_indexes(&mut self) {
        self.indexes.extend(&self.segments, self.length);
    }

    #[inline]
    fn is_removed(&self, slot: Slot) -> bool {
        self.segments.is_removed(slot)
    }

    fn stream(&self, id: &StreamId) -> Option<&Stream> {
        Some(&self.streams[self.place(id)? as usize])
    }

    fn place(&self, id: &StreamId) -> Option<u32> {
        self.by_stream.get(id).copied()
    }

    fn slot_of(&self, id: EventId) -> Option<Slot> {
        self.ids.find(id, |slot| self.segments.event_id(slot))
    }

    #[inline]
    fn recorded(&self, slot: Slot) -> Recorded<'_> {
        self.segments.recorded(slot)
    }
}

impl Stream {
    fn version(&self) -> Version {
        Version::new(self.slots.len() as u64)
    }

    fn stub(&self, id: &StreamId) -> Stub {
        Stub { stream: id.clone(), version: self.version(), parts: self.removed.clone() }
    }
}
