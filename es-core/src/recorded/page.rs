//! Pages: what a read answers with.

use std::ops::Range;
use std::sync::Arc;

use crate::recorded::Recorded;
use crate::recorded::block::{Alike, EventBlock};

/// A run of recorded events, in [blocks](EventBlock) that the page owns or shares with a store in memory.
/// Readers go over it with [`iter`](Page::iter); a store makes it with a [`PageBuilder`]. Cloning
/// shares the events.
#[derive(Clone, Default, Debug)]
pub struct Page {
    blocks: Vec<Arc<EventBlock>>,
    runs: Vec<Run>,
    payload_bytes: usize,
}

/// Events that follow each other in a block and in the page.
#[derive(Clone, Debug)]
struct Run {
    /// The index of the block.
    block: u32,
    /// The place of the first in the block.
    first: u32,
    /// How many events the page holds up to the end of the run.
    end: usize,
}

impl Page {
    /// How many events the page holds.
    pub fn len(&self) -> usize {
        self.runs.last().map_or(0, |run| run.end)
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many bytes the payloads have together.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// The events in the order of the read.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Recorded<'_>> + ExactSizeIterator {
        self.part(0..self.len())
    }

    /// The events at these places, which are counted from zero.
    #[inline]
    pub(crate) fn part(
        &self,
        places: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = Recorded<'_>> + ExactSizeIterator {
        let places = places.start..places.end.min(self.len());
        let left = places.len();
        let first = self.runs.partition_point(|run| run.end <= places.start);
        let events = (first..self.runs.len()).flat_map(move |run| self.run(run, &places));
        Counted { events, left }
    }

    /// The last event.
    pub fn last(&self) -> Option<Recorded<'_>> {
        self.iter().next_back()
    }

    fn add(&mut self, block: &Arc<EventBlock>, places: Range<usize>) {
        let end = self.len() + places.len();
        if self.blocks.last().is_none_or(|last| !Arc::ptr_eq(last, block)) {
            self.blocks.push(Arc::clone(block));
        } else if let Some(last) = self.runs.len().checked_sub(1) {
            let Places { places: known, .. } = self.run(last, &(0..self.len()));
            if known.end == places.start {
                self.runs[last].end = end;
                return;
            }
        }
        let block = (self.blocks.len() - 1) as u32;
        self.runs.push(Run { block, first: places.start as u32, end });
    }

    /// The events of a run that are at these places of the page.
    #[inline]
    fn run(&self, index: usize, places: &Range<usize>) -> Places<'_> {
        let Run { block, first, end } = self.runs[index];
        let start = index.checked_sub(1).map_or(0, |before| self.runs[before].end);
        let from = places.start.max(start);
        let to = places.end.min(end).max(from);
        let in_block = |place: usize| first as usize + place - start;
        Places { block: &self.blocks[block as usize], places: in_block(from)..in_block(to) }
    }
}

/// Events that follow each other in a block.
struct Places<'a> {
    block: &'a EventBlock,
    places: Range<usize>,
}

impl<'a> Iterator for Places<'a> {
    type Item = Recorded<'a>;

    #[inline]
    fn next(&mut self) -> Option<Recorded<'a>> {
        self.places.next().map(|place| self.block.event(place))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }
}

impl DoubleEndedIterator for Places<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.places.next_back().map(|place| self.block.event(place))
    }
}

/// Events of which it is known how many there are.
struct Counted<I> {
    events: I,
    left: usize,
}

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    #[inline]
    fn next(&mut self) -> Option<I::Item> {
        let next = self.events.next()?;
        self.left -= 1;
        Some(next)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<I: DoubleEndedIterator> DoubleEndedIterator for Counted<I> {
    #[inline]
    fn next_back(&mut self) -> Option<I::Item> {
        let next = self.events.next_back()?;
        self.left -= 1;
        Some(next)
    }
}

impl<I: Iterator> ExactSizeIterator for Counted<I> {}

/// Makes a [`Page`] of events, one after another: those that are [pushed](Self::push) are copied, those
/// that are [shared](Self::share) stay where they lie.
#[derive(Default, Debug)]
pub struct PageBuilder {
    page: Page,
    /// Takes copies. It is behind the page's blocks.
    open: EventBlock,
    /// How many copies there is to be room for.
    room: usize,
    /// How many bytes the names have that were copied into the page's blocks.
    names: usize,
}

impl PageBuilder {
    /// An empty page with room for so many copied `events`.
    pub fn with_capacity(events: usize) -> Self {
        Self { open: EventBlock::with_capacity(events), room: events, ..Self::default() }
    }

    /// Copies an event to the end of the page.
    #[inline]
    pub fn push(&mut self, recorded: Recorded<'_>) {
        // Events of one stream follow each other in a read of it, and events of one name do anywhere.
        let last = self.open.len().checked_sub(1);
        let alike = Alike { stream: last, kind: last, payload: None };
        if !self.open.push(&recorded, alike) {
            self.close();
            self.open = EventBlock::with_capacity(self.room.saturating_sub(self.page.len()));
            // One that is empty takes every event.
            let taken = self.open.push(&recorded, Alike::default());
            debug_assert!(taken, "an empty block refused an event");
        }
        self.page.payload_bytes += recorded.payload.as_bytes().len();
    }

    /// Adds events of a block to the end of the page and copies nothing. Places that the block does not
    /// have are left out.
    #[inline]
    pub fn share(&mut self, block: &Arc<EventBlock>, places: Range<usize>) {
        let places = places.start..places.end.min(block.len());
        if places.is_empty() {
            return;
        }
        if !self.open.is_empty() {
            self.close();
        }
        self.page.payload_bytes += block.payload_bytes(places.clone());
        self.page.add(block, places);
    }

    /// How many events the page holds so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.page.len() + self.open.len()
    }

    /// Whether it holds none so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of copied names and of payloads the page holds so far.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.names + self.open.name_bytes() + self.page.payload_bytes
    }

    /// The page.
    pub fn build(mut self) -> Page {
        self.close();
        self.page
    }

    /// Adds what was copied to the page.
    fn close(&mut self) {
        let mut block = std::mem::take(&mut self.open);
        if !block.is_empty() {
            block.find_text();
            self.names += block.name_bytes();
            let places = 0..block.len();
            self.page.add(&Arc::new(block), places);
        }
    }
}

impl<'a> FromIterator<Recorded<'a>> for Page {
    fn from_iter<I: IntoIterator<Item = Recorded<'a>>>(events: I) -> Self {
        let mut page = PageBuilder::default();
        for recorded in events {
            page.push(recorded);
        }
        page.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_that_are_text_only_together_come_back_as_the_bytes_they_are() {
        let event = RecordedEvent {
            position: Position::new(1),
            stream: "a/1".parse().unwrap(),
            version: Version::new(1),
            event_id: EventId::generate(),
            name: "n".to_owned(),
            schema_version: SchemaVersion::FIRST,
            payload: Bytes::new(),
            tags: Tags::new(),
            recorded_at: Timestamp::UNIX_EPOCH,
            occurred_at: None,
            metadata: Metadata::EMPTY,
        };
        // The two bytes of one letter, and a byte that is never text.
        for payloads in [[&[0xc5][..], &[0xbe]], [b"{}", &[0xff]], [b"{}", b"[]"]] {
            let events = payloads.map(|payload| RecordedEvent {
                payload: Bytes::from_static(payload),
                ..event.clone()
            });
            let page: Page = events.iter().map(RecordedEvent::as_recorded).collect();
            let back: Vec<_> = page.iter().map(|recorded| recorded.payload.as_bytes()).collect();
            assert_eq!(back, payloads);
        }
    }

    #[test]
    fn a_page_gives_back_what_was_pushed() {
        let event =
            |version: u64, stream: &str, payload: &'static str, tags: &[&str]| RecordedEvent {
                position: Position::new(version + 10),
                stream: stream.parse().unwrap(),
                version: Version::new(version),
                event_id: EventId::generate(),
                name: format!("name {version}"),
                schema_version: SchemaVersion::FIRST,
                payload: Bytes::from_static(payload.as_bytes()),
                tags: tags.iter().map(|tag| Tag::from(*tag)).collect(),
                recorded_at: Timestamp::UNIX_EPOCH,
                occurred_at: (version == 2).then_some(Timestamp::MAX),
                metadata: if version == 3 {
                    Metadata::default().with_actor("a")
                } else {
                    Metadata::EMPTY
                },
            };
        let events = [
            event(1, "account/1", "{}", &[]),
            event(2, "account/1", "", &["b", "a"]),
            event(3, "account/10", "\"ž\"", &[]),
            event(4, "a/account/1", "{}", &["c"]),
        ];
        let page: Page = events.iter().map(RecordedEvent::as_recorded).collect();
        let back: Vec<_> = page.iter().map(|recorded| recorded.to_event()).collect();
        assert_eq!(back, events);
        assert_eq!(page.last().map(|recorded| recorded.version), Some(Version::new(4)));
        assert_eq!((page.len(), page.is_empty()), (4, false));
    }
}
