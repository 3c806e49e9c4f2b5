//! Projections that are kept in documents: one value for each key, in the store.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::CodecError;
use crate::error::ErrorCategory;
use crate::event_set::EventSet;
use crate::projection::batch::{self, Batch};
use crate::projection::board::Board;
use crate::projection::chunk::Chunk;
use crate::projection::generation::{Generations, document_key, document_space};
use crate::projection::host::{Host, Needs, ProjectionType, Start};
use crate::projection::partition::Partition;
use crate::projection::session::{
    ChangedDocuments, Changes, Failure, KeySet, Part, Session, guarded,
};
use crate::projection::{Keys, ProjectionHome, ProjectionStatus, StateProjection};
use crate::query::Query;
use crate::recorded::{Page, Recorded};
use crate::store::{DynProjectionStore, EventStore, StateError, StateRecord};

/// A projection that is kept in documents. `#[projection(documents)]` generates it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection in documents",
    label = "no documents to read",
    note = "write `documents` in the `#[projection(...)]` above `struct {Self}`"
)]
pub trait DocumentProjection: StateProjection + Document {
    /// Whether the key is the id of the event's stream.
    const BY_STREAM: bool;

    /// The keys of the documents that the event changes; not asked when they are by stream.
    fn keys(event: &Self::Event, recorded: &Recorded<'_>, keys: &mut Keys);

    /// Whether the document has nothing to say any more, and is removed.
    fn is_void(&self) -> bool {
        false
    }
}

/// What a document must be able to do: begin empty, and be written and read by serde.
///
/// Implemented for every type that can; there is nothing to write.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be a document: it must implement `Default`, `Serialize` and `DeserializeOwned`",
    label = "can not be stored as a document",
    note = "write `#[derive(Projection, Default, Serialize, Deserialize)]` above `struct {Self}`; the last two come from serde"
)]
pub trait Document: Sized + Send + Sync + 'static {
    /// The document before its first event.
    #[doc(hidden)]
    fn empty() -> Self;
    /// The document that was written.
    #[doc(hidden)]
    fn read(bytes: &[u8]) -> Result<Self, CodecError>;
    /// The document as JSON.
    #[doc(hidden)]
    fn written(&self) -> Result<Vec<u8>, CodecError>;
}

#[diagnostic::do_not_recommend]
impl<T: Default + Serialize + DeserializeOwned + Send + Sync + 'static> Document for T {
    fn empty() -> Self {
        Self::default()
    }

    fn read(bytes: &[u8]) -> Result<Self, CodecError> {
        serde_json::from_slice(bytes).map_err(|error| CodecError::new(error.to_string()))
    }

    fn written(&self) -> Result<Vec<u8>, CodecError> {
        serde_json::to_vec(self).map_err(|error| CodecError::new(error.to_string()))
    }
}

/// A projection in documents, in this process.
pub(crate) struct DocumentHost<P> {
    board: Board,
    inline: bool,
    projection: PhantomData<fn() -> P>,
}

impl<P: DocumentProjection> DocumentHost<P> {
    pub(crate) fn new(inline: bool) -> Self {
        Self {
            board: Board::new(&ProjectionType::of::<P>(), ProjectionHome::Documents),
            inline,
            projection: PhantomData,
        }
    }
}

impl<P: DocumentProjection> Host for DocumentHost<P> {
    fn projection(&self) -> ProjectionType {
        ProjectionType::of::<P>()
    }

    fn board(&self) -> &Board {
        &self.board
    }

    fn query(&self) -> Query {
        P::Event::query()
    }

    fn decode(&self, page: &Page, part: Range<usize>) -> Chunk {
        batch::decode::<P::Event>(page, part)
    }

    fn session(self: Arc<Self>, _: Start) -> Box<dyn Session> {
        Box::new(DocumentSession::<P> { documents: HashMap::new(), dirty: Vec::new() })
    }

    fn keys(&self, batch: &Batch) -> Vec<String> {
        let mut keys = Keys::default();
        for (_, recorded, event) in batch.events::<P::Event>() {
            match event {
                _ if P::BY_STREAM => keys.add(recorded.stream.id()),
                Ok(events) => {
                    events.as_slice().iter().for_each(|event| P::keys(event, &recorded, &mut keys));
                }
                Err(_) => {}
            }
        }
        keys.into_texts()
    }

    fn concerns(&self, batch: &Batch, partition: Partition) -> bool {
        batch.events::<P::Event>().any(|(index, recorded, event)| match event {
            _ if P::BY_STREAM => partition.holds(recorded.stream.id()),
            Ok(events) => events.as_slice().iter().any(|event| {
                let mut keys = Keys::default();
                // Where it belongs can not be told: it stops all of them.
                keys_of::<P>(index, event, &recorded, &mut keys).is_err()
                    || keys.iter().any(|key| partition.holds(key))
            }),
            Err(_) => true,
        })
    }

    fn needs(&self) -> Needs {
        Needs::Documents
    }

    fn is_inline(&self) -> bool {
        self.inline
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

/// More documents than this are not kept for the next batch.
const KEPT_DOCUMENTS: usize = 65_536;

struct DocumentSession<P> {
    documents: HashMap<String, Slot<P>>,
    /// The keys of those that are changed and not stored.
    dirty: Vec<String>,
}

struct Slot<P> {
    held: Held<P>,
    /// The place in the batch of the event that changed it last.
    changed_at: Option<usize>,
}

enum Held<P> {
    Present(P),
    Absent,
    Unreadable(String),
}

impl<P: DocumentProjection> Session for DocumentSession<P> {
    fn missing(&mut self, batch: &Batch, part: &Part) -> Vec<String> {
        let mut missing = HashSet::new();
        let mut miss = |key: &str, position| {
            if !self.documents.contains_key(key)
                && part.holds_key(key, position)
                && !missing.contains(key)
            {
                missing.insert(key.to_owned());
            }
        };
        for (index, recorded, event) in batch.events::<P::Event>() {
            if !part.holds(index, &recorded) {
                continue;
            }
            if P::BY_STREAM {
                miss(recorded.stream.id(), recorded.position);
            } else if let Ok(events) = event {
                for event in events.as_slice() {
                    // One that panics will fail where it is applied.
                    let mut keys = Keys::default();
                    if keys_of::<P>(index, event, &recorded, &mut keys).is_ok() {
                        keys.iter().for_each(|key| miss(key, recorded.position));
                    }
                }
            }
        }
        missing.into_iter().collect()
    }

    fn load(&mut self, documents: Vec<(String, Option<Bytes>)>) {
        for (key, value) in documents {
            let held = match value.map(|value| P::read(&value)) {
                None => Held::Absent,
                Some(Ok(document)) => Held::Present(document),
                Some(Err(error)) => Held::Unreadable(error.to_string()),
            };
            self.documents.insert(key, Slot { held, changed_at: None });
        }
    }

    fn apply(&mut self, batch: &Arc<Batch>, part: &Part) -> Result<Changes, Failure> {
        let mut events = 0;
        for (index, recorded, event) in batch.events::<P::Event>() {
            if !part.holds(index, &recorded) {
                continue;
            }
            let everything = part.partition.is_only() && matches!(part.keys, KeySet::Except(_));
            let mut applied = everything;
            if P::BY_STREAM {
                let key = recorded.stream.id();
                if part.holds_key(key, recorded.position) {
                    let unread = |error| Failure::unread(index, &recorded, error).of_key(key);
                    for event in event.as_ref().map_err(unread)?.as_slice() {
                        self.project(index, event, &recorded, key, part)?;
                    }
                    applied = true;
                }
            } else {
                let unread = |error| Failure::unread(index, &recorded, error);
                for event in event.as_ref().map_err(unread)?.as_slice() {
                    let mut keys = Keys::default();
                    keys_of::<P>(index, event, &recorded, &mut keys)?;
                    for key in keys.iter() {
                        if part.holds_key(key, recorded.position) {
                            self.project(index, event, &recorded, key, part)?;
                            applied = true;
                        }
                    }
                }
            }
            events += u64::from(applied);
        }
        Ok(Changes { documents: self.changed(batch)?, events, rows: None })
    }

    fn committed(&mut self) {
        for key in self.dirty.drain(..) {
            if let Some(slot) = self.documents.get_mut(&key) {
                slot.changed_at = None;
            }
        }
        if self.documents.len() > KEPT_DOCUMENTS {
            self.documents = HashMap::new();
        }
    }

    fn forget(&mut self) {
        for key in self.dirty.drain(..) {
            self.documents.remove(&key);
        }
    }

    fn forget_key(&mut self, key: &str) {
        self.documents.remove(key);
    }
}

impl<P: DocumentProjection> DocumentSession<P> {
    fn project(
        &mut self,
        index: usize,
        event: &P::Event,
        recorded: &Recorded<'_>,
        key: &str,
        part: &Part,
    ) -> Result<(), Failure> {
        let changed = self.change(index, event, recorded, key, part.replays(recorded));
        changed.map_err(|failure| failure.of_key(key))
    }

    fn change(
        &mut self,
        index: usize,
        event: &P::Event,
        recorded: &Recorded<'_>,
        key: &str,
        replay: bool,
    ) -> Result<(), Failure> {
        let Some(slot) = self.documents.get_mut(key) else {
            return Err(Failure::because(index, recorded, "its document was not loaded"));
        };
        if slot.changed_at.replace(index).is_none() {
            self.dirty.push(key.to_owned());
        }
        if let Held::Absent = slot.held {
            slot.held = Held::Present(P::empty());
        }
        match &mut slot.held {
            Held::Present(document) => {
                guarded(index, recorded, || match replay {
                    true => document.project_event::<true>(event, recorded),
                    false => document.project_event::<false>(event, recorded),
                })?;
                if document.is_void() {
                    slot.held = Held::Absent;
                }
                Ok(())
            }
            Held::Unreadable(error) => Err(Failure::because(
                index,
                recorded,
                &format!(
                    "the document that is stored for it is not one of `{}`: {error}; rebuild the projection",
                    P::NAME
                ),
            )),
            Held::Absent => Ok(()),
        }
    }

    fn changed(&self, batch: &Batch) -> Result<ChangedDocuments, Failure> {
        let mut changed = Vec::with_capacity(self.dirty.len());
        for key in &self.dirty {
            let Some(slot) = self.documents.get(key) else { continue };
            let value = match &slot.held {
                Held::Present(document) => match document.written() {
                    Ok(value) => Some(value),
                    Err(error) => {
                        let index = slot.changed_at.unwrap_or_default();
                        let Some(recorded) = batch.records().nth(index) else { continue };
                        let what = format!("the document can not be written: {error}");
                        return Err(Failure::because(index, &recorded, &what).of_key(key));
                    }
                },
                Held::Absent => None,
                Held::Unreadable(_) => continue,
            };
            changed.push((key.clone(), value));
        }
        Ok(changed)
    }
}

fn keys_of<P: DocumentProjection>(
    index: usize,
    event: &P::Event,
    recorded: &Recorded<'_>,
    keys: &mut Keys,
) -> Result<(), Failure> {
    guarded(index, recorded, || {
        P::keys(event, recorded, keys);
        Ok(())
    })
}

/// The documents of a projection, to be read: by key, by range, page by page.
///
/// What is read is what is committed, in whatever process the projection runs. It is that of the
/// live generation of this program's version and fingerprint.
pub struct Documents<P, S> {
    store: Arc<S>,
    host: Arc<dyn Host>,
    projection: PhantomData<fn() -> P>,
}

/// A page of documents, sorted by key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DocumentsPage<P> {
    /// The documents with their keys.
    pub documents: Vec<(String, P)>,
    /// The key to go on after, or `None` when no others follow.
    pub next: Option<String>,
}

impl<P: DocumentProjection, S: EventStore> Documents<P, S> {
    pub(crate) fn of(store: &Arc<S>, host: Arc<dyn Host>) -> Option<Self> {
        let known = host.as_any().is::<DocumentHost<P>>();
        known.then(|| Self { store: Arc::clone(store), host, projection: PhantomData })
    }

    /// The document with this key, if there is one.
    ///
    /// # Errors
    /// See [`ReadModelError`].
    pub async fn get(&self, key: impl Display) -> Result<Option<P>, ReadModelError> {
        let key = key.to_string();
        let mut served = self.generation().await?;
        while let Some(generation) = served {
            let of_it = document_key(P::NAME, generation, &key);
            if let Some(record) = self.store()?.dyn_get(&of_it).await? {
                return Self::read(&key, &record).map(Some);
            }
            // It is missing, or the generation was replaced and removed while it was looked for.
            served = self.generation().await?;
            if served == Some(generation) {
                break;
            }
        }
        Ok(None)
    }

    /// The documents whose keys lie in a range of texts, at most `limit`, sorted by key byte by byte.
    ///
    /// Go on with the range that begins after [`next`](DocumentsPage::next). Numbers that shall sort
    /// as numbers need keys of one length, such as `format!("{number:020}")`.
    ///
    /// # Errors
    /// See [`ReadModelError`].
    pub async fn range<'a>(
        &self,
        range: impl RangeBounds<&'a str>,
        limit: usize,
    ) -> Result<DocumentsPage<P>, ReadModelError> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        let mut served = self.generation().await?;
        while let Some(generation) = served {
            let page = self.range_of(generation, bounds, limit).await;
            // One that was replaced meanwhile may be removed in part.
            served = self.generation().await?;
            if served == Some(generation) {
                return page;
            }
        }
        Ok(DocumentsPage { documents: Vec::new(), next: None })
    }

    async fn range_of(
        &self,
        generation: u64,
        (start, end): (Bound<&str>, Bound<&str>),
        limit: usize,
    ) -> Result<DocumentsPage<P>, ReadModelError> {
        let within = |name: &str| match end {
            Bound::Included(end) => name <= end,
            Bound::Excluded(end) => name < end,
            Bound::Unbounded => true,
        };
        let mut page = DocumentsPage { documents: Vec::new(), next: None };
        let store = self.store()?;
        let space = document_space(P::NAME, generation);
        // The port lists what comes after a name.
        if let Bound::Included(first) = start
            && within(first)
            && limit > 0
            && let Some(record) = store.dyn_get(&document_key(P::NAME, generation, first)).await?
        {
            page.documents.push((first.to_owned(), Self::read(first, &record)?));
        }
        let mut after = match start {
            Bound::Included(start) | Bound::Excluded(start) => Some(start.to_owned()),
            Bound::Unbounded => None,
        };
        while page.documents.len() < limit {
            let more = limit - page.documents.len();
            let records = store.dyn_list(&space, after.as_deref(), more).await?;
            for (key, record) in &records.records {
                if !within(key.name()) {
                    return Ok(page);
                }
                page.documents.push((key.name().to_owned(), Self::read(key.name(), record)?));
            }
            match records.next() {
                Some(next) => after = Some(next.to_owned()),
                None => return Ok(page),
            }
        }
        page.next = page.documents.last().map(|(key, _)| key.clone());
        Ok(page)
    }

    /// All documents, page by page inside, sorted by key.
    ///
    /// # Errors
    /// See [`ReadModelError`].
    pub async fn all(&self) -> Result<Vec<(String, P)>, ReadModelError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = match after.as_deref() {
                None => self.range(.., ALL_PAGE).await?,
                Some(after) => {
                    self.range((Bound::Excluded(after), Bound::Unbounded), ALL_PAGE).await?
                }
            };
            all.extend(page.documents);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Where the projection stands and how it is.
    pub fn status(&self) -> ProjectionStatus {
        self.host.board().status()
    }

    fn store(&self) -> Result<&dyn DynProjectionStore, ReadModelError> {
        self.store.projection_store().ok_or(ReadModelError::NoHome { name: P::NAME })
    }

    /// The generation that is served; none before the very first one is begun.
    async fn generation(&self) -> Result<Option<u64>, ReadModelError> {
        let (generations, _) = Generations::load(self.store()?, P::NAME).await?;
        match generations.live(&ProjectionType::of::<P>()) {
            None if !generations.is_empty() => {
                Err(ReadModelError::NotBuilt { name: P::NAME, version: P::VERSION })
            }
            live => Ok(live),
        }
    }

    fn read(key: &str, record: &StateRecord) -> Result<P, ReadModelError> {
        P::read(&record.value).map_err(|error| ReadModelError::Damaged {
            name: P::NAME,
            key: key.to_owned(),
            error,
        })
    }
}

const ALL_PAGE: usize = 1024;

impl<P, S> Clone for Documents<P, S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            host: Arc::clone(&self.host),
            projection: PhantomData,
        }
    }
}

/// Why a read model could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadModelError {
    /// The store of the runtime keeps no durable projections.
    #[error(
        "projection `{name}` is durable, but the store of this runtime keeps no durable projections"
    )]
    NoHome {
        /// The stored name of the projection.
        name: &'static str,
    },
    /// No generation of this version is complete yet.
    #[error(
        "version {version} of projection `{name}` is still being built, and is not served before it is complete; wait for it with `wait_until_current`"
    )]
    NotBuilt {
        /// The stored name of the projection.
        name: &'static str,
        /// The version of this program.
        version: u32,
    },
    /// A document is not what was written.
    #[error(
        "document `{key}` of projection `{name}` can not be read: {error}; rebuild the projection"
    )]
    Damaged {
        /// The stored name of the projection.
        name: &'static str,
        /// The key.
        key: String,
        /// What its codec says.
        error: CodecError,
    },
    /// The store could not be read.
    #[error(transparent)]
    State(#[from] StateError),
}

impl ReadModelError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::NoHome { .. } | Self::Damaged { .. } => ErrorCategory::Permanent,
            Self::NotBuilt { .. } => ErrorCategory::Transient,
            Self::State(error) => error.category(),
        }
    }
}
