//! An archive: a directory of segments.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use es_core::uuid::Uuid;
use es_core::{Position, RecordedEvent, RemovedPart, SegmentRef, StreamId, Version};

use crate::error::ArchiveError;
use crate::segment::{BlockCache, Part, SUFFIX, Segment, UNFINISHED};

/// A directory of segments. Cloning it shares what is open.
///
/// The directory is its own catalogue: a file with the name of a segment is a segment, whole and on disk,
/// and says itself what it holds. Nothing in it is ever changed.
#[derive(Clone)]
pub struct Archive {
    shared: Arc<Shared>,
}

struct Shared {
    directory: PathBuf,
    /// The segments that were used last.
    open: Mutex<HashMap<Arc<str>, Arc<Segment>>>,
    blocks: Arc<BlockCache>,
}

/// So many segments are kept open.
const MOST_OPEN: usize = 64;

impl Archive {
    /// The archive in a directory, which is made if it is not there: to archive to.
    ///
    /// # Errors
    /// When the directory can not be made.
    pub fn create(directory: impl Into<PathBuf>) -> Result<Self, ArchiveError> {
        let directory = directory.into();
        fs::create_dir_all(&directory)
            .map_err(|error| ArchiveError::File { path: directory.clone(), error })?;
        Self::open(directory)
    }

    /// The archive in a directory that is there: to read from. A name with a mistake in it would be an
    /// archive of nothing otherwise.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, ArchiveError> {
        let directory = directory.into();
        if !directory.is_dir() {
            return Err(ArchiveError::NoArchive { directory });
        }
        let (open, blocks) = (Mutex::default(), Arc::default());
        Ok(Self { shared: Arc::new(Shared { directory, open, blocks }) })
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.shared.directory
    }

    /// What is in the archive: all segments, the one with the oldest event first.
    ///
    /// It reads the index of each, on the thread that calls it.
    ///
    /// # Errors
    /// When a file can not be read or is no segment.
    pub fn list(&self) -> Result<Vec<SegmentSummary>, ArchiveError> {
        self.names()?.iter().map(|name| Ok(SegmentSummary::of(&*self.segment(name)?))).collect()
    }

    /// The events of a part of a stream, from the segment that a stub names, on the thread that calls
    /// it.
    ///
    /// # Errors
    /// When the segment is missing, damaged, or holds something else.
    pub fn read(
        &self,
        stream: &StreamId,
        part: &RemovedPart,
    ) -> Result<Vec<RecordedEvent>, ArchiveError> {
        let Some(place) = &part.segment else {
            return Err(ArchiveError::Gone { stream: stream.clone() });
        };
        let segment = self.segment(&place.name)?;
        let known = find_part(&segment, stream, part.from, place)?;
        let events = segment.events(known, part.from..=part.to, false, usize::MAX)?;
        check_run(&segment, stream, &events, part.from, part.to)?;
        if crate::segment::digest(&events) != place.digest {
            return Err(not_in(&segment, stream, part.from));
        }
        Ok(events)
    }

    /// The names of all segments, sorted.
    pub(crate) fn names(&self) -> Result<Vec<String>, ArchiveError> {
        let directory = self.directory();
        let failed = |error| ArchiveError::File { path: directory.to_owned(), error };
        let mut names = Vec::new();
        for entry in fs::read_dir(directory).map_err(failed)? {
            let file = entry.map_err(failed)?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(SUFFIX));
            // What is not finished begins with a dot.
            names.extend(name.filter(|name| !name.starts_with('.')).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Removes what an archiver has left that was killed while it wrote.
    pub(crate) fn remove_unfinished(&self) -> Result<(), ArchiveError> {
        let failed = |path: &Path, error| ArchiveError::File { path: path.to_owned(), error };
        let directory = self.directory();
        for entry in fs::read_dir(directory).map_err(|error| failed(directory, error))? {
            let path = entry.map_err(|error| failed(directory, error))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with('.') && name.ends_with(UNFINISHED) {
                fs::remove_file(&path).map_err(|error| failed(&path, error))?;
            }
        }
        Ok(())
    }

    /// A segment, opened if it is not.
    pub(crate) fn segment(&self, name: &str) -> Result<Arc<Segment>, ArchiveError> {
        let mut open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = open.get(name) {
            return Ok(Arc::clone(segment));
        }
        let segment = Arc::new(Segment::open(self.directory(), name, &self.shared.blocks)?);
        if open.len() >= MOST_OPEN {
            open.clear();
        }
        open.insert(Arc::clone(&segment.name), Arc::clone(&segment));
        Ok(segment)
    }

    /// Forgets what is open, so that files are read anew.
    pub(crate) fn forget_open(&self) {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.shared.blocks.clear();
    }

    /// Refuses the archive of another store.
    pub(crate) fn check_store(&self, store: Uuid) -> Result<(), ArchiveError> {
        for name in self.names()? {
            let found = self.segment(&name)?.index.store;
            if found != store {
                return Err(ArchiveError::OtherStore { segment: name, expected: store, found });
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Archive").field(&self.directory()).finish()
    }
}

/// The part of a segment that a stub refers to.
pub(crate) fn find_part<'s>(
    segment: &'s Segment,
    stream: &StreamId,
    version: Version,
    place: &SegmentRef,
) -> Result<&'s Part, ArchiveError> {
    let part = segment.part(stream, version).filter(|part| part.digest == place.digest);
    part.ok_or_else(|| not_in(segment, stream, version))
}

/// Checks that nothing is missing between two versions.
pub(crate) fn check_run(
    segment: &Segment,
    stream: &StreamId,
    events: &[RecordedEvent],
    from: Version,
    to: Version,
) -> Result<(), ArchiveError> {
    let mut next = from;
    for event in events {
        if event.version != next {
            return Err(not_in(segment, stream, next));
        }
        next = next.next();
    }
    if next == to.next() { Ok(()) } else { Err(not_in(segment, stream, next)) }
}

pub(crate) fn not_in(segment: &Segment, stream: &StreamId, version: Version) -> ArchiveError {
    let segment = segment.name.to_string();
    ArchiveError::NotInSegment { segment, stream: stream.clone(), version }
}

/// One segment in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SegmentSummary {
    /// Its name: the position of its first event, and the beginning of the SHA-256 of its index.
    pub name: String,
    /// The identity of the store that the events are from.
    pub store: Uuid,
    /// How many streams have a part in it.
    pub streams: u64,
    /// How many events it holds.
    pub events: u64,
    /// The positions of its first and its last event.
    pub positions: (Position, Position),
    /// How long its lines are, in bytes.
    pub lines: u64,
    /// How long the file is, in bytes.
    pub bytes: u64,
}

impl SegmentSummary {
    fn of(segment: &Segment) -> Self {
        let blocks = &segment.index.blocks;
        let first = blocks.first().map_or(Position::ZERO, |block| block.first_position);
        let last = blocks.last().map_or(Position::ZERO, |block| block.last_position);
        let mut streams: Vec<_> = segment.index.parts.iter().map(|part| &part.stream).collect();
        streams.dedup();
        Self {
            name: segment.name.to_string(),
            store: segment.index.store,
            streams: streams.len() as u64,
            events: segment.index.events,
            positions: (first, last),
            lines: segment.index.lines,
            bytes: segment.bytes,
        }
    }
}

/// Reads files where that holds up nobody.
pub(crate) async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, ArchiveError> {
    match tokio::runtime::Handle::try_current() {
        Ok(tokio) => match tokio.spawn_blocking(read).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(ArchiveError::Stopped),
            },
        },
        // Other executors have no such threads.
        Err(_) => read(),
    }
}
