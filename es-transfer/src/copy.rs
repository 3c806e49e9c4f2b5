//! From one store to another.

use std::fmt::Display;
use std::sync::Arc;

use es_core::{
    Direction, EventStore, Position, Query, QueryRange, ReadError, RecordedAppend, RecordedEvent,
};

use crate::batch::{AppendAll, Batch, Gathering, Target, stamped_anew, with_times};
use crate::comparison::{Comparison, Verified};
use crate::error::TransferError;

type Change = Arc<dyn Fn(RecordedEvent) -> Result<Option<RecordedEvent>, String> + Send + Sync>;

/// A copy of one store into another.
///
/// Run it as often as you like: each run goes on behind the last event that the target has. A store
/// that is in use is moved with [`cut_over`](Self::cut_over).
///
/// # Contract
/// 1. The target is empty, or holds what earlier runs of the same copy have put there, and nobody
///    else writes to it.
/// 2. What decides about an event in [`filter`](Self::filter) and [`map`](Self::map) is the event
///    alone, so that every run decides the same.
pub struct Copy<'a, S, T> {
    source: &'a S,
    target: &'a T,
    append: AppendAll<T>,
    keeps_times: bool,
    change: Option<Change>,
}

impl<'a, S: EventStore, T: RecordedAppend> Copy<'a, S, T> {
    /// A copy with everything, also the times at which events were recorded.
    pub fn new(source: &'a S, target: &'a T) -> Self {
        Self { source, target, append: with_times::<T>, keeps_times: true, change: None }
    }
}

impl<'a, S: EventStore, T: EventStore> Copy<'a, S, T> {
    /// A copy into a store that can not take over times: its events are recorded at the time of the
    /// copy.
    pub fn stamped_anew(source: &'a S, target: &'a T) -> Self {
        Self { source, target, append: stamped_anew::<T>, keeps_times: false, change: None }
    }

    /// Leaves out events that this is not true of. The versions of those behind them in their
    /// streams become smaller.
    #[must_use]
    pub fn filter(self, keep: impl Fn(&RecordedEvent) -> bool + Send + Sync + 'static) -> Self {
        self.changed(move |event| Ok(keep(&event).then_some(event)))
    }

    /// Changes events: name, schema version, payload, tags, stream, business time, metadata. Ids stay,
    /// because they say how far a copy has come; versions follow from the streams.
    #[must_use]
    pub fn map(
        self,
        change: impl Fn(RecordedEvent) -> RecordedEvent + Send + Sync + 'static,
    ) -> Self {
        self.changed(move |event| Ok(Some(change(event))))
    }

    /// Changes events as [`map`](Self::map) does, or leaves them out with `None`, where that can fail:
    /// because a payload must be read, say. The copy then ends at the event, with
    /// [`TransferError::Change`]; what is before it stays.
    ///
    /// ```
    /// use es_core::bytes::Bytes;
    /// use es_core::RecordedEvent;
    /// use es_memory_store::MemoryStore;
    /// use es_transfer::Copy;
    /// use serde_json::Value;
    ///
    /// # fn example(old: &MemoryStore, new: &MemoryStore) {
    /// // Names of owners do not come over.
    /// let copy = Copy::new(old, new).try_map(|mut event| -> Result<_, serde_json::Error> {
    ///     let mut payload: Value = serde_json::from_slice(&event.payload)?;
    ///     if let Some(fields) = payload.as_object_mut() {
    ///         fields.remove("owner");
    ///     }
    ///     event.payload = Bytes::from(serde_json::to_vec(&payload)?);
    ///     Ok(Some(event))
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn try_map<E: Display>(
        self,
        change: impl Fn(RecordedEvent) -> Result<Option<RecordedEvent>, E> + Send + Sync + 'static,
    ) -> Self {
        self.changed(move |event| change(event).map_err(|error| error.to_string()))
    }

    fn changed(
        mut self,
        change: impl Fn(RecordedEvent) -> Result<Option<RecordedEvent>, String> + Send + Sync + 'static,
    ) -> Self {
        let before = self.change.take();
        self.change = Some(Arc::new(move |event| {
            let event_id = event.event_id;
            let event = match &before {
                Some(before) => before(event)?,
                None => Some(event),
            };
            let Some(event) = event else { return Ok(None) };
            // Hashes that link events are over their versions and contents.
            Ok(change(event)?.map(|event| {
                let metadata = event.metadata.with_chain_hash(None);
                RecordedEvent { event_id, metadata, ..event }
            }))
        }));
        self
    }

    /// Copies what the target does not have yet, up to the head that the source has now, and tells
    /// after every page how far it is.
    ///
    /// # Errors
    /// When a store fails, or the target holds something else. What was copied stays.
    pub async fn run(
        &self,
        mut progress: impl FnMut(Progress),
    ) -> Result<CopyReport, TransferError> {
        let mut reading = Reading {
            copy: self,
            query: Query::all(),
            range: QueryRange { limit: TOGETHER, ..QueryRange::after(self.copied_up_to().await?) },
            gathering: Gathering::new(self.target, self.change.is_some()),
        };
        let target = Target::new(self.target, self.append);
        let mut report = CopyReport { copied: 0, left_out: 0, position: reading.range.after };
        let mut next = Some(reading.next().await?);
        while let Some(page) = next.take() {
            let Page { batch, read, copied, position, head, more } = page;
            // The next one is read while this one is appended.
            let (appended, following) = tokio::join!(target.append(batch), async {
                if more { Some(reading.next().await) } else { None }
            });
            appended?;
            report.copied += copied;
            report.left_out += read - copied;
            report.position = position;
            progress(Progress { copied: report.copied, position, head });
            next = following.transpose()?;
            tokio::task::yield_now().await;
        }
        Ok(report)
    }

    /// Reads both stores side by side, up to the head that the source has now, and checks that the
    /// target has all that it should have, at the versions that follow from the streams, and nothing
    /// else.
    ///
    /// # Errors
    /// With the first [`Difference`](crate::Difference), or when a store can not be read.
    pub async fn verify(&self) -> Result<Verified, TransferError> {
        let mut comparison = Comparison::new(self);
        comparison.up_to(self.source.head().await?).await?;
        comparison.end().await
    }

    /// What becomes of an event of the source.
    pub(crate) fn changed_event(
        &self,
        event: RecordedEvent,
    ) -> Result<Option<RecordedEvent>, TransferError> {
        let Some(change) = &self.change else { return Ok(Some(event)) };
        let RecordedEvent { event_id, version, position, .. } = event;
        let stream = event.stream.clone();
        change(event).map_err(|reason| TransferError::Change {
            event_id,
            stream,
            version,
            position,
            reason,
        })
    }

    pub(crate) fn source(&self) -> &'a S {
        self.source
    }

    pub(crate) fn target(&self) -> &'a T {
        self.target
    }

    pub(crate) fn keeps_times(&self) -> bool {
        self.keeps_times
    }

    /// Whether versions of the target are not those of the source.
    pub(crate) fn renumbers(&self) -> bool {
        self.change.is_some()
    }

    /// Where the source has the last event of the target.
    pub(crate) async fn copied_up_to(&self) -> Result<Position, TransferError> {
        let Some(last) = last_event(self.target).await? else { return Ok(Position::ZERO) };
        match self.source.find(last.event_id).await? {
            Some(event) => Ok(event.position),
            None => Err(TransferError::OtherTarget {
                event_id: last.event_id,
                stream: last.stream,
                version: last.version,
            }),
        }
    }
}

/// So many events are read and appended together, unless they are large.
const TOGETHER: usize = 8_192;

/// The source of a copy on its way.
struct Reading<'c, 'a, S, T> {
    copy: &'c Copy<'a, S, T>,
    query: Query,
    range: QueryRange,
    gathering: Gathering<'a, T>,
}

/// What is appended together.
struct Page {
    batch: Batch,
    /// How many events there were.
    read: u64,
    /// How many of them are in the batch.
    copied: u64,
    /// Up to where in the source.
    position: Position,
    head: Position,
    more: bool,
}

impl<S: EventStore, T: EventStore> Reading<'_, '_, S, T> {
    async fn next(&mut self) -> Result<Page, TransferError> {
        let page = self.copy.source.read(&self.query, self.range).await?;
        // Bounded by what the first page saw, or a busy store would never end.
        self.range.up_to = self.range.up_to.min(page.head);
        let changed = page.events.iter().map(|event| self.copy.changed_event(event.to_event()));
        let events = changed.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        self.range.after = page.token(&self.range);
        Ok(Page {
            read: page.events.len() as u64,
            copied: events.len() as u64,
            batch: self.gathering.gather(events).await?,
            position: self.range.after,
            head: self.range.up_to,
            more: page.more,
        })
    }
}

/// The last event of a store.
pub(crate) async fn last_event(
    store: &impl EventStore,
) -> Result<Option<RecordedEvent>, ReadError> {
    let range = QueryRange { direction: Direction::Backward, limit: 1, ..QueryRange::all() };
    let page = store.read(&Query::all(), range).await?;
    Ok(page.events.iter().next().map(|event| event.to_event()))
}

/// How far a copy is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// How many events this run has copied.
    pub copied: u64,
    /// Up to which position of the source.
    pub position: Position,
    /// The position at which this run will end.
    pub head: Position,
}

/// What one run of a copy has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CopyReport {
    /// How many events it has copied.
    pub copied: u64,
    /// How many it has left out.
    pub left_out: u64,
    /// Up to which position of the source.
    pub position: Position,
}
