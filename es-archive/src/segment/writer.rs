//! Writing a segment: events are gathered, sorted into the global order and compressed, and the file
//! gets its name when all of it is on disk.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use es_core::uuid::Uuid;
use es_core::{PartDigest, Position, RecordedEvent, StreamId, Version};
use es_transfer::Format;
use sha2::{Digest as _, Sha256};

use super::{Block, GREETING, Index, POINTER, Part, SUFFIX, UNFINISHED, frame, frame_header};
use crate::error::ArchiveError;

/// A block ends when its lines are so long.
const BLOCK_BYTES: usize = 128 * 1024;

/// Much better than the default on events, and still many times faster than they are read.
const LEVEL: i32 = 9;

/// Events on their way into a segment.
pub(crate) struct Draft {
    store: Uuid,
    lines: Vec<Line>,
    parts: Vec<Part>,
    bytes: usize,
}

struct Line {
    position: Position,
    version: Version,
    part: usize,
    text: String,
}

/// A segment that is on disk.
pub(crate) struct Written {
    pub(crate) name: String,
    pub(crate) index: Index,
    pub(crate) bytes: u64,
}

impl Draft {
    pub(crate) fn new(store: Uuid) -> Self {
        Self { store, lines: Vec::new(), parts: Vec::new(), bytes: 0 }
    }

    /// How long the lines are.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The parts so far; which blocks they are in is not known yet.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Adds a part of a stream: its events in order, at least one.
    pub(crate) fn add(&mut self, events: &[RecordedEvent]) -> Result<(), ArchiveError> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        let mut sum = Sha256::new();
        for event in events {
            let text = line(event)?;
            sum.update(text.as_bytes());
            self.bytes += text.len();
            let part = self.parts.len();
            self.lines.push(Line { position: event.position, version: event.version, part, text });
        }
        self.parts.push(Part {
            stream: first.stream.clone(),
            from: first.version,
            to: last.version,
            first_position: first.position,
            last_position: last.position,
            last_event_id: last.event_id,
            digest: PartDigest::new(sum.finalize().into()),
            blocks: Vec::new(),
        });
        Ok(())
    }

    /// Writes the file: whole and on disk under its name, or not at all.
    pub(crate) fn write(self, directory: &Path) -> Result<Written, ArchiveError> {
        let (first, content, index, sum) = self.encode()?;
        let name = format!("{:020}-{}", first.get(), short(&sum));
        let path = directory.join(format!("{name}{SUFFIX}"));
        let unfinished = directory.join(format!(".{name}{SUFFIX}{UNFINISHED}"));
        let failed = |path: &Path, error| ArchiveError::File { path: path.to_owned(), error };
        let written = File::create(&unfinished).and_then(|mut file| {
            file.write_all(&content)?;
            file.sync_all()
        });
        written.map_err(|error| failed(&unfinished, error))?;
        // The name says what is in it: a file of this name that is there already is this one, or is
        // damaged and now replaced.
        fs::rename(&unfinished, &path).map_err(|error| failed(&path, error))?;
        sync_directory(directory).map_err(|error| failed(directory, error))?;
        Ok(Written { name, index, bytes: content.len() as u64 })
    }

    fn encode(mut self) -> Result<(Position, Vec<u8>, Index, [u8; 32]), ArchiveError> {
        self.lines.sort_unstable_by_key(|line| line.position);
        let first = self.lines.first().map_or(Position::ZERO, |line| line.position);
        let mut content = frame(GREETING);
        let mut blocks: Vec<Block> = Vec::new();
        let mut rest = &self.lines[..];
        while !rest.is_empty() {
            let mut text = String::new();
            let mut seen = HashMap::<usize, Version>::new();
            let mut taken = 0;
            while let Some(line) = rest.get(taken).filter(|_| text.len() < BLOCK_BYTES) {
                text.push_str(&line.text);
                seen.entry(line.part).or_insert(line.version);
                taken += 1;
            }
            let (block, behind) = rest.split_at(taken);
            let compressed =
                zstd::bulk::compress(text.as_bytes(), LEVEL).map_err(ArchiveError::Compress)?;
            for (part, version) in seen {
                self.parts[part].blocks.push((blocks.len(), version));
            }
            blocks.push(Block {
                offset: content.len() as u64,
                length: compressed.len() as u64,
                lines: text.len() as u64,
                events: taken as u64,
                first_position: block[0].position,
                last_position: block[taken - 1].position,
                sum: PartDigest::new(Sha256::digest(&compressed).into()),
            });
            content.extend_from_slice(&compressed);
            rest = behind;
        }
        let mut parts = self.parts;
        parts.sort_by(|one, other| (&one.stream, one.from).cmp(&(&other.stream, other.from)));
        let (events, lines) = (self.lines.len() as u64, self.bytes as u64);
        let index = Index { store: self.store, events, lines, blocks, parts };
        let text = serde_json::to_vec(&index).map_err(ArchiveError::Line)?;
        let compressed = zstd::bulk::compress(&text, LEVEL).map_err(ArchiveError::Compress)?;
        let sum: [u8; 32] = Sha256::digest(&compressed).into();
        let at = content.len() as u64;
        content.extend_from_slice(&frame(&compressed));
        content.extend_from_slice(&frame_header(POINTER));
        content.extend_from_slice(&at.to_le_bytes());
        content.extend_from_slice(&(compressed.len() as u64).to_le_bytes());
        content.extend_from_slice(&sum);
        Ok((first, content, index, sum))
    }
}

/// The digest of a part, as a segment would have it.
pub(crate) fn digest(events: &[RecordedEvent]) -> PartDigest {
    let mut sum = Sha256::new();
    events.iter().for_each(|event| digest_event(&mut sum, event));
    PartDigest::new(sum.finalize().into())
}

pub(super) fn digest_event(sum: &mut Sha256, event: &RecordedEvent) {
    // One that could not be written would not be in a segment.
    if let Ok(text) = line(event) {
        sum.update(text.as_bytes());
    }
}

fn line(event: &RecordedEvent) -> Result<String, ArchiveError> {
    let mut text = Format::JsonLines.write(&event.as_recorded()).map_err(ArchiveError::Line)?;
    text.push('\n');
    Ok(text)
}

/// The beginning of a sum, which stands in the name of a segment.
pub(super) fn short(sum: &[u8]) -> String {
    sum.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn sync_directory(directory: &Path) -> std::io::Result<()> {
    // Other systems have no such thing.
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// The name of the stream and the first version of a part.
pub(crate) type PartKey = (StreamId, Version);
