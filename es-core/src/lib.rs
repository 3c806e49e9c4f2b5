//! Event sourcing for Rust domains.

extern crate self as es_core;

mod aggregate;
mod clock;
mod codec;
mod command;
mod commit;
mod context;
mod error;
mod event;
mod event_set;
mod identity;
mod metadata;
pub mod prelude;
mod projection;
mod query;
mod recorded;
mod registry;
mod runtime;
mod store;
mod stream;
mod tag;
#[cfg(feature = "testing")]
pub mod testing;
mod version;

#[doc(hidden)]
pub mod __private;

pub use bytes;
pub use jiff;
pub use uuid;

pub use crate::aggregate::{Aggregate, AggregateId, Apply, InitialState};
pub use crate::clock::{Clock, FixedClock, SystemClock};
pub use crate::codec::{Codec, CodecError, Json};
pub use crate::command::{Command, Events, Handle, IntoEvents};
pub use crate::commit::{
    AppendCondition, Appended, Commit, InvalidCommit, InvalidEvent, MAX_COMMIT_EVENTS,
    MAX_NAME_BYTES, MAX_PAYLOAD_BYTES, MAX_TAG_BYTES, MAX_TAGS, NewEvent, StreamAppend,
};
pub use crate::context::{Context, MissingService};
pub use crate::error::{ErrorCategory, StoreFailure};
pub use crate::event::{Event, EventType, Stored};
pub use crate::event_set::{
    ApplyTo, DecodeError, DecodeProblem, EncodeError, EncodedEvent, EventSet,
};
pub use crate::identity::{CommandId, EventId, IdGenerator, SequentialIds, TimeOrderedIds};
pub use crate::metadata::Metadata;
pub use crate::projection::{
    Project, ProjectError, Projection, ProjectionState, ProjectionStatus, ProjectionView,
};
pub use crate::query::{Query, QueryItem};
pub use crate::recorded::{Page, Recorded, RecordedEvent};
pub use crate::registry::{Registry, RegistryBuilder, RegistryError, RegistryProblem};
pub use crate::runtime::{
    Execute, ExecuteError, History, LoadError, Loaded, NotRegistered, Receipt, RetryPolicy,
    Runtime, RuntimeBuilder, StartError, WaitError,
};
pub use crate::store::{
    AppendError, ChainLink, ConditionFailed, ConditionalAppend, Direction, DynEventStore,
    EventStore, ExpectedRevision, QueryPage, QueryRange, ReadError, Revision, SharedEventStore,
    StateError, StateKey, StateRecord, StateStore, StreamPage, StreamRange, VersionConflict,
};
pub use crate::stream::{
    InvalidAggregateId, InvalidStreamId, MAX_CATEGORY_BYTES, MAX_ID_BYTES, StreamId, StreamRef,
};
pub use crate::tag::{Tag, Tags};
pub use crate::version::{ExpectedVersion, InvalidSchemaVersion, Position, SchemaVersion, Version};

#[cfg(feature = "derive")]
pub use es_macros::{Aggregate, AggregateId, Command, Event, EventSet, Projection};
