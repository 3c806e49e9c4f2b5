//! The events of the log in segments: those that are full are shared with pages, the last one grows.

use std::ops::Range;
use std::sync::Arc;

use es_core::bytes::Bytes;
use es_core::{Alike, EventBlock, EventId, Metadata, PageBuilder, Position, Recorded, Tag};

/// How many events a segment has when it is full. So few in this crate's own tests that they see many
/// segments.
const SEGMENT_EVENTS: usize = if cfg!(test) { 4 } else { EventBlock::MAX_EVENTS };

/// Where an event stands in the log, counted from zero. Its position is one more.
pub(crate) type Slot = u32;

/// The position of the event in a slot.
pub(crate) fn position(slot: Slot) -> Position {
    Position::new(u64::from(slot) + 1)
}

/// In the order in which an append changes them; see [`Log`](crate::log::Log).
#[derive(Default)]
#[repr(C)]
pub(crate) struct Segments {
    last: EventBlock,
    /// The first slot of the last one.
    first: Slot,
    /// Nothing is added to them any more.
    sealed: Vec<Arc<EventBlock>>,
    next: Next,
}

/// The segment behind the last one. Its memory is fetched from the system while the last one is filled, and
/// without the lock of the log: all who append would wait for it.
#[derive(Default, Debug)]
enum Next {
    #[default]
    Missing,
    InTheMaking,
    Ready(EventBlock),
}

/// How much memory the next segment will need.
pub(crate) struct Room {
    payload_bytes: usize,
}

/// Larger payloads find their memory when they come: it is the least that they cost.
const MOST_PAYLOAD_BYTES: usize = 256 * EventBlock::MAX_EVENTS;

impl Room {
    /// An empty segment.
    pub(crate) fn make(self) -> EventBlock {
        EventBlock::with_memory(SEGMENT_EVENTS, self.payload_bytes)
    }
}

impl Segments {
    /// The first slot that belongs to the segment which the next event goes to.
    #[inline]
    pub(crate) fn first_of_next(&self) -> Slot {
        if self.last.len() == SEGMENT_EVENTS {
            self.first + SEGMENT_EVENTS as Slot
        } else {
            self.first
        }
    }

    /// Adds an event at the end. `stream` and `name` are the slots of events of its stream, and with its
    /// name.
    #[inline]
    pub(crate) fn push(
        &mut self,
        recorded: &Recorded<'_>,
        payload: &Bytes,
        stream: Option<Slot>,
        name: Option<Slot>,
    ) {
        if self.last.len() == SEGMENT_EVENTS {
            self.seal();
        }
        let in_last = |slot: Option<Slot>| Some(slot?.checked_sub(self.first)? as usize);
        let alike = Alike { stream: in_last(stream), name: in_last(name), payload: Some(payload) };
        // It is not full, and no position and no version of the log needs more than 32 bits.
        let taken = self.last.push(recorded, alike);
        debug_assert!(taken, "the last segment refused an event");
    }

    /// Asks whoever appends to make the next segment, once when the last one is half full.
    #[inline]
    pub(crate) fn wanted(&mut self) -> Option<Room> {
        let half_full = self.last.len() >= SEGMENT_EVENTS / 2;
        if !half_full || !matches!(self.next, Next::Missing) {
            return None;
        }
        self.next = Next::InTheMaking;
        // As many bytes as in the last one when it is full, and an eighth more.
        let payload_bytes = self.last.payload_bytes(0..self.last.len()) * 9 / 4;
        Some(Room { payload_bytes: payload_bytes.min(MOST_PAYLOAD_BYTES) })
    }

    pub(crate) fn provide(&mut self, next: EventBlock) {
        self.next = Next::Ready(next);
    }

    #[cold]
    fn seal(&mut self) {
        let next = match std::mem::take(&mut self.next) {
            Next::Ready(next) => next,
            Next::Missing | Next::InTheMaking => EventBlock::with_capacity(SEGMENT_EVENTS),
        };
        let mut full = std::mem::replace(&mut self.last, next);
        full.seal();
        self.first += full.len() as Slot;
        self.sealed.push(Arc::new(full));
    }

    #[inline]
    pub(crate) fn recorded(&self, slot: Slot) -> Recorded<'_> {
        let (block, place) = self.find(slot);
        block.event(place)
    }

    #[inline]
    pub(crate) fn event_id(&self, slot: Slot) -> EventId {
        let (block, place) = self.find(slot);
        block.event_id(place)
    }

    #[inline]
    pub(crate) fn name(&self, slot: Slot) -> &str {
        let (block, place) = self.find(slot);
        block.name(place)
    }

    #[inline]
    pub(crate) fn tags(&self, slot: Slot) -> &[Tag] {
        let (block, place) = self.find(slot);
        block.tags(place)
    }

    #[inline]
    pub(crate) fn is_removed(&self, slot: Slot) -> bool {
        let (block, place) = self.find(slot);
        block.is_removed(place)
    }

    /// The first of these slots that are in one segment; those of a segment of which something was
    /// removed come one by one.
    #[inline]
    pub(crate) fn run(&self, slots: Range<Slot>) -> Range<Slot> {
        let (block, place) = self.find(slots.start);
        let events = if block.has_removed() { 1 } else { block.len() - place };
        slots.start..slots.start + slots.len().min(events) as Slot
    }

    /// Adds the events of a [run](Self::run) to a page: the first, and as many more as the page does not
    /// get more than so many `bytes` by. Answers with the slots of the others.
    pub(crate) fn show(
        &self,
        mut run: Range<Slot>,
        page: &mut PageBuilder,
        bytes: usize,
    ) -> Range<Slot> {
        let (segment, first) = place(run.start);
        if let Some(block) = self.sealed.get(segment) {
            let room = bytes.saturating_sub(page.bytes());
            let mut places = first..first + run.len();
            while places.len() > 1 && block.payload_bytes(places.clone()) > room {
                places.end -= places.len() / 2;
            }
            run.start += places.len() as Slot;
            page.share(block, places);
        } else {
            // Whoever holds the page must not keep the last segment from growing.
            page.push(self.recorded(run.start));
            run.start += 1;
            while page.bytes() < bytes
                && let Some(slot) = run.next()
            {
                page.push(self.recorded(slot));
            }
        }
        run
    }

    pub(crate) fn remove(&mut self, slot: Slot) {
        let (block, place) = self.find_to_change(slot);
        block.remove(place);
    }

    pub(crate) fn put_back(&mut self, slot: Slot, payload: &Bytes, metadata: &Metadata) {
        let (block, place) = self.find_to_change(slot);
        block.put_back(place, payload, metadata);
    }

    #[inline]
    fn find(&self, slot: Slot) -> (&EventBlock, usize) {
        let (segment, place) = place(slot);
        (self.sealed.get(segment).map_or(&self.last, Arc::as_ref), place)
    }

    /// A segment that pages share is copied first: they go on showing what they showed.
    fn find_to_change(&mut self, slot: Slot) -> (&mut EventBlock, usize) {
        let (segment, place) = place(slot);
        (self.sealed.get_mut(segment).map_or(&mut self.last, Arc::make_mut), place)
    }
}

/// The segment of a slot, and the place in it.
#[inline]
fn place(slot: Slot) -> (usize, usize) {
    (slot as usize / SEGMENT_EVENTS, slot as usize % SEGMENT_EVENTS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use es_core::{Commit, EventStore, ExpectedVersion, NewEvent, SchemaVersion, StreamId, Tags};

    use super::*;
    use crate::MemoryStore;

    #[tokio::test]
    async fn the_next_segment_is_made_while_the_last_one_is_filled() {
        let store = MemoryStore::new();
        let event = || NewEvent {
            id: EventId::generate(),
            name: "lit".into(),
            schema_version: SchemaVersion::FIRST,
            payload: Bytes::from_static(b"{}"),
            tags: Tags::new(),
            occurred_at: None,
            metadata: Metadata::EMPTY,
        };
        let append = async |events| {
            let events = std::iter::repeat_with(event).take(events).collect();
            let stream = StreamId::new("lamp", 1).unwrap();
            store
                .append(&Commit::new(stream, ExpectedVersion::Any, events).unwrap())
                .await
                .unwrap();
        };
        let is_ready = || matches!(store.log.read().segments.next, Next::Ready(_));
        append(1).await;
        assert!(!is_ready());
        append(1).await;
        assert!(is_ready(), "the segment is half full");
        append(3).await;
        assert!(!is_ready(), "the next one is in use");
        append(4 * SEGMENT_EVENTS + 1).await;
        assert!(is_ready(), "after a commit that fills several");
    }
}
