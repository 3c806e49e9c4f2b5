//! The events of the log that match a query.

use std::ops::Range;

use es_core::{Direction, Query, QueryItem};

use super::Log;
use crate::merge::{Merge, within};
use crate::segments::Slot;

/// The events that match a query.
pub(super) enum Matches<'a> {
    /// All there are in these slots, which the log has.
    All { slots: Range<u64>, direction: Direction },
    /// With a query item that must still be asked, or without when the list is exact.
    Some(Merge<'a, Option<&'a QueryItem>>),
}

impl Matches<'_> {
    pub(super) fn next(&mut self, log: &Log) -> Option<Slot> {
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
    pub(super) fn next_run(&mut self, log: &Log, limit: usize) -> Option<Range<Slot>> {
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
    pub(super) fn give_back(&mut self, run: Range<Slot>) {
        if let (Self::All { slots, .. }, false) = (self, run.is_empty()) {
            slots.start = run.start.into();
        }
    }
}

impl Log {
    /// The events that match a query, in a range of slots.
    pub(super) fn matches<'a>(
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
}

pub(super) fn wants_everything(query: &Query) -> bool {
    query.items().iter().any(|item| item.names().is_empty() && item.tags().is_empty())
}
