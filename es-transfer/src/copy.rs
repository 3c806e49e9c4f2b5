//! From one store to another.

use std::sync::Arc;

use es_core::{
    Direction, EventStore, Position, Query, QueryRange, ReadError, RecordedAppend, RecordedEvent,
};

use crate::batch::{AppendAll, Batch, Gathering, Target, stamped_anew, with_times};
use crate::digest::{Digester, StoreDigest};
use crate::error::{Difference, TransferError};

type Change = Arc<dyn Fn(RecordedEvent) -> Option<RecordedEvent> + Send + Sync>;

/// A copy of one store into another.
///
/// Run it as often as you like: each run goes on behind the last event that the target has. So a
/// store that is in use is moved like this: [`run`](Self::run) while it works, and again until little
/// is left; stop the program; `run` a last time and [`verify`](Self::verify); start the program on
/// the new store.
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
        self.changed(move |event| keep(&event).then_some(event))
    }

    /// Changes events: name, schema version, payload, tags, stream, business time, metadata. Ids stay,
    /// because they say how far a copy has come; versions follow from the streams.
    #[must_use]
    pub fn map(
        self,
        change: impl Fn(RecordedEvent) -> RecordedEvent + Send + Sync + 'static,
    ) -> Self {
        self.changed(move |event| {
            let event_id = event.event_id;
            Some(RecordedEvent { event_id, ..change(event) })
        })
    }

    fn changed(
        mut self,
        change: impl Fn(RecordedEvent) -> Option<RecordedEvent> + Send + Sync + 'static,
    ) -> Self {
        self.change = Some(match self.change {
            Some(before) => Arc::new(move |event| before(event).and_then(&change)),
            // Hashes that link events are over their versions and contents.
            None => Arc::new(move |event| {
                change(event).map(|event| RecordedEvent {
                    metadata: event.metadata.with_chain_hash(None),
                    ..event
                })
            }),
        });
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
    /// target has all that it should have and nothing else.
    ///
    /// # Errors
    /// With the first [`Difference`], or when a store can not be read.
    pub async fn verify(&self) -> Result<Verified, TransferError> {
        let head = self.source.head().await?;
        let mut source = Events::new(self.source, QueryRange { up_to: head, ..QueryRange::all() });
        let mut target = Events::new(self.target, QueryRange::all());
        let mut digester = Digester::default();
        loop {
            let wanted = loop {
                match source.next().await? {
                    Some(event) => {
                        let position = event.position;
                        if let Some(event) = self.change(event) {
                            break Some(RecordedEvent { position, ..event });
                        }
                    }
                    None => break None,
                }
            };
            let found = target.next().await?;
            match (wanted, found) {
                (Some(wanted), Some(found)) => {
                    self.compare(&wanted, &found)?;
                    digester.add(&found.as_recorded());
                }
                (Some(RecordedEvent { event_id, stream, version, position, .. }), None) => {
                    return Err(Difference::Missing { event_id, stream, version, position }.into());
                }
                (None, Some(RecordedEvent { event_id, stream, version, position, .. })) => {
                    return Err(Difference::TooMany { event_id, stream, version, position }.into());
                }
                (None, None) => {
                    let StoreDigest { events, digest } = digester.finish();
                    return Ok(Verified { events, digest });
                }
            }
        }
    }

    fn change(&self, event: RecordedEvent) -> Option<RecordedEvent> {
        match &self.change {
            Some(change) => change(event),
            None => Some(event),
        }
    }

    fn compare(&self, wanted: &RecordedEvent, found: &RecordedEvent) -> Result<(), Difference> {
        let renumbered = self.change.is_some();
        let micros = |event: &RecordedEvent| event.occurred_at.map(|time| time.as_microsecond());
        let parts = [
            ("event id", wanted.event_id == found.event_id),
            ("stream", wanted.stream == found.stream),
            ("version", renumbered || wanted.version == found.version),
            ("name", wanted.name == found.name),
            ("schema version", wanted.schema_version == found.schema_version),
            ("payload", wanted.payload == found.payload),
            ("tags", wanted.tags == found.tags),
            ("recorded time", !self.keeps_times || wanted.recorded_at == found.recorded_at),
            ("business time", micros(wanted) == micros(found)),
            ("metadata", wanted.metadata == found.metadata),
        ];
        match parts.into_iter().find(|(_, same)| !same) {
            None => Ok(()),
            Some((part, _)) => Err(Difference::Event {
                part,
                source_position: wanted.position,
                target_position: found.position,
                event_id: wanted.event_id,
                stream: wanted.stream.clone(),
                version: wanted.version,
            }),
        }
    }

    /// Where the source has the last event of the target.
    async fn copied_up_to(&self) -> Result<Position, TransferError> {
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
        let events = page.events.iter();
        let events: Vec<_> =
            events.filter_map(|event| self.copy.change(event.to_event())).collect();
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

/// A copy that was verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// How many events the target has.
    pub events: u64,
    /// Their digest, that of [`digest()`](crate::digest()).
    pub digest: crate::digest::Digest,
}

/// The events of a store, one after another.
struct Events<'a, S> {
    store: &'a S,
    query: Query,
    range: Option<QueryRange>,
    page: std::vec::IntoIter<RecordedEvent>,
}

impl<'a, S: EventStore> Events<'a, S> {
    fn new(store: &'a S, range: QueryRange) -> Self {
        Self { store, query: Query::all(), range: Some(range), page: Vec::new().into_iter() }
    }

    async fn next(&mut self) -> Result<Option<RecordedEvent>, ReadError> {
        loop {
            if let Some(event) = self.page.next() {
                return Ok(Some(event));
            }
            let Some(range) = self.range else { return Ok(None) };
            let page = self.store.read(&self.query, range).await?;
            let events: Vec<_> = page.events.iter().map(|event| event.to_event()).collect();
            self.page = events.into_iter();
            self.range = page.more.then(|| QueryRange { after: page.token(&range), ..range });
            tokio::task::yield_now().await;
        }
    }
}
