//! One segment: a file with events of many streams in the global order.
//!
//! It is a sequence of frames as [RFC 8878](https://www.rfc-editor.org/rfc/rfc8878) defines them, so
//! that `zstd -dc SEGMENT` prints its events as JSON Lines, also when nobody has this program any more:
//!
//! ```text
//! skippable frame   "es segment 1"
//! zstd frame        events, one a line          a block; as many as it takes
//! skippable frame   the index, JSON, compressed
//! skippable frame   where the index is, and its SHA-256
//! ```
//!
//! The index has the SHA-256 of every block, and the name of the file that of the index: there is no
//! byte that is not checked.

mod cache;
mod index;
mod writer;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use es_core::{PartDigest, RecordedEvent, StreamId, Version};
use es_transfer::Format;
use sha2::{Digest as _, Sha256};

pub(crate) use self::cache::BlockCache;
pub(crate) use self::index::{Block, Index, Part};
pub(crate) use self::writer::{Draft, PartKey, Written, digest};
use crate::error::{ArchiveError, SegmentPlace};

/// The end of the name of every segment.
pub(crate) const SUFFIX: &str = ".jsonl.zst";

/// The end of the name of a segment that is being written.
pub(crate) const UNFINISHED: &str = ".unfinished";

/// A skippable frame begins with this, little-endian, and its length in four bytes.
const SKIPPABLE: u32 = 0x184d_2a5e;
const FRAME: usize = 8;
const GREETING: &[u8] = b"es segment 1";
/// Where the index is, how long it is, and its SHA-256.
const POINTER: usize = 8 + 8 + 32;

/// No block is larger than this when it is decompressed: one event at most fills it.
const LARGEST_BLOCK: usize = 256 * 1024 * 1024;
/// Nor is an index.
const LARGEST_INDEX: usize = 1024 * 1024 * 1024;

/// A segment that is open.
pub(crate) struct Segment {
    pub(crate) name: Arc<str>,
    path: PathBuf,
    file: Mutex<File>,
    pub(crate) index: Index,
    pub(crate) bytes: u64,
    blocks: Arc<BlockCache>,
}

pub(crate) type Events = Arc<Vec<RecordedEvent>>;

impl Segment {
    /// Opens a segment and reads its index. Its blocks are checked when they are read.
    pub(crate) fn open(
        directory: &Path,
        name: &str,
        blocks: &Arc<BlockCache>,
    ) -> Result<Self, ArchiveError> {
        let path = directory.join(format!("{name}{SUFFIX}"));
        let failed = |error: std::io::Error| ArchiveError::File { path: path.clone(), error };
        let damaged = |place, problem: &str| ArchiveError::Damaged {
            segment: name.to_owned(),
            place,
            problem: problem.to_owned(),
        };
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ArchiveError::MissingSegment {
                    segment: name.to_owned(),
                    directory: directory.to_owned(),
                });
            }
            opened => opened.map_err(failed)?,
        };
        let bytes = file.metadata().map_err(failed)?.len();
        let least = (2 * FRAME + GREETING.len() + FRAME + POINTER) as u64;
        if bytes < least {
            return Err(damaged(SegmentPlace::End, "the file is cut off"));
        }
        let greeting = read_at(&mut file, 0, FRAME + GREETING.len()).map_err(failed)?;
        if greeting != frame(GREETING) {
            return Err(damaged(SegmentPlace::Beginning, "it does not begin as a segment does"));
        }
        let end_at = bytes - (FRAME + POINTER) as u64;
        let end = read_at(&mut file, end_at, FRAME + POINTER).map_err(failed)?;
        if end[..FRAME] != frame_header(POINTER) {
            return Err(damaged(SegmentPlace::End, "it does not end as a segment does"));
        }
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&end[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let (index_at, length) = (number(FRAME), number(FRAME + 8));
        let sum = &end[FRAME + 16..];
        let first = (FRAME + GREETING.len()) as u64;
        if index_at < first || index_at.checked_add(FRAME as u64 + length) != Some(end_at) {
            return Err(damaged(SegmentPlace::End, "it says that its index is elsewhere"));
        }
        let length = length as usize;
        let written = read_at(&mut file, index_at, FRAME + length).map_err(failed)?;
        let (header, compressed) = written.split_at(FRAME);
        if header != frame_header(length) || Sha256::digest(compressed).as_slice() != sum {
            return Err(damaged(SegmentPlace::Index, "its SHA-256 is another one"));
        }
        if !name.ends_with(&writer::short(sum)) {
            return Err(damaged(SegmentPlace::Index, "it is that of a segment with another name"));
        }
        let index = Index::read(compressed, LARGEST_INDEX)
            .map_err(|problem| damaged(SegmentPlace::Index, &problem))?;
        if !index.is_whole(first, index_at) {
            return Err(damaged(SegmentPlace::Index, "it does not describe the blocks"));
        }
        Ok(Self {
            name: name.into(),
            path,
            file: Mutex::new(file),
            index,
            bytes,
            blocks: Arc::clone(blocks),
        })
    }

    /// The events of a block, which are what was written.
    pub(crate) fn block(&self, number: usize) -> Result<Events, ArchiveError> {
        if let Some(events) = self.blocks.get(&self.name, number) {
            return Ok(events);
        }
        let events = Arc::new(self.read_block(number)?);
        let bytes = self.index.blocks.get(number).map_or(0, |block| block.lines);
        self.blocks.put(&self.name, number, bytes, &events);
        Ok(events)
    }

    fn read_block(&self, number: usize) -> Result<Vec<RecordedEvent>, ArchiveError> {
        let block = self.index.blocks.get(number);
        let (first, last) =
            block.map(|block| (block.first_position, block.last_position)).unwrap_or_default();
        let place = SegmentPlace::Block { number, first, last };
        let damaged = |problem: String| ArchiveError::Damaged {
            segment: self.name.to_string(),
            place: place.clone(),
            problem,
        };
        let Some(block) = block else {
            return Err(damaged("there is no such block".to_owned()));
        };
        let Block { offset, length, events: count, sum, lines, .. } = block;
        let compressed = {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            read_at(&mut file, *offset, *length as usize)
                .map_err(|error| ArchiveError::File { path: self.path.clone(), error })?
        };
        if PartDigest::new(Sha256::digest(&compressed).into()) != *sum {
            return Err(damaged("its SHA-256 is another one".to_owned()));
        }
        if *lines as usize > LARGEST_BLOCK {
            return Err(damaged("it is larger than any block".to_owned()));
        }
        let text = zstd::bulk::decompress(&compressed, *lines as usize)
            .map_err(|error| damaged(error.to_string()))?;
        let text = String::from_utf8(text).map_err(|error| damaged(error.to_string()))?;
        let events: Result<Vec<_>, _> =
            text.lines().map(|line| Format::JsonLines.read(line)).collect();
        let events = events.map_err(|error| damaged(error.to_string()))?;
        if events.len() as u64 != *count {
            return Err(damaged(format!("it has {} events instead of {count}", events.len())));
        }
        let ends = [events.first(), events.last()].map(|event| event.map(|event| event.position));
        if ends != [block.first_position, block.last_position].map(Some) {
            return Err(damaged("it has other events than the index says".to_owned()));
        }
        Ok(events)
    }

    /// The block that a position is in.
    pub(crate) fn block_of(&self, position: es_core::Position) -> Option<usize> {
        let blocks = &self.index.blocks;
        let number = blocks.partition_point(|block| block.last_position < position);
        (blocks.get(number)?.first_position <= position).then_some(number)
    }

    /// The part of a stream that begins with this version or holds it.
    pub(crate) fn part(&self, stream: &StreamId, version: Version) -> Option<&Part> {
        let parts = &self.index.parts;
        let end = parts.partition_point(|part| (&part.stream, part.from) <= (stream, version));
        let part = parts.get(end.checked_sub(1)?)?;
        (part.stream == *stream && version <= part.to).then_some(part)
    }

    /// The events of a stream between two versions, which one part of it holds: at most `limit`.
    pub(crate) fn events(
        &self,
        part: &Part,
        versions: RangeInclusive<Version>,
        backward: bool,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ArchiveError> {
        let mut found = Vec::new();
        let mut blocks: Vec<_> = part.blocks_of(&versions).collect();
        if backward {
            blocks.reverse();
        }
        for number in blocks {
            let events = self.block(number)?;
            let of_it = events
                .iter()
                .filter(|event| event.stream == part.stream && versions.contains(&event.version));
            let of_it: Vec<_> = of_it.collect();
            let room = limit - found.len();
            if backward {
                found.extend(of_it.into_iter().rev().take(room).cloned());
            } else {
                found.extend(of_it.into_iter().take(room).cloned());
            }
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }

    /// Reads everything and compares it with what the index says.
    pub(crate) fn verify(&self) -> Result<(), ArchiveError> {
        let mut sums: Vec<_> =
            self.index.parts.iter().map(|part| (part.from, Sha256::new())).collect();
        let damaged = |number: usize, problem: String| {
            let block = &self.index.blocks[number];
            let (first, last) = (block.first_position, block.last_position);
            let place = SegmentPlace::Block { number, first, last };
            ArchiveError::Damaged { segment: self.name.to_string(), place, problem }
        };
        let mut position = es_core::Position::ZERO;
        for number in 0..self.index.blocks.len() {
            // Not by way of the blocks that are kept.
            for event in self.read_block(number)? {
                if event.position <= position {
                    return Err(damaged(number, "its events are not in order".to_owned()));
                }
                position = event.position;
                let wanted = (&event.stream, event.version);
                let parts = &self.index.parts;
                let part = parts.partition_point(|part| (&part.stream, part.to) < wanted);
                let known = self.index.parts.get(part).zip(sums.get_mut(part));
                match known {
                    Some((part, (next, sum)))
                        if part.stream == event.stream && *next == event.version =>
                    {
                        *next = next.next();
                        writer::digest_event(sum, &event);
                    }
                    _ => {
                        let problem = format!(
                            "the index does not know version {} of stream `{}`",
                            event.version, event.stream
                        );
                        return Err(damaged(number, problem));
                    }
                }
            }
        }
        for (part, (next, sum)) in self.index.parts.iter().zip(sums) {
            if next != part.to.next() || PartDigest::new(sum.finalize().into()) != part.digest {
                return Err(ArchiveError::Damaged {
                    segment: self.name.to_string(),
                    place: SegmentPlace::Index,
                    problem: format!(
                        "versions {} to {} of stream `{}` are not what was archived",
                        part.from, part.to, part.stream
                    ),
                });
            }
        }
        Ok(())
    }
}

fn read_at(file: &mut File, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

fn frame_header(length: usize) -> [u8; FRAME] {
    let mut header = [0; FRAME];
    header[..4].copy_from_slice(&SKIPPABLE.to_le_bytes());
    // Longer ones are not written.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    header[4..].copy_from_slice(&length.to_le_bytes());
    header
}

fn frame(content: &[u8]) -> Vec<u8> {
    let mut frame = frame_header(content.len()).to_vec();
    frame.extend_from_slice(content);
    frame
}
