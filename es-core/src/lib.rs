//! Event sourcing for Rust domains: plain structs, derives, and a small runtime.
//!
//! State is not stored; what happened is. An **aggregate** decides a **command** on its state and
//! answers with **events**; the state is folded from the events of its **stream**. **Projections**
//! fold the events of all streams, in their global order, into read models.
//!
//! # A whole program
//!
//! ```standalone_crate
//! use es_core::prelude::*;
//! use es_memory_store::MemoryStore;
//!
//! // Facts. The stored name is pinned: renaming the struct changes nothing.
//! #[derive(Event, Serialize, Deserialize)]
//! #[event(name = "seat.booked")]
//! pub struct Booked {
//!     pub by: String,
//! }
//!
//! #[derive(Event, Serialize, Deserialize)]
//! #[event(name = "seat.released")]
//! pub struct Released;
//!
//! // State, folded from the facts of one stream, and the enum `SeatEvent` of those facts.
//! #[derive(Aggregate, Default)]
//! #[aggregate(name = "seat", id = String, events(Booked, Released))]
//! pub struct Seat {
//!     taken: bool,
//! }
//!
//! impl Apply<Booked> for Seat {
//!     fn apply(&mut self, _: &Booked) {
//!         self.taken = true;
//!     }
//! }
//!
//! impl Apply<Released> for Seat {
//!     fn apply(&mut self, _: &Released) {
//!         self.taken = false;
//!     }
//! }
//!
//! // An intent, and how it is decided.
//! #[derive(Command)]
//! #[command(aggregate = Seat)]
//! pub struct Book {
//!     #[command(id)]
//!     pub seat: String,
//!     pub by: String,
//! }
//!
//! #[derive(Debug, PartialEq, thiserror::Error)]
//! #[error("the seat is taken")]
//! pub struct Taken;
//!
//! impl Handle<Book> for Seat {
//!     type Error = Taken;
//!
//!     fn handle(&self, command: &Book, _: &Context) -> Result<impl IntoEvents<Self>, Taken> {
//!         if self.taken { Err(Taken) } else { Ok(Booked { by: command.by.clone() }) }
//!     }
//! }
//!
//! // A read model over all streams.
//! #[derive(Projection, Default)]
//! #[projection(name = "bookings", events(Booked))]
//! pub struct Bookings {
//!     by_person: std::collections::BTreeMap<String, u32>,
//! }
//!
//! impl Project<Booked> for Bookings {
//!     fn project(&mut self, event: &Booked, _: &Recorded) -> Result<(), ProjectError> {
//!         *self.by_person.entry(event.by.clone()).or_default() += 1;
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let runtime = Runtime::builder(MemoryStore::new()).start().await?;
//! let book = |by: &str| Book { seat: "12A".to_owned(), by: by.to_owned() };
//! let receipt = runtime.execute(book("Ada")).await?;
//! assert!(runtime.execute(book("Grace")).await.is_err());
//!
//! runtime.wait_for::<Bookings>(&receipt).await?;
//! let bookings = runtime.projection::<Bookings>()?;
//! assert_eq!(bookings.read(|bookings| bookings.by_person["Ada"]), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The words
//!
//! | You write | and derive or implement | the runtime does |
//! |---|---|---|
//! | a fact | [`Event`](trait@Event) | writes it with its pinned name and schema version, reads it straight into the struct |
//! | state | [`Aggregate`](trait@Aggregate), one [`Apply`] for each event | folds it, keeps it warm |
//! | an intent | [`Command`](trait@Command), [`Handle`] on the aggregate | [`Runtime::execute`]: load, decide, append, again when others were faster |
//! | a read model | [`Projection`](trait@Projection), one [`Project`] for each event | keeps it current, [`Runtime::wait_for`] |
//! | an enum of events of your own | [`EventSet`](trait@EventSet) | reads and writes it |
//! | a test | `testing::given` (feature `testing`) | runs the decision through the real write and read path |
//!
//! What a record carries: [`StreamId`], [`Version`], [`Position`], [`EventId`], [`Metadata`],
//! [`Tags`]. What a program has: the [`Registry`]. How bytes are made: [`Codec`].
//!
//! # Stores
//!
//! A store implements two ports: [`EventStore`], the log, and [`StateStore`], small records with
//! compare-and-set. Their documentation is their contract, rule by rule. A store that can also guard
//! a commit by a query over all streams (a *dynamic consistency boundary*) implements
//! [`ConditionalAppend`]; a [`Query`] selects by stored name and tag. The suite of feature `conformance`
//! holds a store to all of it.
//!
//! # Guarantees
//!
//! 1. **One write path, one read path.** Name and schema version of a stored event come from its type.
//!    Whatever reads events reads them through [`EventSet::decode`].
//! 2. **Nothing is skipped.** An event that can not be read is an error with stream, version and
//!    position, never a shorter history. A projection parks at an event that it can not apply.
//! 3. **A lost race is a conflict**, is decided again within [`RetryPolicy`], and shows in the
//!    [`Receipt`].
//! 4. **An answer that was lost is looked for.** A commit keeps its event ids when it is appended again; a
//!    command with a [`CommandId`] has one effect.
//! 5. **Errors have a category**: see [`ErrorCategory`]. Each says what, where and what to do.
//!
//! # Features
//!
//! - `derive` (on): the derive macros.
//! - `testing`: the test kit.
//! - `metrics`: counters, gauges and histograms through the facade `metrics`.
//! - `hash-chain`: tamper evidence, `RuntimeBuilder::hash_chain`.
//! - `fast-clock`: reads the clock of a unix system without the detours of std; the stores turn it on.
//! - `conformance`: the suite that holds a store to the contracts of the ports.

#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as es_core;

mod aggregate;
mod clock;
mod codec;
mod command;
mod commit;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;
mod context;
mod error;
mod event;
mod event_data;
mod event_set;
mod fingerprint;
mod growth;
mod identity;
pub mod lock;
mod metadata;
pub mod prelude;
mod projection;
mod query;
mod recorded;
mod registry;
mod runtime;
mod snapshot;
mod split;
mod stable_hash;
mod store;
mod stream;
mod subscription;
mod tag;
mod telemetry;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod upcast;
mod version;

#[doc(hidden)]
pub mod __private;

pub use bytes;
pub use jiff;
pub use uuid;

pub use crate::aggregate::{Aggregate, AggregateId, Apply};
pub use crate::clock::{Clock, FixedClock, Moment, SystemClock};
pub use crate::codec::{Codec, CodecError, Json, SelfDescribing};
pub use crate::command::{
    Command, CommandFingerprint, Events, Handle, IntoEvents, InvalidFingerprint,
};
pub use crate::commit::{
    AppendCondition, Appended, Commit, InvalidCommit, InvalidEvent, MAX_COMMIT_EVENTS,
    MAX_NAME_BYTES, MAX_PAYLOAD_BYTES, MAX_TAG_BYTES, MAX_TAGS, NewEvent, StreamAppend,
};
pub use crate::context::{Context, MissingService};
pub use crate::error::{ErrorCategory, StoreFailure};
pub use crate::event::{Event, EventType, Stored};
pub use crate::event_data::EventData;
pub use crate::event_set::{
    ApplyTo, DecodeError, DecodeProblem, Decoded, EncodeError, EncodedEvent, EventSet,
};
pub use crate::fingerprint::Fingerprint;
pub use crate::growth::{Summarize, SummaryError, Truncate, WriteSummary};
pub use crate::identity::{CommandId, EventId, IdGenerator, SequentialIds, TimeOrderedIds};
pub use crate::metadata::{ChainHash, InvalidChainHash, Metadata, RecordedCommand};
pub use crate::projection::{
    DeadLetter, Differences, Document, DocumentProjection, Documents, DocumentsIn, DocumentsPage,
    EffectProjection, Effects, HandleError, InDocuments, InMemory, InRows, Inline, InlinePlace,
    Inlined, IntoKey, IntoKeys, KeptInMemory, Keys, Occasion, PartitionStatus, Project,
    ProjectError, ProjectRows, Projection, ProjectionFailure, ProjectionHandle, ProjectionHome,
    ProjectionState, ProjectionStatus, ProjectionView, React, ReadModelError, Rebuild,
    RebuildError, RebuildProgress, RowProjection, RowTables, Skip, StateProjection, Wait,
};
pub use crate::query::{Query, QueryItem};
pub use crate::recorded::{Alike, EventBlock, Page, PageBuilder, Payload, Recorded, RecordedEvent};
pub use crate::registry::{Registry, RegistryBuilder, RegistryError, RegistryProblem};
pub use crate::runtime::{
    AndWait, Audit, COMMANDS_WITHOUT_EVENTS, CausalMessage, CausalNode, CausalTree, CausedCommand,
    CommandDifference, CommandIdReused, Consumer, ConsumerKind, ConsumersError, DifferenceError,
    Execute, ExecuteError, FieldChange, FirstTime, History, LoadError, Loaded, NotRegistered,
    PastError, Receipt, RetryPolicy, Runtime, RuntimeBuilder, SnapshotStatistics, StartError,
    UnknownProjection, WaitError, Waited, WarmStatistics, WhatIf, WhatIfError, field_changes,
};
#[cfg(feature = "hash-chain")]
#[cfg_attr(docsrs, doc(cfg(feature = "hash-chain")))]
pub use crate::runtime::{BrokenLink, ChainError, ChainHead, CheckedChains};
pub use crate::snapshot::{SnapshotPolicy, SnapshotState, SnapshotType};
pub use crate::split::Split;
pub use crate::store::{
    AppendError, Archived, ChainLink, ConditionFailed, ConditionalAppend, Direction, DynEventStore,
    DynInlineStore, DynProjectionStore, EventStore, ExpectedRevision, Fence, FenceError,
    FencedStore, GaveUp, ImmediateAppend, ImmediateRead, InPlaceAppend, InlineRefusal, InlineRows,
    InlineSet, InlineStep, InlineStore, InvalidPartDigest, MAX_STATE_BYTES, MAX_STATE_TEXT_BYTES,
    NoRows, PartDigest, ProjectionStore, QueryPage, QueryRange, ReadError, RecordedAppend,
    RecordedCommit, Removal, RemovalError, RemovedEvent, RemovedPart, Revision, RowFamily,
    RowScope, RowWork, SegmentRef, SharedEventStore, SparsePage, StateChange, StateCommit,
    StateError, StateKey, StatePage, StateRecord, StateStore, StreamPage, StreamRange,
    StreamRemoval, StreamVisit, Stub, VersionConflict,
};
pub use crate::stream::{
    InvalidAggregateId, InvalidStreamId, MAX_CATEGORY_BYTES, MAX_ID_BYTES, StreamId, StreamRef,
};
pub use crate::subscription::{
    Delivery, StartAt, Subscription, SubscriptionError, SubscriptionRecord,
};
pub use crate::tag::{Tag, Tags};
pub use crate::upcast::{JsonObject, UpcastError};
pub use crate::version::{ExpectedVersion, InvalidSchemaVersion, Position, SchemaVersion, Version};

#[cfg(feature = "derive")]
#[cfg_attr(docsrs, doc(cfg(feature = "derive")))]
pub use es_macros::{Aggregate, AggregateId, Command, Event, EventData, EventSet, Projection};
