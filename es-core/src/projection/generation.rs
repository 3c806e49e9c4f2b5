//! The generations of a durable projection, and the records of each.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::StoreFailure;
use crate::fingerprint::Fingerprint;
use crate::projection::host::ProjectionType;
use crate::projection::partition::Partition;
use crate::store::{
    DynProjectionStore, ExpectedRevision, StateCommit, StateError, StateKey, StateRecord,
};
use crate::version::Position;

/// Which generations a projection has: one record.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub(crate) struct Generations {
    last_number: u64,
    generations: Vec<Generation>,
}

/// One filling of a projection's documents or rows, by one version of the program.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    version: u32,
    fingerprint: Fingerprint,
    is: Is,
    since: Timestamp,
    /// It is not to become live before somebody says so.
    pub(crate) hold: bool,
    /// How many partitions it has.
    #[serde(default = "one")]
    pub(crate) partitions: u32,
    /// The head of the store when it was begun, unless an older program began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun_at: Option<Position>,
    /// The generation of side effects that it goes on with, in another number of partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    follows: Option<u64>,
}

fn one() -> u32 {
    1
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Is {
    Building,
    Live,
    /// It was live once, and is kept to go back to.
    Retired,
    /// Its documents and rows are being removed.
    Discarded,
}

impl Generation {
    fn belongs_to(&self, projection: &ProjectionType) -> bool {
        self.version == projection.version && self.fingerprint == projection.fingerprint
    }
}

impl Generations {
    /// The record, and the revision that a change of it expects.
    pub(crate) async fn load(
        store: &dyn DynProjectionStore,
        projection: &str,
    ) -> Result<(Self, ExpectedRevision), StateError> {
        let key = Self::key(projection);
        match store.dyn_get(&key).await? {
            None => Ok((Self::default(), ExpectedRevision::Missing)),
            Some(record) => Ok((read(&key, &record)?, ExpectedRevision::Exact(record.revision))),
        }
    }

    pub(crate) fn key(projection: &str) -> StateKey {
        StateKey::new(generations_space(), projection)
    }

    /// Adds the change of the record to a commit.
    pub(crate) fn put(
        &self,
        commit: &mut StateCommit,
        projection: &str,
        expected: ExpectedRevision,
    ) -> Result<(), StateError> {
        commit.put(Self::key(projection), written(self)?, expected);
        Ok(())
    }

    /// The generations that are not given up, and how many partitions each has.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        let kept = self.generations.iter().filter(|generation| generation.is != Is::Discarded);
        kept.map(|generation| (generation.number, generation.partitions))
    }

    /// Whether a generation is one of this version.
    pub(crate) fn is_of(&self, number: u64, projection: &ProjectionType) -> bool {
        let mut of_it = self.generations.iter().filter(|generation| generation.number == number);
        of_it.any(|generation| generation.belongs_to(projection))
    }

    /// Whether there is a generation that programs of this version serve or build.
    pub(crate) fn serves(&self, projection: &ProjectionType) -> bool {
        self.live(projection).is_some() || self.building(projection).is_some()
    }

    /// Whether nobody has begun yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.generations.is_empty()
    }

    /// The generation that programs of this version serve.
    pub(crate) fn live(&self, projection: &ProjectionType) -> Option<u64> {
        self.last(projection, Is::Live).map(|generation| generation.number)
    }

    /// The generation that programs of this version are building.
    pub(crate) fn building(&self, projection: &ProjectionType) -> Option<&Generation> {
        self.last(projection, Is::Building)
    }

    /// The head of the store when a generation was begun.
    pub(crate) fn begun_at(&self, number: u64) -> Option<Position> {
        let mut of_it = self.generations.iter().filter(|generation| generation.number == number);
        of_it.next()?.begun_at
    }

    /// Makes sure that there is a generation for this version, which begins at this head of the store:
    /// the very first one is live at once, any other is built first. Whether something was added.
    pub(crate) fn ensure(&mut self, projection: &ProjectionType, head: Position) -> bool {
        if self.live(projection).is_some() || self.building(projection).is_some() {
            return false;
        }
        let is = if self.generations.is_empty() { Is::Live } else { Is::Building };
        self.add(projection, is, false, head);
        true
    }

    /// Begins a new generation of this version at this head of the store, unless one is being built.
    pub(crate) fn rebuild(
        &mut self,
        projection: &ProjectionType,
        hold: bool,
        head: Position,
    ) -> u64 {
        match self.building(projection) {
            Some(building) => building.number,
            None => self.add(projection, Is::Building, hold, head),
        }
    }

    /// The generation of side effects that this one goes on with, and how many partitions that had.
    pub(crate) fn followed_by(&self, number: u64) -> Option<(u64, u32)> {
        let follows =
            self.generations.iter().find(|generation| generation.number == number)?.follows?;
        let mut before = self.generations.iter().filter(|generation| generation.number == follows);
        before.next().map(|generation| (follows, generation.partitions))
    }

    /// The side effects that are run in another number of partitions, and in how many.
    pub(crate) fn otherwise_parted(&self, projection: &ProjectionType) -> Option<(u64, u32)> {
        let live = self.generations.iter().filter(|generation| generation.is == Is::Live);
        let live = live.max_by_key(|generation| generation.number)?;
        (!live.belongs_to(projection)).then_some((live.number, live.partitions))
    }

    /// Lets side effects go on in this number of partitions, where they are with another one.
    pub(crate) fn follow(&mut self, number: u64, projection: &ProjectionType) {
        let begun_at = self.begun_at(number).unwrap_or(Position::ZERO);
        self.set(number, Is::Retired);
        let next = self.add(projection, Is::Live, false, begun_at);
        for generation in &mut self.generations {
            if generation.number == next {
                generation.follows = Some(number);
            }
        }
    }

    /// Makes a generation live, and the one of the same version retired.
    pub(crate) fn swap(&mut self, number: u64, projection: &ProjectionType) {
        for generation in &mut self.generations {
            if generation.number == number {
                (generation.is, generation.hold) = (Is::Live, false);
                generation.since = Timestamp::now();
            } else if generation.belongs_to(projection) && generation.is == Is::Live {
                generation.is = Is::Retired;
            }
        }
    }

    /// Lets the generation that is being built become live as soon as it is complete.
    pub(crate) fn release(&mut self, projection: &ProjectionType) -> Option<u64> {
        let number = self.building(projection)?.number;
        let mut generations = self.generations.iter_mut();
        generations.find(|generation| generation.number == number)?.hold = false;
        Some(number)
    }

    /// Gives up every generation but the one that this version serves or builds, and says which.
    /// While it serves none, those of other versions are still needed.
    pub(crate) fn discard(&mut self, projection: &ProjectionType) -> Vec<(u64, u32)> {
        let kept =
            [self.live(projection), self.building(projection).map(|generation| generation.number)];
        if kept[0].is_some() {
            for generation in &mut self.generations {
                if !kept.contains(&Some(generation.number)) {
                    generation.is = Is::Discarded;
                }
            }
        }
        self.discarded()
    }

    /// Gives up the generation that is being built, and says which are given up.
    pub(crate) fn cancel(&mut self, projection: &ProjectionType) -> Vec<(u64, u32)> {
        if let Some(number) = self.building(projection).map(|generation| generation.number) {
            self.set(number, Is::Discarded);
        }
        self.discarded()
    }

    /// Nothing is left of a generation that was given up.
    pub(crate) fn forget(&mut self, number: u64) {
        self.generations.retain(|generation| generation.number != number);
    }

    /// Lets the generation that was live before catch up, and become live again.
    pub(crate) fn revive(&mut self, projection: &ProjectionType) -> Option<u64> {
        let number = self.last(projection, Is::Retired)?.number;
        self.set(number, Is::Building);
        Some(number)
    }

    /// Those that are given up, and how many partitions each has.
    fn discarded(&self) -> Vec<(u64, u32)> {
        let discarded = self.generations.iter().filter(|generation| generation.is == Is::Discarded);
        discarded.map(|generation| (generation.number, generation.partitions)).collect()
    }

    fn set(&mut self, number: u64, is: Is) {
        for generation in &mut self.generations {
            if generation.number == number {
                generation.is = is;
            }
        }
    }

    fn last(&self, projection: &ProjectionType, is: Is) -> Option<&Generation> {
        let of_it = self.generations.iter().filter(|generation| generation.belongs_to(projection));
        of_it.filter(|generation| generation.is == is).max_by_key(|generation| generation.since)
    }

    fn add(&mut self, projection: &ProjectionType, is: Is, hold: bool, head: Position) -> u64 {
        self.last_number += 1;
        self.generations.push(Generation {
            number: self.last_number,
            version: projection.version,
            fingerprint: projection.fingerprint,
            is,
            since: Timestamp::now(),
            hold,
            partitions: projection.partitions,
            begun_at: Some(head),
            follows: None,
        });
        self.last_number
    }
}

/// The space of the records that say which generations there are.
pub(crate) fn generations_space() -> &'static str {
    "projection"
}

/// How far a generation is: one record, written with whatever the events change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// The identity of the store whose events it counts.
    pub(crate) store: Uuid,
    pub(crate) position: Position,
    /// How many events were applied.
    pub(crate) events: u64,
    /// When the last of them was recorded.
    pub(crate) applied_until: Option<Timestamp>,
    /// Whether it, or a key of it, stands still before an event.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stuck: bool,
}

impl Checkpoint {
    /// Before the first event.
    pub(crate) fn beginning(store: Uuid) -> Self {
        Self { store, position: Position::ZERO, events: 0, applied_until: None, stuck: false }
    }

    pub(crate) fn key(projection: &str, generation: u64, partition: Partition) -> StateKey {
        partition.record("checkpoint", projection, generation)
    }
}

pub(crate) fn lease_key(projection: &str, generation: u64, partition: Partition) -> StateKey {
    partition.record("projection-lease", projection, generation)
}

/// Documents of a generation lie in a space of their own.
pub(crate) fn document_space(projection: &str, generation: u64) -> String {
    format!("documents/{projection}/{generation}")
}

pub(crate) fn document_key(projection: &str, generation: u64, key: &str) -> StateKey {
    StateKey::new(document_space(projection, generation), key)
}

pub(crate) fn dead_letter_space(projection: &str, generation: u64) -> String {
    format!("dead-letters/{projection}/{generation}")
}

/// The dead letter of one key.
pub(crate) fn dead_letter_key(projection: &str, generation: u64, key: &str) -> StateKey {
    StateKey::new(dead_letter_space(projection, generation), format!("key/{key}"))
}

/// The dead letter of a whole partition.
pub(crate) fn stop_key(projection: &str, generation: u64, partition: Partition) -> StateKey {
    let name = match partition.number() {
        None => "all".to_owned(),
        Some(number) => format!("partition/{number}"),
    };
    StateKey::new(dead_letter_space(projection, generation), name)
}

pub(crate) fn skip_space(projection: &str) -> String {
    format!("skips/{projection}")
}

pub(crate) fn skip_key(projection: &str, position: Position) -> StateKey {
    StateKey::new(skip_space(projection), format!("{:020}", position.get()))
}

/// The record that is written when somebody has asked for something, so that workers look.
pub(crate) fn request_key(projection: &str) -> StateKey {
    StateKey::new("projection-request", projection)
}

/// A record of ours as JSON.
pub(crate) fn written<T: Serialize>(value: &T) -> Result<Vec<u8>, StateError> {
    serde_json::to_vec(value).map_err(|error| {
        StateError::Permanent(StoreFailure::caused_by("a record can not be written", error))
    })
}

/// A record of ours, read.
pub(crate) fn read<T: DeserializeOwned>(
    key: &StateKey,
    record: &StateRecord,
) -> Result<T, StateError> {
    serde_json::from_slice(&record.value).map_err(|error| {
        StateError::Permanent(StoreFailure::caused_by(
            format!("state record `{key}` is not what this program writes there"),
            error,
        ))
    })
}
