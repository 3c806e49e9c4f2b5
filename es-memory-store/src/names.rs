//! Stored names, kept once, and where the events with each of them are.

use std::borrow::Borrow;
use std::hash::Hash;

use es_core::SchemaVersion;
use hashbrown::HashMap;

use crate::segment::Slot;

/// Event names with their schema versions, and the events of each name.
#[derive(Default)]
pub(crate) struct Names {
    /// A kind is a name in one schema version.
    kinds: Vec<(Box<str>, SchemaVersion)>,
    by_name: HashMap<String, Name>,
}

#[derive(Default)]
struct Name {
    /// A name has few schema versions: they are searched one by one.
    kinds: Vec<(SchemaVersion, u32)>,
    slots: Vec<Slot>,
}

impl Names {
    /// Notes an event, and answers with the index of its kind.
    pub(crate) fn add(&mut self, name: &str, version: SchemaVersion, slot: Slot) -> u32 {
        let entry = self.by_name.entry_ref(name).or_default();
        entry.slots.push(slot);
        if let Some((_, kind)) = entry.kinds.iter().find(|(known, _)| *known == version) {
            return *kind;
        }
        let kind = self.kinds.len() as u32;
        entry.kinds.push((version, kind));
        self.kinds.push((name.into(), version));
        kind
    }

    /// Name and schema version of a kind.
    pub(crate) fn kind(&self, kind: u32) -> (&str, SchemaVersion) {
        let (name, version) = &self.kinds[kind as usize];
        (name, *version)
    }

    /// The events with a name, in order.
    pub(crate) fn slots(&self, name: &str) -> &[Slot] {
        self.by_name.get(name).map_or(&[], |entry| &entry.slots)
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
