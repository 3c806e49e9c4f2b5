//! Appending to the log.

use es_core::jiff::Timestamp;
use es_core::{
    AppendCondition, AppendError, Appended, Commit, ConditionFailed, Direction, EventId, Inline,
    InlinePlace, NewEvent, Payload, Position, Recorded, StateError, StoreFailure, StreamAppend,
    StreamId, Version, VersionConflict,
};

use super::{Log, Stream};
use crate::segments::{Slot, position};
use crate::states::{States, Step};

/// So many events are indexed at once, if nobody asks for them before. Many more would take so long that
/// who waits for the lock goes to sleep.
const INDEXED_AT_ONCE: Slot = if cfg!(test) { 2 } else { 256 };

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
}
