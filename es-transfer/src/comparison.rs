//! Reading two stores side by side.

use std::collections::HashMap;

use es_core::{
    EventStore, Position, Query, QueryRange, ReadError, RecordedEvent, StreamId, Version,
};

use crate::copy::Copy;
use crate::digest::{Digester, StoreDigest};
use crate::error::{Difference, TransferError};

/// A copy that was verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// How many events the target has.
    pub events: u64,
    /// How many streams they are of.
    pub streams: u64,
    /// Their digest, that of [`digest()`](crate::digest()).
    pub digest: crate::digest::Digest,
}

/// A comparison of the two stores of a copy. It can go on when the source has grown.
pub(crate) struct Comparison<'c, 'a, S, T> {
    copy: &'c Copy<'a, S, T>,
    source: Events<'a, S>,
    target: Events<'a, T>,
    /// What each stream of the target has come to, when versions are not those of the source.
    versions: Option<HashMap<StreamId, Version>>,
    streams: u64,
    digester: Digester,
}

impl<'c, 'a, S: EventStore, T: EventStore> Comparison<'c, 'a, S, T> {
    pub(crate) fn new(copy: &'c Copy<'a, S, T>) -> Self {
        Self {
            copy,
            source: Events::new(copy.source()),
            target: Events { up_to: Position::MAX, ..Events::new(copy.target()) },
            versions: copy.renumbers().then(HashMap::new),
            streams: 0,
            digester: Digester::default(),
        }
    }

    /// Checks that the target has what it should have of the source up to this position.
    pub(crate) async fn up_to(&mut self, position: Position) -> Result<(), TransferError> {
        self.source.up_to = position;
        while let Some(event) = self.source.next().await? {
            let position = event.position;
            let Some(mut wanted) = self.copy.changed_event(event)? else { continue };
            wanted.position = position;
            if let Some(versions) = &mut self.versions {
                let version = versions.entry(wanted.stream.clone()).or_default();
                *version = version.next();
                wanted.version = *version;
            }
            let Some(found) = self.target.next().await? else {
                let RecordedEvent { event_id, stream, version, .. } = wanted;
                return Err(Difference::Missing { event_id, stream, version, position }.into());
            };
            compare(&wanted, &found, self.copy.keeps_times())?;
            self.streams += u64::from(found.version == Version::ZERO.next());
            self.digester.add(&found.as_recorded());
        }
        Ok(())
    }

    /// Checks that the target has nothing else.
    pub(crate) async fn end(mut self) -> Result<Verified, TransferError> {
        if let Some(found) = self.target.next().await? {
            let RecordedEvent { event_id, stream, version, position, .. } = found;
            return Err(Difference::TooMany { event_id, stream, version, position }.into());
        }
        let StoreDigest { events, digest } = self.digester.finish();
        Ok(Verified { events, streams: self.streams, digest })
    }
}

fn compare(
    wanted: &RecordedEvent,
    found: &RecordedEvent,
    keeps_times: bool,
) -> Result<(), Difference> {
    let micros = |event: &RecordedEvent| event.occurred_at.map(|time| time.as_microsecond());
    let parts = [
        ("event id", wanted.event_id == found.event_id),
        ("stream", wanted.stream == found.stream),
        ("version", wanted.version == found.version),
        ("name", wanted.name == found.name),
        ("schema version", wanted.schema_version == found.schema_version),
        ("payload", wanted.payload == found.payload),
        ("tags", wanted.tags == found.tags),
        ("recorded time", !keeps_times || wanted.recorded_at == found.recorded_at),
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

/// The events of a store, one after another, up to a position that may rise.
struct Events<'a, S> {
    store: &'a S,
    query: Query,
    after: Position,
    up_to: Position,
    page: std::vec::IntoIter<RecordedEvent>,
}

impl<'a, S: EventStore> Events<'a, S> {
    fn new(store: &'a S) -> Self {
        let (after, up_to) = (Position::ZERO, Position::ZERO);
        Self { store, query: Query::all(), after, up_to, page: Vec::new().into_iter() }
    }

    async fn next(&mut self) -> Result<Option<RecordedEvent>, ReadError> {
        loop {
            if let Some(event) = self.page.next() {
                return Ok(Some(event));
            }
            if self.after >= self.up_to {
                return Ok(None);
            }
            let range = QueryRange { up_to: self.up_to, ..QueryRange::after(self.after) };
            let page = self.store.read(&self.query, range).await?;
            self.after = page.token(&range);
            if page.events.is_empty() && !page.more {
                return Ok(None);
            }
            let events: Vec<_> = page.events.iter().map(|event| event.to_event()).collect();
            self.page = events.into_iter();
            tokio::task::yield_now().await;
        }
    }
}
