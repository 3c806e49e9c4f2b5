//! The log: all events in their global order, and the indexes over them.

use std::ops::{ControlFlow, Range};

use es_core::jiff::Timestamp;
use es_core::{
    AppendCondition, AppendError, Appended, Archived, Commit, ConditionFailed, Direction, EventId,
    Fence, Inline, InlinePlace, InlineSet, NewEvent, Page, PageBuilder, Position, Query, QueryItem,
    QueryPage, QueryRange, ReadError, Recorded, RecordedEvent, Removal, RemovalError, RemovedEvent,
    RemovedPart, SparsePage, StateError, StoreFailure, StreamAppend, StreamId, StreamPage,
    StreamRange, StreamVisit, Stub, Tag, Version, VersionConflict,
};
use hashbrown::HashMap;

use crate::event_ids::EventIds;
use crate::merge::{Merge, within};
use crate::names::{Names, Postings};
use crate::segment::{Microseconds, NewEntry, SEGMENT_EVENTS, Segment, Slot, Stored};
use crate::states::{States, Step};

/// A page ends at this many bytes even when more events were asked for.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// The most events there is room for before a page is filled.
const PAGE_ROOM: u64 = 4096;

pub(crate) struct Log {
    segments: Vec<Segment>,
    length: Slot,
    last_recorded_at: Microseconds,
    streams: Vec<Stream>,
    by_stream: HashMap<StreamId, u32>,
    ids: EventIds,
    names: Names,
    tags: Postings<Tag>,
    /// What is changed with the events.
    inline: InlineSet,
    /// What keeps new events out.
    pub(crate) fence: Option<Box<Fence>>,
}

struct Stream {
    id: StreamId,
    slots: Vec<Slot>,
    /// What was removed of it.
    removed: Vec<RemovedPart>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            segments: Vec::new(),
            length: 0,
            last_recorded_at: Microseconds::NONE,
            streams: Vec::new(),
            by_stream: HashMap::new(),
            ids: EventIds::default(),
            names: Names::default(),
            tags: Postings::default(),
            inline: InlineSet::default(),
            fence: None,
        }
    }
}

/// Appending.
impl Log {
    pub(crate) fn append(
        &mut self,
        states: &States,
        commit: &Commit,
        conditions: &[AppendCondition],
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        if let Some(appended) = self.repeated(commit)? {
            return Ok(appended);
        }
        if let Some(fence) = &self.fence {
            return Err(AppendError::Fenced { fence: fence.clone() });
        }
        let first_place = self.place(&commit.first().stream);
        self.check_version(commit.first(), first_place)?;
        for append in commit.further() {
            self.check_version(append, self.place(&append.stream))?;
        }
        for (index, condition) in conditions.iter().enumerate() {
            self.check_condition(index, condition)?;
        }
        let first = self.length;
        let events = Slot::try_from(commit.event_count()).ok();
        if events.and_then(|events| first.checked_add(events)).is_none() {
            return Err(AppendError::Permanent(StoreFailure::new(format!(
                "the memory store is full: it holds {first} events, at most {} fit",
                Slot::MAX
            ))));
        }
        let recorded_at = Microseconds::of(now).max(self.last_recorded_at);
        if !self.inline.is_empty() {
            self.append_inline(states, commit, recorded_at)?;
        }
        // Everything is checked: from here on nothing can fail.
        self.last_recorded_at = recorded_at;
        let version = self.extend(commit.first(), first_place, recorded_at);
        let mut more_versions = Vec::new();
        for append in commit.further() {
            more_versions.push(self.extend(append, self.place(&append.stream), recorded_at));
        }
        Ok(Appended {
            version,
            more_versions,
            first_position: position(first),
            last_position: self.head(),
            repeated: false,
        })
    }

    /// Changes the inline projections as the events will, which nothing can refuse any more but they.
    #[cold]
    fn append_inline(
        &mut self,
        states: &States,
        commit: &Commit,
        recorded_at: Microseconds,
    ) -> Result<(), AppendError> {
        let version = |append: &StreamAppend| {
            self.place(&append.stream)
                .map_or(Version::ZERO, |place| self.streams[place as usize].version())
        };
        let versions: Vec<_> = commit.streams().map(version).collect();
        let place = InlinePlace {
            commit,
            before: self.head(),
            versions: &versions,
            recorded_at: recorded_at.time().unwrap_or_default(),
        };
        let mut inline = std::mem::take(&mut self.inline);
        let mut step = Step::new(self, states);
        let done = inline.append(&mut step, &place);
        if done.is_ok() {
            step.store();
            inline.committed();
        } else {
            drop(step);
        }
        self.inline = inline;
        done
    }

    /// Brings an inline projection up to the head, and lets it take part in appends if it is to stay.
    pub(crate) fn enlist(
        &mut self,
        states: &States,
        inline: &Inline,
        stay: bool,
    ) -> Result<(), StateError> {
        let mut set = std::mem::take(&mut self.inline);
        let mut step = Step::new(self, states);
        let done = set.enlist(&mut step, inline, stay, self.head());
        if done.is_ok() {
            step.store();
            set.committed();
        } else {
            drop(step);
            set.rolled_back();
        }
        self.inline = set;
        done
    }

    /// The first answer to the commit if it is stored.
    fn repeated(&self, commit: &Commit) -> Result<Option<Appended>, AppendError> {
        let stored = |append: &StreamAppend| {
            append.events.iter().find_map(|event| Some((event.id, self.slot_of(event.id)?)))
        };
        let found = stored(commit.first()).or_else(|| commit.further().iter().find_map(stored));
        match found {
            Some((event_id, slot)) => self.first_answer(commit, event_id, slot).map(Some),
            None => Ok(None),
        }
    }

    /// The first answer to a commit of which an event is stored at `slot`.
    #[cold]
    fn first_answer(
        &self,
        commit: &Commit,
        event_id: EventId,
        slot: Slot,
    ) -> Result<Appended, AppendError> {
        let mut stored = commit
            .streams()
            .flat_map(|append| append.events.iter())
            .filter_map(|event| Some((event.id, self.slot_of(event.id)?)));
        let removed = stored.find(|(_, slot)| self.is_removed(*slot));
        if let Some((event_id, slot)) = removed {
            let archived = Box::new(self.archived(slot));
            return Err(AppendError::EventIdArchived { event_id, archived });
        }
        let reused =
            |event_id, slot| AppendError::EventIdReused { event_id, position: position(slot) };
        // It must be the commit's first event, and behind it the others.
        if event_id != commit.first().events[0].id {
            return Err(reused(event_id, slot));
        }
        let mut end = slot;
        let mut versions = Vec::new();
        for append in commit.streams() {
            for event in &append.events {
                match self.slot_of(event.id) {
                    Some(found) if found == end && self.is_same(found, append, event) => end += 1,
                    Some(found) => return Err(reused(event.id, found)),
                    None => return Err(reused(event_id, slot)),
                }
            }
            versions.push(self.recorded(end - 1).version);
        }
        let mut versions = versions.into_iter();
        Ok(Appended {
            version: versions.next().unwrap_or_default(),
            more_versions: versions.collect(),
            first_position: position(slot),
            last_position: position(end - 1),
            repeated: true,
        })
    }

    fn is_same(&self, slot: Slot, append: &StreamAppend, event: &NewEvent) -> bool {
        let stored = self.recorded(slot);
        stored.stream == append.stream.borrowed()
            && stored.name == event.name
            && stored.schema_version == event.schema_version
            && stored.payload.as_bytes() == event.payload
    }

    fn check_version(
        &self,
        append: &StreamAppend,
        place: Option<u32>,
    ) -> Result<(), VersionConflict> {
        let stream = place.map(|place| &self.streams[place as usize]);
        let actual = stream.map_or(Version::ZERO, Stream::version);
        if append.expected.admits(actual) {
            return Ok(());
        }
        Err(VersionConflict { stream: append.stream.clone(), expected: append.expected, actual })
    }

    fn check_condition(
        &self,
        index: usize,
        condition: &AppendCondition,
    ) -> Result<(), ConditionFailed> {
        let after = condition.after.unwrap_or(Position::ZERO);
        let mut matches = self.matches(&condition.query, after.get()..u64::MAX, Direction::Forward);
        match matches.next(self) {
            Some(slot) => {
                let (condition, position) = (condition.clone(), position(slot));
                Err(ConditionFailed { index, condition, position })
            }
            None => Ok(()),
        }
    }

    /// Adds the events of the stream that is at `place`, or of a new one, and answers with its
    /// version.
    fn extend(
        &mut self,
        append: &StreamAppend,
        place: Option<u32>,
        recorded_at: Microseconds,
    ) -> Version {
        let stream = place.unwrap_or_else(|| {
            let new = self.streams.len() as u32;
            self.by_stream.insert(append.stream.clone(), new);
            self.streams.push(Stream {
                id: append.stream.clone(),
                slots: Vec::new(),
                removed: Vec::new(),
            });
            new
        });
        for event in &append.events {
            let slot = self.length;
            let slots = &mut self.streams[stream as usize].slots;
            slots.push(slot);
            let version = slots.len() as u32;
            for tag in event.tags.as_slice() {
                self.tags.add(tag, slot);
            }
            let entry = NewEntry {
                event_id: event.id,
                stream,
                version,
                kind: self.names.add(&event.name, event.schema_version, slot),
                recorded_at,
                occurred_at: event.occurred_at,
                payload: &event.payload,
                tags: &event.tags,
                metadata: &event.metadata,
            };
            self.segment_with_room().push(&entry);
            self.length += 1;
            let segments = &self.segments;
            self.ids.add(event.id, slot, |slot| event_id(segments, slot));
        }
        self.streams[stream as usize].version()
    }

    fn segment_with_room(&mut self) -> &mut Segment {
        if self.segments.last().is_none_or(Segment::is_full) {
            let next = match self.segments.last_mut() {
                Some(full) => {
                    full.seal();
                    Segment::with_full_capacity()
                }
                None => Segment::default(),
            };
            self.segments.push(next);
        }
        let last = self.segments.len() - 1;
        &mut self.segments[last]
    }
}

/// Reading.
impl Log {
    pub(crate) fn head(&self) -> Position {
        Position::new(self.length.into())
    }

    pub(crate) fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        match self.slot_of(event_id) {
            Some(slot) if self.is_removed(slot) => Err(self.refusal(slot)),
            Some(slot) => Ok(Some(self.recorded(slot).to_event())),
            None => Ok(None),
        }
    }

    pub(crate) fn read_stream(
        &self,
        id: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        let Some(stream) = self.stream(id) else {
            return Ok(StreamPage { events: Page::default(), version: Version::ZERO, next: None });
        };
        let selected = stream.select(range)?;
        let at_most = selected.slots.len() as u64;
        let (events, taken) = match range.direction {
            Direction::Forward => self.fill(selected.slots.iter().copied(), at_most, range.limit),
            Direction::Backward => {
                self.fill(selected.slots.iter().rev().copied(), at_most, range.limit)
            }
        };
        Ok(StreamPage { events, version: stream.version(), next: selected.behind(taken) })
    }

    pub(crate) fn visit_stream(
        &self,
        id: &StreamId,
        range: StreamRange,
        visit: &mut dyn FnMut(&Recorded<'_>) -> ControlFlow<()>,
    ) -> Result<StreamVisit, ReadError> {
        let Some(stream) = self.stream(id) else {
            return Ok(StreamVisit { version: Version::ZERO, next: None });
        };
        let selected = stream.select(range)?;
        let mut taken = 0;
        let mut show = |&slot| {
            taken += 1;
            visit(&self.recorded(slot))
        };
        let limited = selected.slots.len().min(range.limit);
        // That the visitor breaks off says no more than how many it has taken.
        let _ = match range.direction {
            Direction::Forward => selected.slots[..limited].iter().try_for_each(&mut show),
            Direction::Backward => selected.slots.iter().rev().take(limited).try_for_each(show),
        };
        Ok(StreamVisit { version: stream.version(), next: selected.behind(taken) })
    }

    pub(crate) fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        let slots = range.after.get()..range.up_to.get().min(self.length.into());
        let mut matches = self.matches(query, slots, range.direction);
        let at_most = matches.at_most();
        let mut found = self.not_gone(&mut matches).peekable();
        let live = std::iter::from_fn(|| found.next_if(|slot| !self.is_removed(*slot)));
        let (events, taken) = self.fill(live, at_most, range.limit);
        let next = if taken < at_most { found.next() } else { None };
        match next {
            Some(slot) if events.is_empty() && range.limit > 0 => Err(self.refusal(slot)),
            next => Ok(QueryPage { events, head: self.head(), more: next.is_some() }),
        }
    }

    pub(crate) fn read_sparse(&self, query: &Query, range: QueryRange) -> SparsePage {
        let slots = range.after.get()..range.up_to.get().min(self.length.into());
        let mut matches = self.matches(query, slots, range.direction);
        let mut found = self.not_gone(&mut matches);
        let (mut page, mut removed) = (PageBuilder::default(), Vec::new());
        while page.len() + removed.len() < range.limit && page.bytes() < PAGE_BYTES {
            let Some(slot) = found.next() else { break };
            if self.is_removed(slot) {
                removed.extend(self.removed_event(slot));
            } else {
                page.push(self.recorded(slot));
            }
        }
        let more = found.next().is_some();
        SparsePage { events: page.build(), removed, head: self.head(), more }
    }

    /// The events that match, without those that were removed for good.
    fn not_gone<'m>(&'m self, matches: &'m mut Matches<'_>) -> impl Iterator<Item = Slot> + 'm {
        std::iter::from_fn(|| matches.next(self))
            .filter(|slot| !self.is_removed(*slot) || self.removed_event(*slot).is_some())
    }

    /// Fills a page, and says how many events it took.
    fn fill(
        &self,
        slots: impl IntoIterator<Item = Slot>,
        at_most: u64,
        limit: usize,
    ) -> (Page, u64) {
        let room = at_most.min(limit as u64).min(PAGE_ROOM);
        let mut page = PageBuilder::with_capacity(room as usize);
        let mut slots = slots.into_iter();
        while page.len() < limit && page.bytes() < PAGE_BYTES {
            let Some(slot) = slots.next() else { break };
            page.push(self.recorded(slot));
        }
        let taken = page.len() as u64;
        (page.build(), taken)
    }

    /// The events that match a query, in a range of slots.
    fn matches<'a>(
        &'a self,
        query: &'a Query,
        slots: Range<u64>,
        direction: Direction,
    ) -> Matches<'a> {
        let everything =
            query.items().iter().any(|item| item.names().is_empty() && item.tags().is_empty());
        let end = slots.end.min(self.length.into());
        let all = slots.start.min(end)..end;
        if everything {
            return Matches::All { slots: all, direction };
        }
        let items = query.items();
        let lists = if items.iter().all(|item| item.tags().is_empty()) {
            // The names find just what is wanted.
            let mut names: Vec<_> = items.iter().flat_map(QueryItem::names).collect();
            names.sort_unstable();
            names.dedup();
            let lists = names.iter().map(|name| within(self.names.slots(name), &slots));
            let lists: Vec<_> = lists.map(|list| (list, None)).collect();
            // An event has one name: if so many are wanted, all are.
            if lists.iter().map(|(list, _)| list.len() as u64).sum::<u64>() == all.end - all.start {
                return Matches::All { slots: all, direction };
            }
            lists
        } else {
            let mut lists = Vec::new();
            for item in items {
                // The rarest tag finds the fewest events; what it finds must be looked at.
                let tagged = item.tags().iter().map(|tag| self.tags.slots(tag));
                match tagged.min_by_key(|slots| slots.len()) {
                    Some(found) => lists.push((within(found, &slots), Some(item))),
                    None => {
                        let named = item.names().iter().map(|name| self.names.slots(name));
                        lists.extend(named.map(|found| (within(found, &slots), None)));
                    }
                }
            }
            lists
        };
        Matches::Some(Merge::new(lists, direction))
    }

    #[inline]
    fn is_removed(&self, slot: Slot) -> bool {
        self.segments[slot as usize / SEGMENT_EVENTS].is_removed(slot as usize % SEGMENT_EVENTS)
    }

    /// Where a removed event is; `None` if nowhere.
    fn removed_event(&self, slot: Slot) -> Option<RemovedEvent> {
        let stored = self.stored(slot);
        let stream = &self.streams[stored.stream as usize];
        let version = Version::new(stored.version.into());
        let part = stream.removed.iter().find(|part| (part.from..=part.to).contains(&version))?;
        let segment = part.segment.clone()?;
        Some(RemovedEvent { position: position(slot), stream: stream.id.clone(), version, segment })
    }

    fn refusal(&self, slot: Slot) -> ReadError {
        ReadError::Archived(Box::new(self.archived(slot)))
    }

    fn archived(&self, slot: Slot) -> Archived {
        let stored = self.stored(slot);
        let stub = self.streams[stored.stream as usize].stub();
        stub.archived(Version::new(stored.version.into()))
    }

    fn stored(&self, slot: Slot) -> Stored<'_> {
        self.segments[slot as usize / SEGMENT_EVENTS].get(slot as usize % SEGMENT_EVENTS)
    }

    fn stream(&self, id: &StreamId) -> Option<&Stream> {
        Some(&self.streams[self.place(id)? as usize])
    }

    fn place(&self, id: &StreamId) -> Option<u32> {
        self.by_stream.get(id).copied()
    }

    fn slot_of(&self, id: EventId) -> Option<Slot> {
        self.ids.find(id, |slot| event_id(&self.segments, slot))
    }

    #[inline]
    fn recorded(&self, slot: Slot) -> Recorded<'_> {
        let stored = self.stored(slot);
        let (name, schema_version) = self.names.kind(stored.kind);
        Recorded {
            position: position(slot),
            stream: self.streams[stored.stream as usize].id.borrowed(),
            version: Version::new(stored.version.into()),
            event_id: stored.event_id,
            name,
            schema_version,
            payload: stored.payload,
            tags: stored.tags.as_slice(),
            recorded_at: stored.recorded_at,
            occurred_at: stored.occurred_at,
            metadata: stored.metadata,
        }
    }
}

impl Stream {
    fn version(&self) -> Version {
        Version::new(self.slots.len() as u64)
    }

    /// The events in a range, whatever its limit.
    ///
    /// # Errors
    /// When the range begins with a removed event. Backward it ends before one.
    fn select(&self, range: StreamRange) -> Result<Selected<'_>, ReadError> {
        // Versions are counted from one, slots of the stream from zero.
        let length = self.slots.len() as u64;
        let from = range.from.get().saturating_sub(1).min(length);
        let to = range.to.get().min(length).max(from);
        let removed = self.removed.last().map_or(0, |part| part.to.get());
        let first = match range.direction {
            Direction::Forward => from + 1,
            Direction::Backward => to,
        };
        if from < to && first <= removed && range.limit > 0 {
            return Err(self.stub().refusal(Version::new(first)));
        }
        let live = from.max(removed.min(to));
        let slots = &self.slots[live as usize..to as usize];
        Ok(Selected { slots, from, to, direction: range.direction })
    }

    fn stub(&self) -> Stub {
        Stub { stream: self.id.clone(), version: self.version(), parts: self.removed.clone() }
    }
}

/// A part of a stream.
struct Selected<'a> {
    slots: &'a [Slot],
    from: u64,
    to: u64,
    direction: Direction,
}

impl Selected<'_> {
    /// Where to go on behind so many of the events.
    fn behind(&self, taken: u64) -> Option<Version> {
        (taken < self.to - self.from).then(|| match self.direction {
            Direction::Forward => Version::new(self.from + taken + 1),
            Direction::Backward => Version::new(self.to - taken),
        })
    }
}

/// Removing, and putting back.
impl Log {
    pub(crate) fn remove(&mut self, removal: &Removal) -> Result<(), RemovalError> {
        let place = self.place(&removal.stream);
        let stream = place.map(|place| &self.streams[place as usize]);
        let version = stream.map_or(Version::ZERO, Stream::version);
        let stub = stream.filter(|stream| !stream.removed.is_empty()).map(Stream::stub);
        let id_at = |version: Version| {
            let slot = *stream?.slots.get(version.get().checked_sub(1)? as usize)?;
            Some(event_id(&self.segments, slot))
        };
        let repeated = Stub::check(stub.as_ref(), version, removal, id_at)?;
        let Some(place) = place.filter(|_| !repeated) else { return Ok(()) };
        // Everything is checked: from here on nothing can fail.
        let stream = &mut self.streams[place as usize];
        let part = &removal.part;
        let slots = part.from.get() as usize - 1..part.to.get() as usize;
        for &slot in &stream.slots[slots] {
            let segment = &mut self.segments[slot as usize / SEGMENT_EVENTS];
            segment.remove(slot as usize % SEGMENT_EVENTS);
        }
        stream.removed.push(part.clone());
        Ok(())
    }

    pub(crate) fn put_back(
        &mut self,
        id: &StreamId,
        events: &[RecordedEvent],
    ) -> Result<(), RemovalError> {
        let place = self.place(id);
        let stream = place.map(|place| &self.streams[place as usize]);
        let last = stream.and_then(|stream| stream.removed.last().cloned());
        let slots = match Stub::check_return(id, last.as_ref(), events)? {
            None => {
                // It was put back before, if these are the events that are there.
                let known = |event: &RecordedEvent| {
                    let slots = &stream?.slots;
                    let slot = slots.get(event.version.get().checked_sub(1)? as usize)?;
                    (event_id(&self.segments, *slot) == event.event_id).then_some(())
                };
                return match events.iter().find(|event| known(event).is_none()) {
                    None => Ok(()),
                    Some(RecordedEvent { version, .. }) => {
                        let (stream, version) = (id.clone(), *version);
                        Err(RemovalError::OtherEvent { stream, version })
                    }
                };
            }
            Some(part) => part.from.get() as usize - 1..part.to.get() as usize,
        };
        let Some(place) = place else { return Ok(()) };
        let slots: Vec<Slot> = self.streams[place as usize].slots[slots].to_vec();
        for (&slot, event) in slots.iter().zip(events) {
            let known = self.recorded(slot);
            if known.event_id != event.event_id
                || known.position != event.position
                || known.version != event.version
                || known.name != event.name
                || known.schema_version != event.schema_version
                || known.tags != event.tags.as_slice()
            {
                let (stream, version) = (id.clone(), event.version);
                return Err(RemovalError::OtherEvent { stream, version });
            }
        }
        for (slot, event) in slots.into_iter().zip(events) {
            let segment = &mut self.segments[slot as usize / SEGMENT_EVENTS];
            let index = slot as usize % SEGMENT_EVENTS;
            segment.put_back(index, &event.payload, &event.metadata);
        }
        self.streams[place as usize].removed.pop();
        Ok(())
    }

    pub(crate) fn stub(&self, id: &StreamId) -> Option<Stub> {
        self.stream(id).filter(|stream| !stream.removed.is_empty()).map(Stream::stub)
    }

    pub(crate) fn stubs(&self, after: Option<&StreamId>, limit: usize) -> Vec<Stub> {
        let removed = self.streams.iter().filter(|stream| !stream.removed.is_empty());
        let mut streams: Vec<_> =
            removed.filter(|stream| after.is_none_or(|after| stream.id > *after)).collect();
        streams.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        streams.into_iter().take(limit).map(Stream::stub).collect()
    }
}

fn position(slot: Slot) -> Position {
    Position::new(u64::from(slot) + 1)
}

fn event_id(segments: &[Segment], slot: Slot) -> EventId {
    segments[slot as usize / SEGMENT_EVENTS].event_id(slot as usize % SEGMENT_EVENTS)
}

/// The events that match a query.
enum Matches<'a> {
    All {
        slots: Range<u64>,
        direction: Direction,
    },
    /// With a query item that must still be asked, or without when the list is exact.
    Some(Merge<'a, Option<&'a QueryItem>>),
}

impl Matches<'_> {
    fn next(&mut self, log: &Log) -> Option<Slot> {
        match self {
            Self::All { slots, direction } => {
                let slot = match direction {
                    Direction::Forward => slots.next(),
                    Direction::Backward => slots.next_back(),
                };
                slot.and_then(|slot| Slot::try_from(slot).ok())
            }
            Self::Some(merge) => merge.next_where(|slot, item| {
                item.is_none_or(|item| {
                    let recorded = log.recorded(slot);
                    item.matches(recorded.name, recorded.tags)
                })
            }),
        }
    }

    /// How many there are, or more.
    fn at_most(&self) -> u64 {
        match self {
            Self::All { slots, .. } => slots.end - slots.start,
            Self::Some(merge) => merge.at_most(),
        }
    }
}
