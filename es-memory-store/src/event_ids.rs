//! Where the event with each id is.

use std::hash::BuildHasher;

use es_core::EventId;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::segments::Slot;

/// Almost all ids are made of the time and come in its order: those are found by bisection, and a new
/// one is known to be new because it is greater than all of them. The others are hashed.
#[derive(Default)]
pub(crate) struct EventIds {
    /// The events whose ids rise.
    rising: Vec<Slot>,
    /// The id of the last of them.
    greatest: u128,
    others: HashTable<Slot>,
    hasher: DefaultHashBuilder,
}

impl EventIds {
    /// The event with an id. `id_of` is the id of a stored event.
    #[inline]
    pub(crate) fn find(&self, id: EventId, id_of: impl Fn(Slot) -> EventId) -> Option<Slot> {
        if self.continues(id) { None } else { self.find_stored(id, id_of) }
    }

    /// Notes an event whose id was not there.
    #[inline]
    pub(crate) fn add(&mut self, id: EventId, slot: Slot, id_of: impl Fn(Slot) -> EventId) {
        if self.continues(id) {
            self.greatest = number(id);
            self.rising.push(slot);
        } else {
            self.others.insert_unique(self.hasher.hash_one(number(id)), slot, |&slot| {
                self.hasher.hash_one(number(id_of(slot)))
            });
        }
    }

    fn find_stored(&self, id: EventId, id_of: impl Fn(Slot) -> EventId) -> Option<Slot> {
        if is_time_ordered(id) {
            let rank = self.rising.binary_search_by_key(&number(id), |&slot| number(id_of(slot)));
            if let Ok(rank) = rank {
                return Some(self.rising[rank]);
            }
        }
        self.others.find(self.hasher.hash_one(number(id)), |&slot| id_of(slot) == id).copied()
    }

    /// Whether the id is above all that rise. An id that is not made of the time would end the rise.
    fn continues(&self, id: EventId) -> bool {
        is_time_ordered(id) && number(id) > self.greatest
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
