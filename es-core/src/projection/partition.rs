//! Partitions: the parts of a projection that are worked on side by side, each in order.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::projection::batch::Read;
use crate::projection::{Keys, Projection};
use crate::recorded::Recorded;
use crate::stable_hash;
use crate::store::StateKey;

/// The most partitions of a projection.
pub(crate) const MOST_PARTITIONS: u32 = 256;

/// One partition of a projection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Partition {
    index: u32,
    count: u32,
}

impl Partition {
    /// The partition of a projection that has no others.
    pub(crate) const ONLY: Self = Self { index: 0, count: 1 };

    /// All partitions of a projection that has so many.
    pub(crate) fn all(count: u32) -> impl Iterator<Item = Self> + Clone {
        (0..count.max(1)).map(move |index| Self { index, count: count.max(1) })
    }

    /// The partition that a key belongs to.
    pub(crate) fn of(key: &str, count: u32) -> Self {
        let hash = stable_hash::of_bytes(key.as_bytes());
        // The last bytes of a key have reached the middle of its hash only.
        let index = (hash ^ (hash >> 32)) % u64::from(count.max(1));
        Self { index: u32::try_from(index).unwrap_or_default(), count: count.max(1) }
    }

    pub(crate) fn is_only(self) -> bool {
        self.count == 1
    }

    /// Its place among all partitions.
    pub(crate) fn index(self) -> usize {
        self.index as usize
    }

    /// Its number, if there are others.
    pub(crate) fn number(self) -> Option<u32> {
        (!self.is_only()).then_some(self.index)
    }

    pub(crate) fn holds(self, key: &str) -> bool {
        self.is_only() || Self::of(key, self.count) == self
    }

    /// Whether the partition applies the event, of a projection that has no documents. One whose key can
    /// not be told stops all partitions: none may pass by what may be its own.
    pub(crate) fn takes<P: Projection>(
        self,
        recorded: &Recorded<'_>,
        event: &Read<P::Event>,
    ) -> bool {
        match event {
            _ if self.is_only() => true,
            _ if P::PARTITIONED_BY_STREAM => self.holds(recorded.stream.as_str()),
            Err(_) => true,
            Ok(events) => events.as_slice().iter().any(|event| {
                let mut keys = Keys::default();
                let asked = AssertUnwindSafe(|| P::partition_key(event, recorded, &mut keys));
                catch_unwind(asked).is_err() || keys.iter().any(|key| self.holds(key))
            }),
        }
    }

    /// The key of a record that each partition of a generation has.
    pub(crate) fn record(self, space: &'static str, projection: &str, generation: u64) -> StateKey {
        StateKey::new(
            space,
            match self.number() {
                None => format!("{projection}/{generation}"),
                Some(number) => format!("{projection}/{generation}/{number}"),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_belongs_to_one_partition_and_they_are_about_as_large() {
        for count in [1, 2, 3, 8, 100] {
            let mut sizes = vec![0_u32; count as usize];
            for key in 0..10_000_u32 {
                let key = key.to_string();
                let holding: Vec<_> =
                    Partition::all(count).filter(|partition| partition.holds(&key)).collect();
                assert_eq!(holding, [Partition::of(&key, count)]);
                sizes[holding[0].index()] += 1;
            }
            let even = 10_000 / count;
            let (least, most) = (sizes.iter().min(), sizes.iter().max());
            assert!(least > Some(&(even / 2)) && most < Some(&(even * 2)), "{sizes:?}");
        }
    }

    #[test]
    fn the_partition_of_a_key_never_changes() {
        let of = |key| Partition::of(key, 8).number();
        assert_eq!([of(""), of("1"), of("account/7"), of("7")], [1, 0, 0, 2].map(Some));
    }
}
