//! Pages: what a read answers with.

use std::ops::Range;
use std::sync::Arc;

use crate::recorded::Recorded;
use crate::recorded::block::{Alike, EventBlock};

/// A run of recorded events, in [blocks](EventBlock) that the page owns or shares with a store in memory.
/// Readers go over it with [`iter`](Page::iter); a store makes it with a [`PageBuilder`]. Cloning
/// shares the events. Times are exact to the microsecond, whatever was pushed.
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
        let run = self.run_of(places.start);
        Events { page: self, places, run, block: None, in_block: 0..0 }
    }

    /// Shows the events at these places one after another, until one of them is too much. An iterator
    /// hands each record over to whoever asks for it; here it stays where it was made.
    #[inline]
    pub(crate) fn visit<E>(
        &self,
        places: Range<usize>,
        mut see: impl FnMut(&Recorded<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = places.start;
        let end = places.end.min(self.len());
        let mut run = self.run_of(at);
        while at < end {
            let Some((block, in_block)) = self.run(run) else { break };
            let behind = self.runs[run].end - at;
            let first = in_block.end - behind;
            let count = behind.min(end - at);
            for place in first..first + count {
                see(&block.event(place))?;
            }
            at += count;
            run += 1;
        }
        Ok(())
    }

    /// The last event.
    pub fn last(&self) -> Option<Recorded<'_>> {
        self.iter().next_back()
    }

    /// The index of the run in which the event at this place of the page is.
    fn run_of(&self, place: usize) -> usize {
        self.runs.partition_point(|run| run.end <= place)
    }

    /// The block of a run, and its places there.
    fn run(&self, index: usize) -> Option<(&EventBlock, Range<usize>)> {
        let Run { block, first, end } = *self.runs.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.runs[before].end);
        Some((self.blocks.get(block as usize)?, first as usize..first as usize + end - start))
    }

    fn add(&mut self, block: &Arc<EventBlock>, places: Range<usize>) {
        let end = self.len() + places.len();
        if self.blocks.last().is_none_or(|last| !Arc::ptr_eq(last, block)) {
            self.blocks.push(Arc::clone(block));
        } else if let Some(last) = self.runs.len().checked_sub(1)
            && self.run(last).is_some_and(|(_, known)| known.end == places.start)
        {
            self.runs[last].end = end;
            return;
        }
        let block = (self.blocks.len() - 1) as u32;
        self.runs.push(Run { block, first: places.start as u32, end });
    }
}

/// Some events of a page that follow each other.
struct Events<'a> {
    page: &'a Page,
    /// Which of the page's events are left.
    places: Range<usize>,
    /// The run that comes next, or is in the way.
    run: usize,
    block: Option<&'a EventBlock>,
    /// What is left of the run before it, in its block.
    in_block: Range<usize>,
}

impl Events<'_> {
    #[cold]
    fn enter_run(&mut self) {
        let Some((block, in_block)) = self.page.run(self.run) else { return };
        let start = self.run.checked_sub(1).map_or(0, |before| self.page.runs[before].end);
        self.block = Some(block);
        self.in_block = in_block.start + self.places.start - start..in_block.end;
        self.run += 1;
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Recorded<'a>;

    #[inline]
    fn next(&mut self) -> Option<Recorded<'a>> {
        if self.places.is_empty() {
            return None;
        }
        if self.in_block.is_empty() {
            self.enter_run();
        }
        self.places.start += 1;
        let (block, place) = (self.block?, self.in_block.start);
        self.in_block.start += 1;
        Some(block.event(place))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }
}

impl DoubleEndedIterator for Events<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let last = self.places.next_back()?;
        let run = self.page.run_of(last);
        let (block, in_block) = self.page.run(run)?;
        let behind = self.page.runs[run].end - last;
        Some(block.event(in_block.end - behind))
    }
}

impl ExactSizeIterator for Events<'_> {}

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
        let alike = match self.open.len().checked_sub(1) {
            Some(last) => Alike {
                stream: self.open.with_stream(recorded.stream, last),
                name: self.open.with_name(recorded.name, last),
                payload: None,
            },
            None => Alike::default(),
        };
        if !self.open.push(&recorded, alike) {
            self.push_behind(&recorded);
        }
        self.page.payload_bytes += recorded.payload.as_bytes().len();
    }

    /// Copies an event that does not fit in the open block into the next one.
    #[cold]
    #[inline(never)]
    fn push_behind(&mut self, recorded: &Recorded<'_>) {
        self.close();
        self.open = EventBlock::with_capacity(self.room.saturating_sub(self.page.len()));
        // One that is empty takes every event.
        let taken = self.open.push(recorded, Alike::default());
        debug_assert!(taken, "an empty block refused an event");
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
    use bytes::Bytes;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::identity::EventId;
    use crate::metadata::Metadata;
    use crate::recorded::RecordedEvent;
    use crate::stream::StreamId;
    use crate::tag::{Tag, Tags};
    use crate::version::{Position, SchemaVersion, Version};

    const LAST_MICROSECOND: Timestamp = Timestamp::constant(253402207200, 999_999_000);

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
                occurred_at: (version == 2).then_some(LAST_MICROSECOND),
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

    /// Events as no store has them: positions, versions and payloads of all sizes.
    fn events(at_most: usize) -> impl Strategy<Value = Vec<RecordedEvent>> {
        let number = prop_oneof![0..9_u64, (1 << 32) - 3..(1 << 32) + 3_u64, any::<u64>()];
        let payload = prop_oneof![
            "[a-zž]{0,9}".prop_map(Bytes::from),
            prop::collection::vec(any::<u8>(), 0..5).prop_map(Bytes::from),
            Just(Bytes::from(vec![b'x'; 70_000])),
        ];
        let time = (Timestamp::MIN.as_microsecond()..=LAST_MICROSECOND.as_microsecond())
            .prop_map(|it| Timestamp::from_nanosecond(i128::from(it) * 1000).unwrap());
        let times = (time.clone(), prop::option::of(time));
        let texts = ("[ab]", "[/ab]{1,2}", "[abc]", 1..3_u32);
        let extras = (prop::collection::vec("[ab]", 0..3), any::<bool>());
        let event = (number.clone(), number, payload, times, texts, extras).prop_map(
            |(position, version, payload, times, (category, id, name, schema), (tags, actor))| {
                RecordedEvent {
                    position: Position::new(position),
                    stream: StreamId::new(&category, id).unwrap(),
                    version: Version::new(version),
                    event_id: EventId::generate(),
                    name,
                    schema_version: SchemaVersion::try_from(schema).unwrap(),
                    payload,
                    tags: tags.into_iter().map(Tag::from).collect(),
                    recorded_at: times.0,
                    occurred_at: times.1,
                    metadata: match actor {
                        true => Metadata::default().with_actor("a"),
                        false => Metadata::EMPTY,
                    },
                }
            },
        );
        prop::collection::vec(event, 0..at_most)
    }

    proptest! {
        #[test]
        fn whatever_is_pushed_and_shared_comes_back_in_order(
            pushed in events(12),
            shared in events(12),
            picks in prop::collection::vec((any::<bool>(), 0..12_usize, 0..4_usize), 0..20),
            from in 0..30_usize,
            to in 0..30_usize,
        ) {
            // Each in its own block if need be.
            let mut blocks: Vec<(EventBlock, Vec<RecordedEvent>)> = vec![Default::default()];
            for event in shared {
                let recorded = event.as_recorded();
                if !blocks.last_mut().unwrap().0.push(&recorded, Alike::default()) {
                    blocks.push(Default::default());
                    prop_assert!(blocks.last_mut().unwrap().0.push(&recorded, Alike::default()));
                }
                blocks.last_mut().unwrap().1.push(event);
            }
            for (index, (block, _)) in blocks.iter_mut().enumerate() {
                if index % 2 == 0 {
                    block.seal();
                }
            }
            let blocks: Vec<_> =
                blocks.into_iter().map(|(block, events)| (Arc::new(block), events)).collect();
            let (mut page, mut expected) = (PageBuilder::default(), Vec::new());
            for (push, at, count) in picks {
                if push {
                    if let Some(event) = pushed.get(at) {
                        page.push(event.as_recorded());
                        expected.push(event.clone());
                    }
                } else {
                    let (block, events) = &blocks[at % blocks.len()];
                    page.share(block, at..at + count);
                    expected.extend(events.iter().skip(at).take(count).cloned());
                }
                prop_assert_eq!(page.len(), expected.len());
            }
            let page = page.build();
            let owned = |events: &mut dyn Iterator<Item = Recorded<'_>>| {
                events.map(|event| event.to_event()).collect::<Vec<_>>()
            };
            prop_assert_eq!(page.len(), expected.len());
            prop_assert_eq!(page.iter().len(), expected.len());
            prop_assert_eq!(owned(&mut page.iter()), &expected[..]);
            let mut part = page.part(from..to);
            let wanted = expected.get(from..to.min(expected.len())).unwrap_or_default();
            prop_assert_eq!(part.len(), wanted.len());
            // From both ends in turn.
            let (mut front, mut back) = (Vec::new(), Vec::new());
            while let Some(first) = part.next() {
                front.push(first.to_event());
                back.extend(part.next_back().map(|event| event.to_event()));
            }
            back.reverse();
            front.append(&mut back);
            prop_assert_eq!(front, wanted);
            // As they are shown, up to the one that is too much.
            for enough in [usize::MAX, wanted.len() / 2] {
                let mut seen = Vec::new();
                let shown = page.visit(from..to, |recorded| {
                    seen.push(recorded.to_event());
                    if seen.len() > enough { Err(()) } else { Ok(()) }
                });
                prop_assert_eq!(shown.is_err(), enough < wanted.len());
                prop_assert_eq!(&seen[..], &wanted[..wanted.len().min(enough.saturating_add(1))]);
            }
            let bytes: usize = expected.iter().map(|event| event.payload.len()).sum();
            prop_assert_eq!(page.payload_bytes(), bytes);
        }
    }

    #[test]
    fn a_page_of_more_events_than_a_block_holds_has_them_all() {
        let event = |number: usize| RecordedEvent {
            position: Position::new(number as u64),
            stream: StreamId::new("a", number % 7).unwrap(),
            version: Version::new(number as u64),
            event_id: EventId::generate(),
            name: format!("name {}", number % 40),
            schema_version: SchemaVersion::FIRST,
            payload: Bytes::from(number.to_string()),
            tags: Tags::new(),
            recorded_at: Timestamp::UNIX_EPOCH,
            occurred_at: None,
            metadata: Metadata::EMPTY,
        };
        let events: Vec<_> = (0..2 * EventBlock::MAX_EVENTS + 1).map(event).collect();
        let page: Page = events.iter().map(RecordedEvent::as_recorded).collect();
        assert!(page.iter().map(|event| event.to_event()).eq(events.iter().cloned()));
        assert!(page.iter().rev().map(|event| event.to_event()).eq(events.into_iter().rev()));
    }
}
