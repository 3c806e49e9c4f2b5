//! What has been released: the content of `events.lock`.

use std::collections::{BTreeMap, BTreeSet};

use crate::shape::Shape;

/// Everything that has been released.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Lock {
    /// By stored name and schema version.
    pub entries: BTreeMap<EntryKey, Entry>,
    /// By stored name of an aggregate: the names of the events that its streams may hold.
    pub aggregates: BTreeMap<String, BTreeSet<String>>,
}

/// The stored name and the schema version of an event.
pub type EntryKey = (String, u32);

/// One version of one event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The shape of its payload.
    pub shape: Shape,
    /// The last word of the codec's path if it is not JSON.
    pub codec: Option<String>,
    /// Payloads of it, by a number from 1.
    pub samples: BTreeMap<u32, Sample>,
}

/// A payload that was written in this version, and what later programs made of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// The bytes.
    pub payload: Vec<u8>,
    /// What it became, by a number from 1: there is one more whenever an event that it becomes gets a
    /// new version.
    pub becomes: BTreeMap<u32, Vec<Outcome>>,
}

/// An event that an old payload became.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The stored name of the event.
    pub event: String,
    /// Its schema version.
    pub version: u32,
    /// The payload as that version writes it.
    pub payload: Vec<u8>,
}

impl Lock {
    /// The versions of an event, oldest first.
    pub fn versions_of<'a>(&'a self, event: &'a str) -> impl Iterator<Item = (u32, &'a Entry)> {
        self.entries
            .range((event.to_owned(), 0)..=(event.to_owned(), u32::MAX))
            .map(|((_, version), entry)| (*version, entry))
    }
}
