//! Going over several sorted lists of events at once.

use std::ops::Range;

use es_core::Direction;

use crate::segments::Slot;

/// The part of a sorted list that lies in a range of slots.
pub(crate) fn within<'a>(slots: &'a [Slot], range: &Range<u64>) -> &'a [Slot] {
    let start = slots.partition_point(|&slot| u64::from(slot) < range.start);
    let end = slots.partition_point(|&slot| u64::from(slot) < range.end);
    &slots[start..end.max(start)]
}

/// The slots of several sorted lists in order, each once, with the owners of the lists it is in.
pub(crate) struct Merge<'a, T> {
    lists: Vec<(&'a [Slot], T)>,
    direction: Direction,
}

impl<'a, T: Copy> Merge<'a, T> {
    pub(crate) fn new(mut lists: Vec<(&'a [Slot], T)>, direction: Direction) -> Self {
        lists.retain(|(list, _)| !list.is_empty());
        Self { lists, direction }
    }

    /// The next slot for which some list's owner says yes.
    pub(crate) fn next_where(&mut self, mut wanted: impl FnMut(Slot, T) -> bool) -> Option<Slot> {
        if let [(list, owner)] = &mut self.lists[..] {
            loop {
                let (slot, rest) = split(list, self.direction)?;
                *list = rest;
                if wanted(slot, *owner) {
                    return Some(slot);
                }
            }
        }
        loop {
            let slot = self.peek()?;
            let mut found = false;
            for (list, owner) in &mut self.lists {
                let Some((next, rest)) = split(list, self.direction) else { continue };
                if next == slot {
                    *list = rest;
                    found = found || wanted(slot, *owner);
                }
            }
            if found {
                return Some(slot);
            }
        }
    }

    fn peek(&self) -> Option<Slot> {
        let nexts = self.lists.iter().filter_map(|(list, _)| split(list, self.direction));
        let nexts = nexts.map(|(next, _)| next);
        match self.direction {
            Direction::Forward => nexts.min(),
            Direction::Backward => nexts.max(),
        }
    }
}

fn split(list: &[Slot], direction: Direction) -> Option<(Slot, &[Slot])> {
    let (next, rest) = match direction {
        Direction::Forward => list.split_first()?,
        Direction::Backward => list.split_last()?,
    };
    Some((*next, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lists: &[&[Slot]], direction: Direction) -> Vec<Slot> {
        let mut merge = Merge::new(lists.iter().map(|list| (*list, ())).collect(), direction);
        std::iter::from_fn(|| merge.next_where(|_, ()| true)).collect()
    }

    #[test]
    fn every_slot_comes_once_in_order() {
        let lists: [&[Slot]; 4] = [&[1, 4, 9], &[2, 4], &[], &[0, 9, 10]];
        assert_eq!(all(&lists, Direction::Forward), [0, 1, 2, 4, 9, 10]);
        assert_eq!(all(&lists, Direction::Backward), [10, 9, 4, 2, 1, 0]);
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_empty() {
        let (after, up_to) = (8, 3);
        assert_eq!(within(&[1, 4, 9], &(after..up_to)), &[] as &[Slot]);
        assert_eq!(within(&[1, 4, 9], &(2..5)), [4]);
    }
}
