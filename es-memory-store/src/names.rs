//! Stored names, kept once, and where the events with each of them are.

use std::borrow::Borrow;
use std::hash::Hash;

use es_core::SchemaVersion;
use hashbrown::HashMap;

use crate::segment::Slot;

/// Event names with their schema versions, and the events of each name.
#[derive(Default)]
pub(crate) struct Names {
    names: Vec<Name>,
    by_text: HashMap<Box<str>, usize>,
    /// A kind is a name, by its index, in one schema version.
    kinds: Vec<(usize, SchemaVersion)>,
}

struct Name {
    text: Box<str>,
    /// A name has few schema versions: they are searched one by one.
    kinds: Vec<(SchemaVersion, u32)>,
    slots: Vec<Slot>,
}

/// So many names are faster compared one by one than hashed.
const FEW: usize = 8;

impl Names {
    /// Notes an event, and answers with the index of its kind.
    pub(crate) fn add(&mut self, text: &str, version: SchemaVersion, slot: Slot) -> u32 {
        let index = self.index(text).unwrap_or_else(|| self.add_name(text));
        let name = &mut self.names[index];
        name.slots.push(slot);
        if let Some((_, kind)) = name.kinds.iter().find(|(known, _)| *known == version) {
            return *kind;
        }
        let kind = self.kinds.len() as u32;
        name.kinds.push((version, kind));
        self.kinds.push((index, version));
        kind
    }

    /// Name and schema version of a kind.
    pub(crate) fn kind(&self, kind: u32) -> (&str, SchemaVersion) {
        let (name, version) = self.kinds[kind as usize];
        (&self.names[name].text, version)
    }

    /// The events with a name, in order.
    pub(crate) fn slots(&self, text: &str) -> &[Slot] {
        self.index(text).map_or(&[], |index| &self.names[index].slots)
    }

    fn index(&self, text: &str) -> Option<usize> {
        if self.names.len() <= FEW {
            self.names.iter().position(|name| *name.text == *text)
        } else {
            self.by_text.get(text).copied()
        }
    }

    fn add_name(&mut self, text: &str) -> usize {
        let index = self.names.len();
        self.names.push(Name { text: text.into(), kinds: Vec::new(), slots: Vec::new() });
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
