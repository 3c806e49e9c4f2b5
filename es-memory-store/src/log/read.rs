//! Reading the log.

use std::ops::ControlFlow;

use es_core::{
    Direction, EventId, Page, PageBuilder, Query, QueryPage, QueryRange, ReadError, Recorded,
    RecordedEvent, SparsePage, StreamId, StreamPage, StreamRange, StreamVisit, Version,
};

use super::matches::Matches;
use super::{Log, Stream};
use crate::segments::Slot;

/// A page ends at this many bytes even when more events were asked for.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

impl Log {
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
}

impl Stream {
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
