//! Events in segments: what each has of its own in a fixed entry, their payloads one after another.

use es_core::bytes::Bytes;
use es_core::jiff::Timestamp;
use es_core::{EventId, Metadata, Payload, Tags};

/// How many events a segment holds.
pub(crate) const SEGMENT_EVENTS: usize = 4096;

/// Payloads above this are kept as they came. It also keeps the bytes of a segment below 2^32.
const COPIED_PAYLOAD_BYTES: usize = 64 * 1024;

/// Where an event stands in the log, counted from zero. Its position is one more.
pub(crate) type Slot = u32;

#[derive(Default)]
pub(crate) struct Segment {
    entries: Vec<Entry>,
    payloads: Vec<u8>,
    /// The payloads instead, once it is known that each of them is text.
    text: Option<String>,
    /// What few events have.
    extras: Vec<Extra>,
    /// How many bytes of the payloads belong to no event any more.
    unused: usize,
}

struct Entry {
    recorded_at: Microseconds,
    occurred_at: Microseconds,
    event_id: EventId,
    /// The index of the stream.
    stream: u32,
    /// The place in the stream. A stream has no more events than the log, which fits.
    version: u32,
    /// The index of the name and schema version.
    kind: u32,
    /// The end of the payload; it begins where that of the event before ends.
    payload_end: u32,
    /// The index of the extra plus one; zero if there is none.
    extra: u32,
    /// Its payload and metadata are elsewhere.
    removed: bool,
}

#[derive(Default)]
struct Extra {
    tags: Tags,
    metadata: Metadata,
    /// One that does not lie with the others.
    large_payload: Option<Bytes>,
}

/// A time in the eight bytes that its precision needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Microseconds(i64);

impl Microseconds {
    /// No time at all; earlier than every time there is.
    pub(crate) const NONE: Self = Self(i64::MIN);

    pub(crate) fn of(time: Timestamp) -> Self {
        Self(time.as_microsecond())
    }

    pub(crate) fn time(self) -> Option<Timestamp> {
        // Asked first, because an error is expensive to make.
        if self == Self::NONE {
            return None;
        }
        // The last second there is can not be made of microseconds.
        let time = Timestamp::from_microsecond(self.0);
        time.or_else(|_| Timestamp::from_nanosecond(i128::from(self.0) * 1000)).ok()
    }
}

/// An event as it goes into a segment.
pub(crate) struct NewEntry<'a> {
    pub(crate) event_id: EventId,
    pub(crate) stream: u32,
    pub(crate) version: u32,
    pub(crate) kind: u32,
    pub(crate) recorded_at: Microseconds,
    pub(crate) occurred_at: Option<Timestamp>,
    pub(crate) payload: &'a Bytes,
    pub(crate) tags: &'a Tags,
    pub(crate) metadata: &'a Metadata,
}

/// An event as it comes out.
pub(crate) struct Stored<'a> {
    pub(crate) event_id: EventId,
    pub(crate) stream: u32,
    pub(crate) version: u32,
    pub(crate) kind: u32,
    pub(crate) recorded_at: Timestamp,
    pub(crate) occurred_at: Option<Timestamp>,
    pub(crate) payload: Payload<'a>,
    pub(crate) tags: &'a Tags,
    pub(crate) metadata: &'a Metadata,
}

static NO_TAGS: Tags = Tags::new();
static NO_METADATA: Metadata = Metadata::EMPTY;

impl Segment {
    /// A segment that follows another: it will be filled, so that its size is known.
    pub(crate) fn with_full_capacity() -> Self {
        Self { entries: Vec::with_capacity(SEGMENT_EVENTS), ..Self::default() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() == SEGMENT_EVENTS
    }

    /// Gives back the room that no event will need any more, of a segment that is full.
    pub(crate) fn seal(&mut self) {
        self.extras.shrink_to_fit();
        self.payloads.shrink_to_fit();
        // Looked at once and together: that is many times cheaper than one by one when they are read.
        match String::from_utf8(std::mem::take(&mut self.payloads)) {
            Ok(text) if self.ends_between_characters(&text) => self.text = Some(text),
            Ok(text) => self.payloads = text.into_bytes(),
            Err(error) => self.payloads = error.into_bytes(),
        }
    }

    fn ends_between_characters(&self, text: &str) -> bool {
        self.entries.iter().all(|entry| text.is_char_boundary(entry.payload_end as usize))
    }

    pub(crate) fn push(&mut self, event: &NewEntry<'_>) {
        let large = event.payload.len() > COPIED_PAYLOAD_BYTES;
        let extra = if large || !event.tags.as_slice().is_empty() || !event.metadata.is_empty() {
            self.extras.push(Extra {
                tags: event.tags.clone(),
                metadata: event.metadata.clone(),
                large_payload: large.then(|| event.payload.clone()),
            });
            self.extras.len()
        } else {
            0
        };
        if !large {
            self.payloads.extend_from_slice(event.payload);
        }
        self.entries.push(Entry {
            recorded_at: event.recorded_at,
            occurred_at: event.occurred_at.map_or(Microseconds::NONE, Microseconds::of),
            event_id: event.event_id,
            stream: event.stream,
            version: event.version,
            kind: event.kind,
            // Both fit: 4,096 events of at most 64 KiB.
            payload_end: self.payloads.len() as u32,
            extra: extra as u32,
            removed: false,
        });
    }

    pub(crate) fn event_id(&self, index: usize) -> EventId {
        self.entries[index].event_id
    }

    pub(crate) fn is_removed(&self, index: usize) -> bool {
        self.entries[index].removed
    }

    /// Lets go of the payload and metadata of an event.
    pub(crate) fn remove(&mut self, index: usize) {
        let (start, end) = self.copied(index);
        let entry = &mut self.entries[index];
        entry.removed = true;
        let mut used = end - start;
        if let Some(extra) = (entry.extra as usize).checked_sub(1) {
            let extra = &mut self.extras[extra];
            // What was put back lies elsewhere, and its first place is counted already.
            if extra.large_payload.is_some() {
                used = 0;
            }
            // Tags stay: conditions ask for them.
            (extra.metadata, extra.large_payload) = (Metadata::EMPTY, None);
        }
        self.unused += used;
        if self.unused > self.copied_bytes().len() / 2 {
            self.give_back_unused();
        }
    }

    /// Takes payload and metadata of a removed event back.
    pub(crate) fn put_back(&mut self, index: usize, payload: &Bytes, metadata: &Metadata) {
        let entry = &mut self.entries[index];
        entry.removed = false;
        let place = match (entry.extra as usize).checked_sub(1) {
            Some(place) => place,
            None => {
                self.extras.push(Extra::default());
                entry.extra = self.extras.len() as u32;
                self.extras.len() - 1
            }
        };
        let extra = &mut self.extras[place];
        (extra.metadata, extra.large_payload) = (metadata.clone(), Some(payload.clone()));
    }

    /// Where the payload lies that was copied.
    fn copied(&self, index: usize) -> (usize, usize) {
        let start = index.checked_sub(1).map_or(0, |before| self.entries[before].payload_end);
        (start as usize, self.entries[index].payload_end as usize)
    }

    /// Copies what is used and forgets the rest.
    fn give_back_unused(&mut self) {
        let all = self.copied_bytes();
        let mut payloads = Vec::with_capacity(all.len().saturating_sub(self.unused));
        let mut ends = Vec::with_capacity(self.entries.len());
        let mut start = 0;
        for entry in &self.entries {
            let end = entry.payload_end as usize;
            let extra = (entry.extra as usize).checked_sub(1).map(|extra| &self.extras[extra]);
            if !entry.removed && extra.is_none_or(|extra| extra.large_payload.is_none()) {
                payloads.extend_from_slice(&all[start..end]);
            }
            start = end;
            ends.push(payloads.len() as u32);
        }
        for (entry, end) in self.entries.iter_mut().zip(ends) {
            entry.payload_end = end;
        }
        (self.payloads, self.unused) = (payloads, 0);
        if self.text.take().is_some() {
            self.seal();
        }
    }

    fn copied_bytes(&self) -> &[u8] {
        self.text.as_ref().map_or(&self.payloads, |text| text.as_bytes())
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Stored<'_> {
        let entry = &self.entries[index];
        let (start, end) = self.copied(index);
        let copied = match &self.text {
            Some(text) => Payload::Text(&text[start..end]),
            None => Payload::Bytes(&self.payloads[start..end]),
        };
        let extra = (entry.extra as usize).checked_sub(1).map(|extra| &self.extras[extra]);
        let large = extra.and_then(|extra| extra.large_payload.as_deref());
        Stored {
            event_id: entry.event_id,
            stream: entry.stream,
            version: entry.version,
            kind: entry.kind,
            // What is stored was a time once.
            recorded_at: entry.recorded_at.time().unwrap_or(Timestamp::UNIX_EPOCH),
            occurred_at: entry.occurred_at.time(),
            payload: large.map_or(copied, Payload::Bytes),
            tags: extra.map_or(&NO_TAGS, |extra| &extra.tags),
            metadata: extra.map_or(&NO_METADATA, |extra| &extra.metadata),
        }
    }
}
