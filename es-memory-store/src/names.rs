//! Stored names, kept once, and where the events with each of them are.

use std::borrow::Borrow;
use std::hash::Hash;

use hashbrown::HashMap;

use crate::segments::Slot;

/// Event names, and the events of each.
#[derive(Default)]
pub(crate) struct Names {
    names: Vec<Name>,
    by_text: HashMap<Box<str>, usize>,
}

struct Name {
    text: Box<str>,
    slots: Vec<Slot>,
    /// Some event that has the name.
    example: Slot,
}

/// So many names are faster compared one by one than hashed.
const FEW: usize = 8;

impl Names {
    /// Some event with this name that stands at `first` or behind it, or else the one at `slot` from now on.
    /// This changes nothing most of the time: what one thread changes another must fetch from it.
    #[inline]
    pub(crate) fn example(&mut self, text: &str, first: Slot, slot: Slot) -> Option<Slot> {
        let index = self.index(text).unwrap_or_else(|| self.add_name(text, slot));
        let example = &mut self.names[index].example;
        if *example < first {
            *example = slot;
        }
        (*example != slot).then_some(*example)
    }

    /// Notes an event behind all others that were noted.
    pub(crate) fn add(&mut self, text: &str, slot: Slot) {
        let index = self.index(text).unwrap_or_else(|| self.add_name(text, slot));
        self.names[index].slots.push(slot);
    }

    /// The events with a name, in order.
    pub(crate) fn slots(&self, text: &str) -> &[Slot] {
        self.index(text).map_or(&[], |index| &self.names[index].slots)
    }

    #[inline]
    fn index(&self, text: &str) -> Option<usize> {
        if self.names.len() <= FEW {
            self.names.iter().position(|name| *name.text == *text)
        } else {
            self.by_text.get(text).copied()
        }
    }

    #[cold]
    fn add_name(&mut self, text: &str, example: Slot) -> usize {
        let index = self.names.len();
        self.names.push(Name { text: text.into(), slots: Vec::new(), example });
        self.by_text.insert(text.into(), index);
        index
    }
}

/// Where the events with each of many keys are.
pub(crate) struct Postings<K>(HashMap<K, Vec<Slot>>);

impl<K> Default for Postings<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone> Postings<K> {
    pub(crate) fn add(&mut self, key: &K, slot: Slot) {
        self.0.entry_ref(key).or_default().push(slot);
    }

    pub(crate) fn slots<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> &[Slot]
    where
        K: Borrow<Q>,
    {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }
}
