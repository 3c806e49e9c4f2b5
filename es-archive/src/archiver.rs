//! Moving events from a store into segments.

use std::collections::HashMap;
use std::sync::Arc;

use es_core::{
    ExpectedVersion, Position, ProjectionStore, RecordedEvent, Removal, RemovalError, RemovedPart,
    Runtime, SegmentRef, StreamId, StreamRange, StreamRemoval, Version,
};

use crate::archive::{Archive, reading};
use crate::error::ArchiveError;
use crate::policy::{Policy, Wanted};
use crate::segment::{self, Draft, Part, PartKey, Written};

/// A segment is written when the lines that are gathered are so long.
const SEGMENT_BYTES: usize = 32 * 1024 * 1024;

/// Moves events of a runtime's store into an archive; from [`Archive::archiver`].
///
/// # Steps
/// For each segment, in this order: its file is written under another name, synced, renamed, and the
/// directory synced; then each part is removed from the store in one atomic step, which leaves a stub.
/// A crash between any two of them leaves events in the store, or in the segment and the stub, never in
/// neither. What a stub does not say is in the store, so nothing is ever there twice for a reader.
///
/// Run it again after a crash: parts that are in a segment already are not written anew. One archiver at a
/// time works on a directory.
pub struct Archiver<'a, S> {
    archive: &'a Archive,
    pub(crate) runtime: &'a Runtime<S>,
    ignored: Vec<String>,
    segment_bytes: usize,
    /// What is compacted or truncated is removed for good.
    pub(crate) for_good: bool,
}

impl Archive {
    /// Begins to move events of this runtime's store into the archive.
    ///
    /// The runtime says which projections must have consumed them.
    pub fn archiver<'a, S>(&'a self, runtime: &'a Runtime<S>) -> Archiver<'a, S> {
        Archiver {
            archive: self,
            runtime,
            ignored: Vec::new(),
            segment_bytes: SEGMENT_BYTES,
            for_good: false,
        }
    }
}

/// What was archived.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Archived {
    /// How many streams.
    pub streams: u64,
    /// How many events.
    pub events: u64,
    /// The segments that were written.
    pub segments: Vec<String>,
    /// How many events were in a segment already, such as after a crash.
    pub found_in_segments: u64,
    /// How long the lines of the segments are, in bytes.
    pub lines: u64,
    /// How long the segments are, in bytes.
    pub bytes: u64,
    /// Streams that somebody has appended to meanwhile; they are as they were, unless an earlier part
    /// of them was archived already.
    pub changed: Vec<StreamId>,
}

impl<S: StreamRemoval + ProjectionStore> Archiver<'_, S> {
    /// Does not wait for the projection or subscription with this name, of whatever generation: for one
    /// that nobody runs any more.
    #[must_use]
    pub fn ignoring(mut self, name: impl Into<String>) -> Self {
        self.ignored.push(name.into());
        self
    }

    /// Ends a segment when its lines are so long, in bytes: 32 MiB if nothing is said. So much is held in
    /// memory, and one event more.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: usize) -> Self {
        self.segment_bytes = bytes.max(1);
        self
    }

    /// Archives what a policy wants.
    ///
    /// # Errors
    /// [`ArchiveError::NotConsumed`] if somebody still needs an event of it; then nothing was done. When a
    /// file or the store fails; then what was done until then stays, and running it again goes on.
    pub async fn archive(&self, policy: &Policy) -> Result<Archived, ArchiveError> {
        let wanted = policy.find(&**self.runtime.store()).await?;
        self.carry_out(wanted, false).await
    }

    /// Archives the events of one stream up to a version, or all but the last.
    ///
    /// # Errors
    /// As [`archive`](Self::archive), and when there is no such stream.
    pub async fn archive_stream(
        &self,
        stream: &StreamId,
        up_to: Version,
    ) -> Result<Archived, ArchiveError> {
        let store = &**self.runtime.store();
        let range = StreamRange { limit: 0, ..StreamRange::all() };
        let version = store.read_live(stream, range).await?.version;
        if version == Version::ZERO {
            return Err(ArchiveError::NoStream { stream: stream.clone() });
        }
        let to = up_to.min(Version::new(version.get() - 1));
        let wanted =
            crate::policy::find(store, stream.clone(), to, ExpectedVersion::Exists).await?;
        self.carry_out(wanted.into_iter().collect(), false).await
    }

    pub(crate) async fn carry_out(
        &self,
        wanted: Vec<Wanted>,
        begins_anew: bool,
    ) -> Result<Archived, ArchiveError> {
        let store = &**self.runtime.store();
        let mut done = Archived::default();
        if wanted.is_empty() {
            return Ok(done);
        }
        let identity = ProjectionStore::identity(store).await?;
        let archive = self.archive.clone();
        let known = reading(move || {
            archive.check_store(identity)?;
            archive.remove_unfinished()?;
            known_parts(&archive)
        })
        .await?;
        self.everybody_has_consumed(self.last_position(&wanted).await?).await?;

        let mut draft = Draft::new(identity);
        let mut waiting = Vec::new();
        for wanted in wanted {
            let mut moving = Moving { at: wanted.from, wanted };
            while moving.at <= moving.wanted.to && !done.changed.contains(&moving.wanted.stream) {
                let room = self.segment_bytes.saturating_sub(draft.bytes());
                let events = moving.read(store, room).await?;
                let Some(last) = events.last() else { break };
                let next = last.version.next();
                match known_part(&known, &events) {
                    // What waits of the stream must go first.
                    Some((segment, part)) if !waiting.iter().any(|it: &Waiting| it.is_of(part)) => {
                        let count = events.iter().take_while(|event| event.version <= part.to);
                        let count = count.count() as u64;
                        moving.at = part.to.next();
                        if self
                            .remove(&moving.wanted, part, &segment, begins_anew, &mut done)
                            .await?
                        {
                            done.found_in_segments += count;
                        }
                        continue;
                    }
                    _ => {}
                }
                draft.add(&events)?;
                let part = draft.parts().len() - 1;
                waiting.push(Waiting { part, wanted: moving.wanted.clone() });
                moving.at = next;
                if draft.bytes() >= self.segment_bytes {
                    let full = std::mem::replace(&mut draft, Draft::new(identity));
                    self.finish(full, std::mem::take(&mut waiting), begins_anew, &mut done).await?;
                }
            }
        }
        if !draft.is_empty() {
            self.finish(draft, waiting, begins_anew, &mut done).await?;
        }
        Ok(done)
    }

    /// The position of the last event that is to go.
    pub(crate) async fn last_position(
        &self,
        wanted: impl IntoIterator<Item = &Wanted>,
    ) -> Result<Position, ArchiveError> {
        let store = &**self.runtime.store();
        let mut last = Position::ZERO;
        for Wanted { stream, to, .. } in wanted {
            let range = StreamRange { from: *to, to: *to, limit: 1, ..StreamRange::all() };
            let page = store.read_live(stream, range).await?;
            last = last.max(page.events.last().map_or(Position::ZERO, |event| event.position));
        }
        Ok(last)
    }

    pub(crate) async fn everybody_has_consumed(&self, up_to: Position) -> Result<(), ArchiveError> {
        let mut behind = self.runtime.consumers_behind(up_to).await?;
        behind.retain(|consumer| !self.ignored.contains(&consumer.name));
        let others = behind.len().saturating_sub(1);
        match behind.into_iter().min_by_key(|consumer| consumer.position) {
            Some(consumer) => {
                Err(ArchiveError::NotConsumed { consumer: Box::new(consumer), others, up_to })
            }
            None => Ok(()),
        }
    }

    /// Writes a segment, and then removes what is in it from the store.
    async fn finish(
        &self,
        draft: Draft,
        waiting: Vec<Waiting>,
        begins_anew: bool,
        done: &mut Archived,
    ) -> Result<(), ArchiveError> {
        let directory = self.archive.directory().to_owned();
        let parts: Vec<Part> = draft.parts().to_vec();
        let Written { name, index, bytes } = reading(move || draft.write(&directory)).await?;
        // What was known under the name may have been damaged.
        self.archive.forget_open();
        done.lines += index.lines;
        done.bytes += bytes;
        done.segments.push(name.clone());
        let name: Arc<str> = name.into();
        for Waiting { part, wanted } in waiting {
            self.remove(&wanted, &parts[part], &name, begins_anew, done).await?;
        }
        Ok(())
    }

    /// Removes a part that is in a segment. `false` if somebody has appended to the stream meanwhile.
    async fn remove(
        &self,
        wanted: &Wanted,
        part: &Part,
        segment: &Arc<str>,
        begins_anew: bool,
        done: &mut Archived,
    ) -> Result<bool, ArchiveError> {
        if done.changed.contains(&part.stream) {
            return Ok(false);
        }
        let last = part.to == wanted.to;
        let removal = Removal {
            stream: part.stream.clone(),
            part: RemovedPart {
                from: part.from,
                to: part.to,
                last_event_id: part.last_event_id,
                segment: Some(SegmentRef { name: Arc::clone(segment), digest: part.digest }),
                begins_anew: begins_anew && last,
            },
            expected: wanted.expected,
        };
        match remove(&**self.runtime.store(), &removal).await {
            Ok(()) => {
                done.events += part.to.get() - part.from.get() + 1;
                done.streams += u64::from(last);
                Ok(true)
            }
            Err(RemovalError::Conflict(_)) => {
                done.changed.push(part.stream.clone());
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// How often a store that can not do it now is asked again.
const ATTEMPTS: u32 = 5;

/// Removes a part, again if the store fails in passing or the answer is lost.
pub(crate) async fn remove<S: StreamRemoval>(
    store: &S,
    removal: &Removal,
) -> Result<(), RemovalError> {
    let mut attempts = 1;
    loop {
        match store.remove(removal).await {
            Err(RemovalError::Transient(_) | RemovalError::OutcomeUnknown(_))
                if attempts < ATTEMPTS =>
            {
                attempts += 1;
                tokio::task::yield_now().await;
            }
            done => return done,
        }
    }
}

/// A part that is in the draft.
struct Waiting {
    part: usize,
    wanted: Wanted,
}

impl Waiting {
    fn is_of(&self, part: &Part) -> bool {
        self.wanted.stream == part.stream
    }
}

/// How far a stream is read.
struct Moving {
    wanted: Wanted,
    at: Version,
}

impl Moving {
    /// The next events, about as many as fit; at least one.
    async fn read<S: StreamRemoval>(
        &self,
        store: &S,
        room: usize,
    ) -> Result<Vec<RecordedEvent>, ArchiveError> {
        let mut events = Vec::new();
        let mut bytes = 0;
        let mut range = StreamRange { to: self.wanted.to, ..StreamRange::all() };
        range.from = self.at;
        loop {
            let page = store.read_live(&self.wanted.stream, range).await?;
            for event in page.events.iter() {
                // About what a line is longer than its payload.
                bytes += event.payload.as_bytes().len() + 256;
                events.push(event.to_event());
                if bytes >= room {
                    return Ok(events);
                }
            }
            match page.next {
                Some(next) => range = range.continued(next),
                None => return Ok(events),
            }
        }
    }
}

type Known = HashMap<PartKey, Vec<(Arc<str>, Part)>>;

/// What the segments of an archive hold.
fn known_parts(archive: &Archive) -> Result<Known, ArchiveError> {
    let mut known = Known::new();
    for name in archive.names()? {
        let segment = archive.segment(&name)?;
        for part in &segment.index.parts {
            let key = (part.stream.clone(), part.from);
            known.entry(key).or_default().push((Arc::clone(&segment.name), part.clone()));
        }
    }
    Ok(known)
}

/// A part of a segment that holds the first of these events, and is what they are.
fn known_part<'k>(known: &'k Known, events: &[RecordedEvent]) -> Option<(Arc<str>, &'k Part)> {
    let first = events.first()?;
    let candidates = known.get(&(first.stream.clone(), first.version))?;
    candidates.iter().find_map(|(segment, part)| {
        let count = usize::try_from(part.to.get() - part.from.get()).ok()? + 1;
        let same = events.get(..count).is_some_and(|it| segment::digest(it) == part.digest);
        same.then(|| (Arc::clone(segment), part))
    })
}
