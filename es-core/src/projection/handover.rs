//! What side effects have done in other numbers of partitions.
//!
//! With another number every key may belong to another partition. Nothing is run again and nothing
//! left out for that: the new partitions begin with the one that was furthest behind, and pass by what
//! the former partition of the key has noted as done. Records of former generations do not change any
//! more, because their commits expect the list of generations as it was.

use crate::projection::failure::ProjectionFailure;
use crate::projection::generation::Generations;
use crate::projection::partition::Partition;
use crate::projection::records;
use crate::projection::workplace::{Exit, Workplace};
use crate::store::EventStore;
use crate::version::Position;

/// How far the former partitions were, of each former generation; the last one first.
#[derive(Default)]
pub(crate) struct Handover {
    former: Vec<Former>,
}

/// One generation, in its number of partitions.
struct Former {
    positions: Vec<Position>,
}

impl Former {
    fn partition(&self, key: &str) -> usize {
        Partition::of(key, self.positions.len() as u32).index()
    }
}

impl Handover {
    /// What a generation goes on with.
    pub(crate) async fn load<S: EventStore>(
        place: &Workplace<S>,
        generations: &Generations,
        mut generation: u64,
    ) -> Result<Self, Exit> {
        let mut chain = Vec::new();
        while let Some((number, partitions)) = generations.followed_by(generation) {
            // A generation follows an earlier one.
            if number >= generation {
                let error = format!("generation {generation} is said to follow {number}");
                return Err(Exit::Failed(ProjectionFailure::Record { error }));
            }
            chain.push((number, partitions));
            generation = number;
        }
        // One that nobody has begun with is where it would have begun.
        let mut begin = generations.begun_at(generation).unwrap_or(Position::ZERO);
        let mut former = Vec::new();
        for (number, partitions) in chain.into_iter().rev() {
            let mut positions = Vec::new();
            for partition in Partition::all(partitions) {
                let stored = records::position(place, number, partition).await?;
                positions.push(stored.map_or(begin, |(position, _)| position));
            }
            begin = positions.iter().copied().min().unwrap_or(begin);
            former.insert(0, Former { positions });
        }
        Ok(Self { former })
    }

    /// Up to where everything is done.
    pub(crate) fn begins_at(&self) -> Option<Position> {
        self.former.first()?.positions.iter().copied().min()
    }

    /// Whether an event of the key was noted as done.
    pub(crate) fn has_done(&self, key: &str, position: Position) -> bool {
        self.former.iter().any(|former| position <= former.positions[former.partition(key)])
    }

    /// The former partitions of the key, by the place of their generation.
    pub(crate) fn partitions<'a>(
        &'a self,
        key: &'a str,
    ) -> impl Iterator<Item = (usize, usize)> + 'a {
        self.former.iter().enumerate().map(|(at, former)| (at, former.partition(key)))
    }
}
