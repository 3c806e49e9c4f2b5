//! Where the event with each id is.

use std::cmp::Ordering;
use std::hash::BuildHasher;

use es_core::EventId;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::segments::Slot;

/// At least so many of the greatest ids are looked at one by one. Commits that several threads make at
/// once arrive in a slightly other order than their ids were made in.
const LATE: usize = if cfg!(test) { 4 } else { 32 };

/// Almost all ids are made of the time and come about in its order: those are kept in order and found
/// by bisection, and a new one is known to be new because it is greater than all of them, or has no
/// equal near the greatest. The others are hashed.
///
/// In the order in which an append changes them; see [`Log`](crate::log::Log).
#[derive(Default)]
#[repr(C)]
pub(crate) struct EventIds {
    /// The last of the recent ones, at hand where an append looks anyway: most new ids are greater, and need
    /// not fetch what another thread wrote there.
    greatest: u128,
    /// The greatest in order, with their events.
    recent: Vec<(u128, Slot)>,
    /// Events in the order of their ids, which are less than those.
    ordered: Vec<Slot>,
    /// Those that came when more than [`LATE`] greater ones were there, or are not made of the time.
    others: HashTable<Slot>,
    hasher: DefaultHashBuilder,
}

/// Where an id belongs.
enum Place {
    /// Among the greatest, at this rank, where it is not yet.
    Vacant(usize),
    /// Where it is.
    Taken(Slot),
    /// Not among the greatest: it may be anywhere.
    Elsewhere,
}

impl EventIds {
    /// The event with an id. `id_of` is the id of a stored event.
    #[inline]
    pub(crate) fn find(&self, id: EventId, id_of: impl Fn(Slot) -> EventId) -> Option<Slot> {
        match self.place(id) {
            Place::Vacant(_) => None,
            Place::Taken(slot) => Some(slot),
            Place::Elsewhere => self.find_elsewhere(id, id_of),
        }
    }

    /// Notes an event whose id was not there.
    #[inline]
    pub(crate) fn add(&mut self, id: EventId, slot: Slot, id_of: impl Fn(Slot) -> EventId) {
        match self.place(id) {
            Place::Vacant(rank) => {
                self.greatest = self.greatest.max(number(id));
                self.recent.insert(rank, (number(id), slot));
                if self.recent.len() == 2 * LATE {
                    self.ordered.extend(self.recent.drain(..LATE).map(|(_, slot)| slot));
                }
            }
            Place::Taken(_) | Place::Elsewhere => {
                self.others.insert_unique(self.hasher.hash_one(number(id)), slot, |&slot| {
                    self.hasher.hash_one(number(id_of(slot)))
                });
            }
        }
    }

    /// An id that was not among the greatest when it came never is later, because the least of those
    /// only rises: so what has a place among them is nowhere else.
    #[inline]
    fn place(&self, id: EventId) -> Place {
        if !is_time_ordered(id) {
            return Place::Elsewhere;
        }
        let id = number(id);
        if id > self.greatest {
            return Place::Vacant(self.recent.len());
        }
        for (below, &(other, slot)) in self.recent.iter().enumerate().rev() {
            match other.cmp(&id) {
                Ordering::Less => return Place::Vacant(below + 1),
                Ordering::Equal => return Place::Taken(slot),
                Ordering::Greater => {}
            }
        }
        if self.ordered.is_empty() { Place::Vacant(0) } else { Place::Elsewhere }
    }

    fn find_elsewhere(&self, id: EventId, id_of: impl Fn(Slot) -> EventId) -> Option<Slot> {
        if is_time_ordered(id) {
            let rank = self.ordered.binary_search_by_key(&number(id), |&slot| number(id_of(slot)));
            if let Ok(rank) = rank {
                return Some(self.ordered[rank]);
            }
        }
        self.others.find(self.hasher.hash_one(number(id)), |&slot| id_of(slot) == id).copied()
    }
}

fn is_time_ordered(id: EventId) -> bool {
    id.as_uuid().get_version_num() == 7
}

/// Ordered as the bytes are, and cheaper to hash and to compare.
fn number(id: EventId) -> u128 {
    id.as_uuid().as_u128()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::collections::hash_map::Entry;

    use es_core::uuid::Uuid;
    use proptest::prelude::*;

    use super::*;

    /// Ids of all kinds, some of them more than once, close to each other.
    fn ids() -> impl Strategy<Value = Vec<EventId>> {
        let id = (0..40_u128, any::<bool>()).prop_map(|(number, time_ordered)| {
            let version = if time_ordered { 7 } else { 5 };
            EventId::from_uuid(Uuid::from_u128(number << 80 | version << 76 | 1 << 63))
        });
        prop::collection::vec(id, 0..120)
    }

    proptest! {
        #[test]
        fn every_id_is_found_where_it_is_and_no_other(ids in ids()) {
            let (mut index, mut stored, mut model) = (EventIds::default(), Vec::new(), HashMap::new());
            for id in ids {
                let id_of = |slot: Slot| stored[slot as usize];
                prop_assert_eq!(index.find(id, id_of), model.get(&id).copied());
                if let Entry::Vacant(unknown) = model.entry(id) {
                    let slot = stored.len() as Slot;
                    stored.push(id);
                    index.add(id, slot, |slot| stored[slot as usize]);
                    unknown.insert(slot);
                }
            }
            for (id, slot) in model {
                prop_assert_eq!(index.find(id, |slot| stored[slot as usize]), Some(slot));
            }
        }
    }
}
