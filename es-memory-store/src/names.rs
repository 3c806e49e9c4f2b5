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
}

/// So many names are faster compared one by one than hashed.
const FEW: usize = 8;

impl Names {
    /// Notes an event, and answers with the one before it that has the name.
    #[inline]
    pub(crate) fn add(&mut self, text: &str, slot: Slot) -> Option<Slot> {
        let index = self.index(text).unwrap_or_else(|| self.add_name(text));
        let slots = &mut self.names[index].slots;
        let before = slots.last().copied();
        slots.push(slot);
        before
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

    fn add_name(&mut self, text: &str) -> usize {
        let index = self.names.len();
        self.names.push(Name { text: text.into(), slots: Vec::new() });
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
