//! The log: all events in their global order, and the indexes over them.

mod removal;

use std::ops::{ControlFlow, Range};

use es_core::jiff::Timestamp;
use es_core::{
    AppendCondition, AppendError, Appended, Archived, Commit, ConditionFailed, Direction, EventId,
    Fence, Inline, InlinePlace, InlineSet, NewEvent, Page, PageBuilder, Payload, Position, Query,
    QueryItem, QueryPage, QueryRange, ReadError, Recorded, RecordedEvent, RemovedEvent,
    RemovedPart, SparsePage, StateError, StoreFailure, StreamAppend, StreamId, StreamPage,
    StreamRange, StreamVisit, Stub, Version, VersionConflict,
};
use hashbrown::HashMap;

use crate::event_ids::EventIds;
use crate::indexes::Indexes;
use crate::merge::{Merge, within};
use crate::segments::{Segments, Slot, position};
use crate::states::{States, Step};

/// A page ends at this many bytes even when more events were asked for.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// So many events are indexed at once, if nobody asks for them before. Many more would take so long that
/// who waits for the lock goes to sleep.
const INDEXED_AT_ONCE: Slot = if cfg!(test) { 2 } else { 256 };

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
        if !conditions.is_empty() {
            self.extend_indexes();
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
        let recorded_at = now.max(self.last_recorded_at);
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
        recorded_at: Timestamp,
    ) -> Result<(), AppendError> {
        let version = |append: &StreamAppend| {
            self.place(&append.stream)
                .map_or(Version::ZERO, |place| self.streams[place as usize].version())
        };
        let versions: Vec<_> = commit.streams().map(version).collect();
        let place = InlinePlace { commit, before: self.head(), versions: &versions, recorded_at };
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
        let (mut set, head) = (std::mem::take(&mut self.inline), self.head());
        let mut step = Step::new(self, states);
        let done = set.enlist(&mut step, inline, stay, head);
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
        recorded_at: Timestamp,
    ) -> Version {
        let place = place.unwrap_or_else(|| self.add_stream(&append.stream));
        for event in &append.events {
            let slot = self.length;
            let segment = self.segments.first_of_next();
            if slot.is_multiple_of(INDEXED_AT_ONCE) {
                self.extend_indexes();
            }
            let stream = &mut self.streams[place as usize];
            stream.slots.push(slot);
            if stream.example < segment {
                stream.example = slot;
            }
            let of_stream = (stream.example != slot).then_some(stream.example);
            let named = self.indexes.names.example(&event.name, segment, slot);
            let recorded = Recorded {
                position: position(slot),
                stream: append.stream.borrowed(),
                version: stream.version(),
                event_id: event.id,
                name: &event.name,
                schema_version: event.schema_version,
                payload: Payload::Bytes(&event.payload),
                tags: event.tags.as_slice(),
                recorded_at,
                occurred_at: event.occurred_at,
                metadata: &event.metadata,
            };
            self.segments.push(&recorded, &event.payload, of_stream, named);
            self.length += 1;
            let segments = &self.segments;
            self.ids.add(event.id, slot, |slot| segments.event_id(slot));
        }
        self.streams[place as usize].version()
    }

    #[cold]
    fn add_stream(&mut self, id: &StreamId) -> u32 {
        let place = self.streams.len() as u32;
        self.by_stream.insert(id.clone(), place);
        self.streams.push(Stream { slots: Vec::new(), example: self.length, removed: Vec::new() });
        place
    }

    /// Whether all events that a query asks for are found.
    pub(crate) fn finds(&self, query: &Query) -> bool {
        self.indexes.reach(self.length) || wants_everything(query)
    }

    pub(crate) fn extend_indexes(&mut self) {
        self.indexes.extend(&self.segments, self.length);
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
        let selected = stream.select(id, range)?;
        let slots = selected.slots.iter().copied();
        let (events, taken) = match range.direction {
            Direction::Forward => self.fill(slots, range.limit),
            Direction::Backward => self.fill(slots.rev(), range.limit),
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
        let selected = stream.select(id, range)?;
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
        let (mut page, mut more) = (PageBuilder::default(), false);
        while page.len() < range.limit && page.bytes() < PAGE_BYTES {
            let Some(run) = matches.next_run(self, range.limit - page.len()) else { break };
            // What was removed comes alone.
            if !self.is_removed(run.start) {
                matches.give_back(self.segments.show(run, &mut page, PAGE_BYTES));
            } else if self.removed_event(run.start).is_none() {
                // For good.
            } else if page.is_empty() {
                return Err(self.refusal(run.start));
            } else {
                more = true;
                break;
            }
        }
        let more = more || self.next_not_gone(&mut matches).is_some();
        Ok(QueryPage { events: page.build(), head: self.head(), more })
    }

    pub(crate) fn read_sparse(&self, query: &Query, range: QueryRange) -> SparsePage {
        let slots = range.after.get()..range.up_to.get().min(self.length.into());
        let mut matches = self.matches(query, slots, range.direction);
        let (mut page, mut removed) = (PageBuilder::default(), Vec::new());
        while page.len() + removed.len() < range.limit && page.bytes() < PAGE_BYTES {
            let room = range.limit - page.len() - removed.len();
            let Some(run) = matches.next_run(self, room) else { break };
            if self.is_removed(run.start) {
                removed.extend(self.removed_event(run.start));
            } else {
                matches.give_back(self.segments.show(run, &mut page, PAGE_BYTES));
            }
        }
        let more = self.next_not_gone(&mut matches).is_some();
        SparsePage { events: page.build(), removed, head: self.head(), more }
    }

    /// The next event that matches and was not removed for good.
    fn next_not_gone(&self, matches: &mut Matches<'_>) -> Option<Slot> {
        loop {
            let slot = matches.next(self)?;
            if !self.is_removed(slot) || self.removed_event(slot).is_some() {
                return Some(slot);
            }
        }
    }

    /// Fills a page, and says how many events it took.
    fn fill(&self, slots: impl Iterator<Item = Slot>, limit: usize) -> (Page, u64) {
        let mut page = PageBuilder::default();
        for slot in slots.take(limit) {
            if page.bytes() >= PAGE_BYTES {
                break;
            }
            self.segments.show(slot..slot + 1, &mut page, PAGE_BYTES);
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
        let end = slots.end.min(self.length.into());
        let all = slots.start.min(end)..end;
        if wants_everything(query) {
            return Matches::All { slots: all, direction };
        }
        let items = query.items();
        let lists = if items.iter().all(|item| item.tags().is_empty()) {
            // The names find just what is wanted.
            let mut names: Vec<_> = items.iter().flat_map(QueryItem::names).collect();
            names.sort_unstable();
            names.dedup();
            let lists = names.iter().map(|name| within(self.indexes.names.slots(name), &slots));
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
                let tagged = item.tags().iter().map(|tag| self.indexes.tags.slots(tag));
                match tagged.min_by_key(|slots| slots.len()) {
                    Some(found) => lists.push((within(found, &slots), Some(item))),
                    None => {
                        let named = item.names().iter().map(|name| self.indexes.names.slots(name));
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
        self.segments.is_removed(slot)
    }

    /// Where a removed event is; `None` if nowhere.
    fn removed_event(&self, slot: Slot) -> Option<RemovedEvent> {
        let recorded = self.recorded(slot);
        let (id, version) = (recorded.stream.to_stream_id(), recorded.version);
        let removed = &self.stream(&id)?.removed;
        let part = removed.iter().find(|part| (part.from..=part.to).contains(&version))?;
        let segment = part.segment.clone()?;
        Some(RemovedEvent { position: position(slot), stream: id, version, segment })
    }

    fn refusal(&self, slot: Slot) -> ReadError {
        ReadError::Archived(Box::new(self.archived(slot)))
    }

    fn archived(&self, slot: Slot) -> Archived {
        let Recorded { stream, version, .. } = self.recorded(slot);
        let stream = stream.to_stream_id();
        let stub = match self.stream(&stream) {
            Some(known) => known.stub(&stream),
            None => Stub { stream, version, parts: Vec::new() },
        };
        stub.archived(version)
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

    /// The events in a range, whatever its limit.
    ///
    /// # Errors
    /// When the range begins with a removed event. Backward it ends before one.
    fn select(&self, id: &StreamId, range: StreamRange) -> Result<Selected<'_>, ReadError> {
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
            return Err(self.stub(id).refusal(Version::new(first)));
        }
        let live = from.max(removed.min(to));
        let slots = &self.slots[live as usize..to as usize];
        Ok(Selected { slots, from, to, direction: range.direction })
    }

    fn stub(&self, id: &StreamId) -> Stub {
        Stub { stream: id.clone(), version: self.version(), parts: self.removed.clone() }
    }
}

fn wants_everything(query: &Query) -> bool {
    query.items().iter().any(|item| item.names().is_empty() && item.tags().is_empty())
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

/// The events that match a query.
enum Matches<'a> {
    /// All there are in these slots, which the log has.
    All { slots: Range<u64>, direction: Direction },
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

    /// The next events that match, at most so many, in slots that follow each other in one segment. One
    /// that was removed comes alone.
    fn next_run(&mut self, log: &Log, limit: usize) -> Option<Range<Slot>> {
        match self {
            Self::All { slots, direction: Direction::Forward } if !slots.is_empty() => {
                let end = slots.end.min(slots.start.saturating_add(limit as u64));
                let run = log.segments.run(slots.start as Slot..end as Slot);
                slots.start = run.end.into();
                Some(run)
            }
            _ => self.next(log).map(|slot| slot..slot + 1),
        }
    }

    /// Takes the end of a run back.
    fn give_back(&mut self, run: Range<Slot>) {
        if let (Self::All { slots, .. }, false) = (self, run.is_empty()) {
            slots.start = run.start.into();
        }
    }
}
