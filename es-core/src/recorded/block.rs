//! Blocks: recorded events that lie together, what each has of its own in a fixed entry.

use std::ops::Range;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::identity::EventId;
use crate::metadata::Metadata;
use crate::recorded::{Payload, Recorded};
use crate::stream::StreamRef;
use crate::tag::{Tag, Tags};
use crate::version::{Position, SchemaVersion, Version};

/// Larger payloads lie by themselves. It also keeps the bytes of a block below 2^32.
const COPIED_PAYLOAD_BYTES: usize = 64 * 1024;

/// So many of a block's kinds are looked at for one that is not known to be there.
const FEW_KINDS: usize = 16;

/// A run of recorded events that lie together: 52 bytes and the payload for each, and the names of
/// streams and events once for many of them.
///
/// A [`Page`](crate::Page) is made of blocks. A store in memory can keep its events in blocks, and
/// show them with [`PageBuilder::share`](crate::PageBuilder::share) where they lie.
///
/// Times are kept to the microsecond.
///
/// ```
/// use std::sync::Arc;
///
/// use es_core::{Alike, EventBlock, PageBuilder, Recorded};
///
/// fn page_of(events: &[Recorded<'_>]) -> es_core::Page {
///     let mut block = EventBlock::with_capacity(events.len());
///     let fitting = events.iter().take_while(|event| block.push(event, Alike::default())).count();
///     block.seal();
///     let mut page = PageBuilder::default();
///     page.share(&Arc::new(block), 0..fitting);
///     page.build()
/// }
/// # assert!(page_of(&[]).is_empty());
/// ```
// What each event changes stands first, in one line of memory: a thread must fetch what another changed.
#[derive(Clone, Default, Debug)]
#[repr(C)]
pub struct EventBlock {
    entries: Vec<Entry>,
    payloads: Vec<u8>,
    /// The payloads instead, once it is known that each of them is text.
    text: Option<String>,
    /// The names of streams, one after another.
    stream_names: String,
    streams: Vec<StreamName>,
    kinds: Vec<Kind>,
    /// What few events have.
    extras: Vec<Extra>,
    upper: UpperHalves,
    /// How many events were removed.
    removed: usize,
    /// How many bytes of the payloads belong to no event any more.
    unused: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    event_id: EventId,
    recorded_at: Microseconds,
    occurred_at: Microseconds,
    /// The lower half.
    position: u32,
    /// The lower half.
    version: u32,
    /// The end of the payload; it begins where that of the event before ends.
    payload_end: u32,
    stream: u16,
    kind: u16,
    /// The index of the extra plus one; zero if there is none.
    extra: u16,
    /// Its payload and metadata are elsewhere.
    removed: bool,
}

impl Entry {
    /// Of no event.
    const BLANK: Self = Self {
        event_id: EventId::from_uuid(Uuid::max()),
        recorded_at: Microseconds::NONE,
        occurred_at: Microseconds::NONE,
        position: 0,
        version: 0,
        payload_end: 0,
        stream: 0,
        kind: 0,
        extra: 0,
        removed: false,
    };
}

/// Most events have the upper half of their position and version with all others of the block.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct UpperHalves {
    position: u32,
    version: u32,
}

impl UpperHalves {
    fn of(recorded: &Recorded<'_>) -> Self {
        Self {
            position: (recorded.position.get() >> 32) as u32,
            version: (recorded.version.get() >> 32) as u32,
        }
    }
}

/// Where the name of a stream lies.
#[derive(Clone, Copy, Debug)]
struct StreamName {
    start: u32,
    // A name is much shorter.
    length: u16,
    category_bytes: u16,
}

#[derive(Clone, Debug)]
struct Kind {
    name: Box<str>,
    schema_version: SchemaVersion,
}

#[derive(Clone, Default, Debug)]
struct Extra {
    tags: Tags,
    metadata: Metadata,
    /// A payload that does not lie with the others.
    payload: Option<Bytes>,
}

/// A time in the eight bytes that its precision needs, aligned as the rest of an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Microseconds([u32; 2]);

impl Microseconds {
    /// No time at all; earlier than every time there is.
    const NONE: Self = Self::new(i64::MIN);

    const fn new(number: i64) -> Self {
        Self([number as u32, (number >> 32) as u32])
    }

    fn of(time: Timestamp) -> Self {
        Self::new(time.as_microsecond())
    }

    #[inline]
    fn time(self) -> Option<Timestamp> {
        let [low, high] = self.0;
        let number = (u64::from(high) << 32 | u64::from(low)) as i64;
        // Asked first, because an error is expensive to make.
        if number == i64::MIN {
            return None;
        }
        match Timestamp::from_microsecond(number) {
            Ok(time) => Some(time),
            Err(_) => in_last_second(number),
        }
    }
}

/// The last second there is can not be made of microseconds.
#[cold]
fn in_last_second(microseconds: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(microseconds) * 1000).ok()
}

/// What is known of an event that is copied into an [`EventBlock`] and saves room there. All of it may
/// be unknown.
#[derive(Clone, Copy, Default, Debug)]
pub struct Alike<'a> {
    /// The place of an event of the same stream in the block. It must be right.
    pub stream: Option<usize>,
    /// The place of an event with the same name in the block. It must be right.
    pub name: Option<usize>,
    /// The payload, which is shared if it is too large to lie with the others.
    pub payload: Option<&'a Bytes>,
}

static NO_METADATA: Metadata = Metadata::EMPTY;

/// Filling a block.
impl EventBlock {
    /// The most events of a block.
    pub const MAX_EVENTS: usize = 4096;

    /// An empty block with room for so many events.
    pub fn with_capacity(events: usize) -> Self {
        let events = events.min(Self::MAX_EVENTS);
        Self { entries: Vec::with_capacity(events), ..Self::default() }
    }

    /// An empty block with room for so many events and so many bytes of payloads, whose memory was written to.
    /// An event that is added does not wait until the system has found memory, which may take longer than
    /// everything else.
    pub fn with_memory(events: usize, payload_bytes: usize) -> Self {
        let events = events.min(Self::MAX_EVENTS);
        let (mut entries, mut payloads) = (vec![Entry::BLANK; events], vec![b' '; payload_bytes]);
        entries.clear();
        payloads.clear();
        Self { entries, payloads, ..Self::default() }
    }

    /// Whether no event fits any more.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= Self::MAX_EVENTS
    }

    /// Copies an event to the end. Or does nothing and answers with `false` if it must go to another
    /// block: because this one is full, or because the event's position or version differs from those
    /// in the block by billions.
    #[must_use]
    #[inline]
    pub fn push(&mut self, recorded: &Recorded<'_>, alike: Alike<'_>) -> bool {
        let upper = UpperHalves::of(recorded);
        if self.entries.is_empty() {
            self.upper = upper;
        } else if self.is_full() || self.upper != upper {
            return false;
        }
        let stream = match alike.stream.and_then(|place| self.entries.get(place)) {
            Some(entry) => entry.stream,
            None => {
                let (text, category_bytes) = recorded.stream.parts();
                self.push_stream(text, category_bytes)
            }
        };
        let kind = match alike.name.and_then(|place| self.entries.get(place)) {
            Some(entry) if self.schema_version(entry) == recorded.schema_version => entry.kind,
            _ => self.kind_of(recorded.name, recorded.schema_version),
        };
        debug_assert_eq!(self.stream(stream).as_str(), recorded.stream.as_str());
        debug_assert_eq!(*self.kinds[kind as usize].name, *recorded.name);
        let payload = recorded.payload.as_bytes();
        let large = payload.len() > COPIED_PAYLOAD_BYTES;
        let extra = if !large && recorded.tags.is_empty() && recorded.metadata.is_empty() {
            0
        } else {
            let elsewhere = large.then(|| match alike.payload {
                Some(payload) => payload.clone(),
                None => Bytes::copy_from_slice(payload),
            });
            self.push_extra(recorded.tags, recorded.metadata, elsewhere)
        };
        if self.text.is_some() {
            self.payloads = self.take_payloads();
        }
        if !large {
            self.payloads.extend_from_slice(payload);
        }
        self.entries.push(Entry {
            event_id: recorded.event_id,
            recorded_at: Microseconds::of(recorded.recorded_at),
            occurred_at: recorded.occurred_at.map_or(Microseconds::NONE, Microseconds::of),
            position: recorded.position.get() as u32,
            version: recorded.version.get() as u32,
            // It fits: 4,096 events of at most 64 KiB.
            payload_end: self.payloads.len() as u32,
            stream,
            kind,
            extra,
            removed: false,
        });
        true
    }

    #[inline]
    fn schema_version(&self, entry: &Entry) -> SchemaVersion {
        self.kinds[entry.kind as usize].schema_version
    }

    #[inline(never)]
    fn push_stream(&mut self, text: &str, category_bytes: usize) -> u16 {
        self.streams.push(StreamName {
            start: self.stream_names.len() as u32,
            length: text.len() as u16,
            category_bytes: category_bytes as u16,
        });
        self.stream_names.push_str(text);
        (self.streams.len() - 1) as u16
    }

    #[inline(never)]
    fn kind_of(&mut self, name: &str, schema_version: SchemaVersion) -> u16 {
        let is_it = |kind: &Kind| kind.schema_version == schema_version && *kind.name == *name;
        let first = self.kinds.len().saturating_sub(FEW_KINDS);
        let known = self.kinds[first..].iter().rposition(is_it).map(|index| first + index);
        let index = known.unwrap_or_else(|| {
            self.kinds.push(Kind { name: name.into(), schema_version });
            self.kinds.len() - 1
        });
        index as u16
    }

    #[inline(never)]
    fn push_extra(&mut self, tags: &[Tag], metadata: &Metadata, payload: Option<Bytes>) -> u16 {
        let (tags, metadata) = (tags.iter().cloned().collect(), metadata.clone());
        self.extras.push(Extra { tags, metadata, payload });
        self.extras.len() as u16
    }

    /// Gives back the room that no event will need any more, and finds out whether the payloads are
    /// text, so that a codec of text need not look at every byte of them again. For a block that stays.
    pub fn seal(&mut self) {
        self.find_text();
        self.payloads.shrink_to_fit();
        self.text.iter_mut().for_each(String::shrink_to_fit);
        self.entries.shrink_to_fit();
        self.stream_names.shrink_to_fit();
        self.streams.shrink_to_fit();
        self.kinds.shrink_to_fit();
        self.extras.shrink_to_fit();
    }

    /// Looks at all payloads together, which is many times cheaper than at one after the other when
    /// they are read.
    pub(crate) fn find_text(&mut self) {
        match String::from_utf8(self.take_payloads()) {
            Ok(text) if self.ends_between_characters(&text) => self.text = Some(text),
            Ok(text) => self.payloads = text.into_bytes(),
            Err(error) => self.payloads = error.into_bytes(),
        }
    }

    fn ends_between_characters(&self, text: &str) -> bool {
        self.entries.iter().all(|entry| text.is_char_boundary(entry.payload_end as usize))
    }

    fn take_payloads(&mut self) -> Vec<u8> {
        match self.text.take() {
            Some(text) => text.into_bytes(),
            None => std::mem::take(&mut self.payloads),
        }
    }
}

/// Looking at the events, whose places are counted from zero.
impl EventBlock {
    /// How many events the block holds, removed ones among them.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The event at a place. One that was removed has no payload and no metadata.
    ///
    /// # Panics
    /// When the block has no such place.
    #[inline]
    pub fn event(&self, place: usize) -> Recorded<'_> {
        let entry = &self.entries[place];
        let (tags, metadata, elsewhere) = match entry.extra {
            0 => (&[][..], &NO_METADATA, None),
            extra => self.extra(extra),
        };
        let kind = &self.kinds[entry.kind as usize];
        Recorded {
            position: Position::new(both_halves(self.upper.position, entry.position)),
            stream: self.stream(entry.stream),
            version: Version::new(both_halves(self.upper.version, entry.version)),
            event_id: entry.event_id,
            name: &kind.name,
            schema_version: kind.schema_version,
            payload: match elsewhere {
                Some(payload) => Payload::Bytes(payload),
                None if entry.removed => Payload::Bytes(&[]),
                None => self.copied_payload(place),
            },
            tags,
            // What is stored was a time once.
            recorded_at: entry.recorded_at.time().unwrap_or(Timestamp::UNIX_EPOCH),
            occurred_at: entry.occurred_at.time(),
            metadata,
        }
    }

    #[inline(never)]
    fn extra(&self, extra: u16) -> (&[Tag], &Metadata, Option<&Bytes>) {
        let Extra { tags, metadata, payload } = &self.extras[extra as usize - 1];
        (tags.as_slice(), metadata, payload.as_ref())
    }

    #[inline]
    fn copied_payload(&self, place: usize) -> Payload<'_> {
        let copied = self.copied(place);
        match &self.text {
            Some(text) => Payload::Text(&text[copied]),
            None => Payload::Bytes(&self.payloads[copied]),
        }
    }

    /// The stored name of the event at a place.
    ///
    /// # Panics
    /// When the block has no such place.
    #[inline]
    pub fn name(&self, place: usize) -> &str {
        &self.kinds[self.entries[place].kind as usize].name
    }

    /// The tags of the event at a place.
    ///
    /// # Panics
    /// When the block has no such place.
    #[inline]
    pub fn tags(&self, place: usize) -> &[Tag] {
        match self.entries[place].extra {
            0 => &[],
            extra => self.extra(extra).0,
        }
    }

    /// The id of the event at a place.
    ///
    /// # Panics
    /// When the block has no such place.
    #[inline]
    pub fn event_id(&self, place: usize) -> EventId {
        self.entries[place].event_id
    }

    /// How many bytes the payloads at these places have together.
    pub fn payload_bytes(&self, places: Range<usize>) -> usize {
        let Some(entries) = self.entries.get(places.clone()) else { return 0 };
        let Some(last) = entries.last() else { return 0 };
        let copied = last.payload_end as usize - self.copied(places.start).start;
        if self.extras.is_empty() {
            return copied;
        }
        let extras = entries.iter().filter_map(|entry| (entry.extra as usize).checked_sub(1));
        let elsewhere = extras.filter_map(|extra| self.extras[extra].payload.as_ref());
        copied + elsewhere.map(Bytes::len).sum::<usize>()
    }

    /// The place if the event there is of the same stream.
    #[inline]
    pub(crate) fn with_stream(&self, stream: StreamRef<'_>, place: usize) -> Option<usize> {
        let entry = self.entries.get(place)?;
        (self.stream(entry.stream).as_str() == stream.as_str()).then_some(place)
    }

    /// The place if the event there has the name.
    #[inline]
    pub(crate) fn with_name(&self, name: &str, place: usize) -> Option<usize> {
        let entry = self.entries.get(place)?;
        (*self.kinds[entry.kind as usize].name == *name).then_some(place)
    }

    /// How many bytes the names of the streams have.
    #[inline]
    pub(crate) fn name_bytes(&self) -> usize {
        self.stream_names.len()
    }

    #[inline]
    fn stream(&self, index: u16) -> StreamRef<'_> {
        let StreamName { start, length, category_bytes } = self.streams[index as usize];
        let (start, length) = (start as usize, length as usize);
        StreamRef::from_parts(&self.stream_names[start..start + length], category_bytes as usize)
    }

    /// Where the payload lies that was copied.
    #[inline]
    fn copied(&self, place: usize) -> Range<usize> {
        let start = place.checked_sub(1).map_or(0, |before| self.entries[before].payload_end);
        start as usize..self.entries[place].payload_end as usize
    }
}

/// Letting go of events, as [`StreamRemoval`](crate::StreamRemoval) does, and taking them back.
impl EventBlock {
    /// Whether any event of the block was removed.
    #[inline]
    pub fn has_removed(&self) -> bool {
        self.removed > 0
    }

    /// Whether the event at a place was removed.
    ///
    /// # Panics
    /// When the block has no such place.
    #[inline]
    pub fn is_removed(&self, place: usize) -> bool {
        self.entries[place].removed
    }

    /// Lets go of the payload and metadata of an event.
    ///
    /// # Panics
    /// When the block has no such place.
    pub fn remove(&mut self, place: usize) {
        let copied = self.copied(place);
        let entry = &mut self.entries[place];
        if entry.removed {
            return;
        }
        entry.removed = true;
        self.removed += 1;
        let mut used = copied.len();
        if let Some(extra) = (entry.extra as usize).checked_sub(1) {
            let extra = &mut self.extras[extra];
            // What was put back lies elsewhere, and its first place is counted already.
            if extra.payload.is_some() {
                used = 0;
            }
            // Tags stay: conditions ask for them.
            (extra.metadata, extra.payload) = (Metadata::EMPTY, None);
        }
        self.unused += used;
        let copied = self.text.as_ref().map_or(self.payloads.len(), String::len);
        if self.unused > copied / 2 {
            self.give_back_unused();
        }
    }

    /// Takes payload and metadata of a removed event back.
    ///
    /// # Panics
    /// When the block has no such place.
    pub fn put_back(&mut self, place: usize, payload: &Bytes, metadata: &Metadata) {
        let entry = &mut self.entries[place];
        self.removed -= usize::from(entry.removed);
        entry.removed = false;
        let extra = match (entry.extra as usize).checked_sub(1) {
            Some(extra) => extra,
            None => {
                self.extras.push(Extra::default());
                entry.extra = self.extras.len() as u16;
                self.extras.len() - 1
            }
        };
        let extra = &mut self.extras[extra];
        (extra.metadata, extra.payload) = (metadata.clone(), Some(payload.clone()));
    }

    /// Copies what is used and forgets the rest.
    fn give_back_unused(&mut self) {
        let was_text = self.text.is_some();
        let all = self.take_payloads();
        let mut used = Vec::with_capacity(all.len().saturating_sub(self.unused));
        let mut start = 0;
        for entry in &mut self.entries {
            let end = entry.payload_end as usize;
            let extra = (entry.extra as usize).checked_sub(1).map(|extra| &self.extras[extra]);
            if !entry.removed && extra.is_none_or(|extra| extra.payload.is_none()) {
                used.extend_from_slice(&all[start..end]);
            }
            start = end;
            entry.payload_end = used.len() as u32;
        }
        (self.payloads, self.unused) = (used, 0);
        if was_text {
            self.find_text();
        }
    }
}

#[inline]
fn both_halves(upper: u32, lower: u32) -> u64 {
    u64::from(upper) << 32 | u64::from(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_takes_52_bytes_beside_its_payload() {
        assert_eq!(size_of::<Entry>(), 52);
    }

    #[test]
    fn a_block_with_memory_is_an_empty_one_with_room() {
        let block = EventBlock::with_memory(EventBlock::MAX_EVENTS + 1, 100);
        assert!(block.is_empty());
        assert!(block.entries.capacity() >= EventBlock::MAX_EVENTS);
        assert!(block.payloads.capacity() >= 100);
        assert_eq!(block.payload_bytes(0..0), 0);
    }
}
