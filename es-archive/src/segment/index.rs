//! The index of a segment: its blocks, and which part of which stream is where.

use std::ops::RangeInclusive;

use es_core::uuid::Uuid;
use es_core::{EventId, PartDigest, Position, StreamId, Version};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a segment holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    /// The identity of the store that the events are from.
    pub(crate) store: Uuid,
    pub(crate) events: u64,
    /// How long the lines of all events are.
    pub(crate) lines: u64,
    /// In the order of the file, which is that of the positions.
    pub(crate) blocks: Vec<Block>,
    /// Sorted by stream and version.
    pub(crate) parts: Vec<Part>,
}

/// A frame with events.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Block {
    /// Where it begins.
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// How long its lines are.
    pub(crate) lines: u64,
    pub(crate) events: u64,
    pub(crate) first_position: Position,
    pub(crate) last_position: Position,
    /// The SHA-256 of the frame.
    #[serde(serialize_with = "write_digest", deserialize_with = "read_digest")]
    pub(crate) sum: PartDigest,
}

/// A run of events of one stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    pub(crate) stream: StreamId,
    pub(crate) from: Version,
    pub(crate) to: Version,
    pub(crate) first_position: Position,
    pub(crate) last_position: Position,
    pub(crate) last_event_id: EventId,
    /// The SHA-256 of the lines of its events.
    #[serde(serialize_with = "write_digest", deserialize_with = "read_digest")]
    pub(crate) digest: PartDigest,
    /// The blocks that have events of it, each with the first version there.
    pub(crate) blocks: Vec<(usize, Version)>,
}

impl Part {
    /// The blocks that have events with these versions.
    pub(crate) fn blocks_of(
        &self,
        versions: &RangeInclusive<Version>,
    ) -> impl Iterator<Item = usize> + '_ {
        let (from, to) = (*versions.start(), *versions.end());
        let ends = self.blocks[1.min(self.blocks.len())..].iter().map(|(_, next)| *next);
        let ends = ends.chain([self.to.next()]);
        let blocks = self.blocks.iter().zip(ends);
        blocks
            .filter(move |((_, first), end)| *first <= to && from < *end)
            .map(|((number, _), _)| *number)
    }
}

impl Index {
    pub(crate) fn read(compressed: &[u8], largest: usize) -> Result<Self, String> {
        let reader =
            zstd::stream::read::Decoder::new(compressed).map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        let most = largest as u64;
        std::io::Read::read_to_end(&mut std::io::Read::take(reader, most), &mut text)
            .map_err(|error| error.to_string())?;
        serde_json::from_slice(&text).map_err(|error| error.to_string())
    }

    /// Whether the blocks lie one behind the other from a place to another one, and everything that
    /// refers to one does so rightly.
    pub(crate) fn is_whole(&self, from: u64, to: u64) -> bool {
        let mut at = from;
        let contiguous = self.blocks.iter().all(|block| {
            let fits = block.offset == at && block.events > 0;
            at = at.saturating_add(block.length);
            fits
        });
        let known = |part: &Part| {
            part.from <= part.to
                && !part.blocks.is_empty()
                && part.blocks.iter().all(|(number, _)| *number < self.blocks.len())
        };
        let sorted =
            self.parts.is_sorted_by(|one, next| (&one.stream, one.to) < (&next.stream, next.from));
        contiguous && at == to && sorted && self.parts.iter().all(known)
    }
}

fn write_digest<S: Serializer>(digest: &PartDigest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}

fn read_digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PartDigest, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}
