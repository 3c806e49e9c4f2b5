//! Compacting a stream into a summary, and truncating one behind a snapshot.

use es_core::{
    Command, CommandId, Direction, ExpectedVersion, ProjectionStore, Removal, RemovedPart,
    StreamId, StreamRange, StreamRemoval, Summarize, Truncate, Version, WriteSummary,
};

use crate::archiver::{Archived, Archiver, remove};
use crate::error::ArchiveError;
use crate::policy;

impl<S: StreamRemoval + ProjectionStore> Archiver<'_, S> {
    /// Removes events for good instead of writing them to a segment, in [`compact`](Self::compact) and
    /// [`truncate`](Self::truncate): nobody can read them ever after.
    #[must_use]
    pub fn for_good(mut self) -> Self {
        self.for_good = true;
        self
    }

    /// Records a summary of an aggregate's state at the end of its stream, and archives everything
    /// before. The aggregate is loaded from the summary from then on.
    ///
    /// The summary is an event more; what is archived is read through, verified and restored as any other
    /// events. After a crash run it again: a summary that is the end of the stream is not written twice.
    ///
    /// # Errors
    /// When the summary breaks its [law](Summarize#law), somebody has not consumed the events, or a file or
    /// the store fails.
    pub async fn compact<A: Summarize>(&self, id: &A::Id) -> Result<Archived, ArchiveError> {
        let (store, stream) = (&**self.runtime.store(), A::stream(id)?);
        let (version, summary) = last_summary(store, &stream, WriteSummary::<A>::NAME).await?;
        if version == Version::ZERO {
            return Err(ArchiveError::NoStream { stream });
        }
        let before = match summary {
            Some(before) => before,
            None => {
                // Nothing is written before it is sure that the rest can be done.
                let wanted = policy::find(store, stream.clone(), version, ExpectedVersion::Any);
                let last = self.last_position(wanted.await?.as_slice()).await?;
                self.everybody_has_consumed(last).await?;
                let command_id = CommandId::from_name(&format!("summary of {stream} at {version}"));
                let command = WriteSummary::<A>::of(id.clone());
                let receipt = self.runtime.execute(command).command_id(command_id).await;
                let receipt = receipt.map_err(|error| ArchiveError::NotCompacted {
                    stream: stream.clone(),
                    reason: error.to_string(),
                })?;
                Version::new(receipt.version.get() - receipt.events)
            }
        };
        self.take_away(stream, before, true).await
    }

    /// Archives the events of an aggregate that are before its last snapshot. It is loaded from the
    /// snapshot from then on.
    ///
    /// The event that the snapshot ends with stays, so that the snapshot can be checked.
    ///
    /// # Errors
    /// When there is no snapshot that could be used, the state says that it
    /// [may not](Truncate::may_truncate) be truncated, somebody has not consumed the events, or a file or
    /// the store fails.
    pub async fn truncate<A: Truncate>(&self, id: &A::Id) -> Result<Archived, ArchiveError> {
        let stream = A::stream(id)?;
        let refused = |reason| ArchiveError::NotTruncated { stream: stream.clone(), reason };
        let Some(snapshot) = self.runtime.snapshot_of::<A>(id).await? else {
            return Err(refused("it has no snapshot that can be used"));
        };
        if !snapshot.state.may_truncate() {
            return Err(refused("its state does not allow it"));
        }
        let before = Version::new(snapshot.version.get() - 1);
        self.take_away(stream, before, false).await
    }

    async fn take_away(
        &self,
        stream: StreamId,
        to: Version,
        begins_anew: bool,
    ) -> Result<Archived, ArchiveError> {
        let store = &**self.runtime.store();
        let Some(wanted) = policy::find(store, stream, to, ExpectedVersion::Exists).await? else {
            return Ok(Archived::default());
        };
        if !self.for_good {
            return self.carry_out(vec![wanted], begins_anew).await;
        }
        self.everybody_has_consumed(self.last_position(Some(&wanted)).await?).await?;
        let range = StreamRange { from: to, to, limit: 1, ..StreamRange::all() };
        let page = store.read_live(&wanted.stream, range).await?;
        let Some(last) = page.events.last() else { return Ok(Archived::default()) };
        let part = RemovedPart {
            from: wanted.from,
            to,
            last_event_id: last.event_id,
            segment: None,
            begins_anew,
        };
        let events = to.get() - wanted.from.get() + 1;
        let removal = Removal { stream: wanted.stream, part, expected: wanted.expected };
        remove(store, &removal).await?;
        Ok(Archived { streams: 1, events, ..Archived::default() })
    }
}

/// The version of a stream, and that before the summary which it ends with, if it does.
async fn last_summary<S: StreamRemoval>(
    store: &S,
    stream: &StreamId,
    command: &str,
) -> Result<(Version, Option<Version>), ArchiveError> {
    let mut range = StreamRange { direction: Direction::Backward, limit: 64, ..StreamRange::all() };
    let (mut id, mut before, mut version) = (None, None, Version::ZERO);
    loop {
        let page = match store.read_live(stream, range).await {
            // It reaches to the beginning of what is live.
            Err(es_core::ReadError::Archived(_)) => return Ok((version, before)),
            page => page?,
        };
        version = version.max(page.version);
        for event in page.events.iter() {
            let of_it = event.metadata.command().filter(|known| known.name == command);
            let Some(found) = of_it.and_then(|known| known.id) else {
                return Ok((version, before));
            };
            if *id.get_or_insert(found) != found {
                return Ok((version, before));
            }
            before = Some(Version::new(event.version.get() - 1));
        }
        match page.next {
            Some(next) => range = range.continued(next),
            None => return Ok((version, before)),
        }
    }
}
