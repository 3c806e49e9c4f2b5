//! Blocks: recorded events that lie together, what each has of its own in a fixed entry.

use std::ops::Range;

use bytes::Bytes;
use jiff::Timestamp;

use crate::identity::EventId;
use crate::metadata::Metadata;
use crate::recorded::{Payload, Recorded};
use crate::stream::StreamRef;
use crate::tag::Tags;
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
#[derive(Clone, Default, Debug)]
pub struct EventBlock {
    entries: Vec<Entry>,
    payloads: Payloads,
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

#[derive(Clone, Debug)]
enum Payloads {
    /// Each of them is text.
    Text(String),
    /// They may be text or not.
    Bytes(Vec<u8>),
}

impl Default for Payloads {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Payloads {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    fn take(&mut self) -> Vec<u8> {
        match std::mem::take(self) {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
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

/// What is known of an event that is copied into a [`EventBlock`] and saves room there. All of it may be
/// unknown, and wrong guesses do no harm.
#[derive(Clone, Copy, Default, Debug)]
pub struct Alike<'a> {
    /// The place of an event in the block that may be of the same stream.
    pub stream: Option<usize>,
    /// The place of an event in the block that may have the same name and schema version.
    pub kind: Option<usize>,
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
        let stream = self.stream_like(recorded.stream, alike.stream);
        let kind = self.kind_like(recorded, alike.kind);
        let payload = recorded.payload.as_bytes();
        let large = payload.len() > COPIED_PAYLOAD_BYTES;
        let plain = recorded.tags.is_empty() && recorded.metadata.is_empty() && !large;
        let extra = if plain { 0 } else { self.push_extra(recorded, alike, large) };
        let copied = if large { &[] } else { payload };
        let payload_end = match &mut self.payloads {
            Payloads::Bytes(bytes) => {
                bytes.extend_from_slice(copied);
                bytes.len()
            }
            Payloads::Text(_) => {
                let mut bytes = self.payloads.take();
                bytes.extend_from_slice(copied);
                let end = bytes.len();
                self.payloads = Payloads::Bytes(bytes);
                end
            }
        };
        self.entries.push(Entry {
            event_id: recorded.event_id,
            recorded_at: Microseconds::of(recorded.recorded_at),
            occurred_at: recorded.occurred_at.map_or(Microseconds::NONE, Microseconds::of),
            position: recorded.position.get() as u32,
            version: recorded.version.get() as u32,
            // It fits: 4,096 events of at most 64 KiB.
            payload_end: payload_end as u32,
            stream,
            kind,
            extra,
            removed: false,
        });
        true
    }

    /// The index of the stream's name, which is that of the event at `place` or is added.
    #[inline]
    fn stream_like(&mut self, stream: StreamRef<'_>, place: Option<usize>) -> u16 {
        if let Some(entry) = place.and_then(|place| self.entries.get(place))
            && self.stream(entry.stream).as_str() == stream.as_str()
        {
            return entry.stream;
        }
        let (text, category_bytes) = stream.parts();
        self.streams.push(StreamName {
            start: self.stream_names.len() as u32,
            length: text.len() as u16,
            category_bytes: category_bytes as u16,
        });
        self.stream_names.push_str(text);
        (self.streams.len() - 1) as u16
    }

    #[inline]
    fn kind_like(&mut self, recorded: &Recorded<'_>, place: Option<usize>) -> u16 {
        let is_it = |kind: &Kind| {
            kind.schema_version == recorded.schema_version && *kind.name == *recorded.name
        };
        if let Some(entry) = place.and_then(|place| self.entries.get(place))
            && is_it(&self.kinds[entry.kind as usize])
        {
            return entry.kind;
        }
        let first = self.kinds.len().saturating_sub(FEW_KINDS);
        if let Some(index) = self.kinds[first..].iter().rposition(is_it) {
            return (first + index) as u16;
        }
        self.kinds
            .push(Kind { name: recorded.name.into(), schema_version: recorded.schema_version });
        (self.kinds.len() - 1) as u16
    }

    #[inline(never)]
    fn push_extra(&mut self, recorded: &Recorded<'_>, alike: Alike<'_>, large: bool) -> u16 {
        let payload = large.then(|| match alike.payload {
            Some(payload) => payload.clone(),
            None => Bytes::copy_from_slice(recorded.payload.as_bytes()),
        });
        self.extras.push(Extra {
            tags: recorded.tags.iter().cloned().collect(),
            metadata: recorded.metadata.clone(),
            payload,
        });
        self.extras.len() as u16
    }

    /// Gives back the room that no event will need any more, and finds out whether the payloads are
    /// text, so that a codec of text need not look at every byte of them again. For a block that stays.
    pub fn seal(&mut self) {
        self.find_text();
        match &mut self.payloads {
            Payloads::Text(text) => text.shrink_to_fit(),
            Payloads::Bytes(bytes) => bytes.shrink_to_fit(),
        }
        self.entries.shrink_to_fit();
        self.stream_names.shrink_to_fit();
        self.streams.shrink_to_fit();
        self.kinds.shrink_to_fit();
        self.extras.shrink_to_fit();
    }

    /// Looks at all payloads together, which is many times cheaper than at one after the other when
    /// they are read.
    pub(crate) fn find_text(&mut self) {
        let ends_well = |text: &str| {
            self.entries.iter().all(|entry| text.is_char_boundary(entry.payload_end as usize))
        };
        self.payloads = match String::from_utf8(self.payloads.take()) {
            Ok(text) if ends_well(&text) => Payloads::Text(text),
            Ok(text) => Payloads::Bytes(text.into_bytes()),
            Err(error) => Payloads::Bytes(error.into_bytes()),
        };
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
        let (copied, extra) = (self.copied(place), (entry.extra as usize).checked_sub(1));
        let payload = match &self.payloads {
            Payloads::Text(text) => Payload::Text(&text[copied]),
            Payloads::Bytes(bytes) => Payload::Bytes(&bytes[copied]),
        };
        let kind = &self.kinds[entry.kind as usize];
        let plain = Recorded {
            position: Position::new(both_halves(self.upper.position, entry.position)),
            stream: self.stream(entry.stream),
            version: Version::new(both_halves(self.upper.version, entry.version)),
            event_id: entry.event_id,
            name: &kind.name,
            schema_version: kind.schema_version,
            payload,
            tags: &[],
            // What is stored was a time once.
            recorded_at: entry.recorded_at.time().unwrap_or(Timestamp::UNIX_EPOCH),
            occurred_at: entry.occurred_at.time(),
            metadata: &NO_METADATA,
        };
        if extra.is_none() && !entry.removed {
            return plain;
        }
        let extra = extra.map(|extra| &self.extras[extra]);
        let elsewhere = extra.and_then(|extra| extra.payload.as_deref());
        Recorded {
            payload: match elsewhere {
                Some(payload) => Payload::Bytes(payload),
                None if entry.removed => Payload::Bytes(&[]),
                None => plain.payload,
            },
            tags: extra.map_or(&[], |extra| extra.tags.as_slice()),
            metadata: extra.map_or(&NO_METADATA, |extra| &extra.metadata),
            ..plain
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
        if self.unused > self.payloads.as_bytes().len() / 2 {
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
        let was_text = matches!(self.payloads, Payloads::Text(_));
        let all = self.payloads.take();
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
        (self.payloads, self.unused) = (Payloads::Bytes(used), 0);
        if was_text {
            self.find_text();
        }
    }
}

#[inline]
fn both_halves(upper: u32, lower: u32) -> u64 {
    u64::from(upper) << 32 | u64::from(lower)
}
