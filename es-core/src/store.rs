//! The ports: what the runtime asks of a store.

mod erased;
mod error;
mod event_store;
mod fence;
mod immediate;
mod in_place;
mod inline_store;
mod projection_store;
mod recorded_append;
mod state_store;
mod stream_removal;

pub use self::erased::{DynEventStore, SharedEventStore};
pub use self::error::{AppendError, ConditionFailed, ReadError, StateError, VersionConflict};
pub use self::event_store::{
    ChainLink, ConditionalAppend, Direction, EventStore, QueryPage, QueryRange, StreamPage,
    StreamRange,
};
pub use self::fence::{Fence, FenceError, FencedStore};
pub use self::immediate::{ImmediateAppend, ImmediateRead, StreamVisit};
pub use self::in_place::InPlaceAppend;
pub(crate) use self::inline_store::AnyStep;
pub use self::inline_store::{
    DynInlineStore, InlineRefusal, InlineRows, InlineSet, InlineStep, InlineStore,
};
pub(crate) use self::projection_store::{AnyRowFamily, AnyRowWork};
pub use self::projection_store::{
    DynProjectionStore, GaveUp, NoRows, ProjectionStore, RowFamily, RowScope, RowWork, StateChange,
    StateCommit,
};
pub use self::recorded_append::{RecordedAppend, RecordedCommit};
pub use self::state_store::{
    ExpectedRevision, MAX_STATE_BYTES, MAX_STATE_TEXT_BYTES, Revision, StateKey, StatePage,
    StateRecord, StateStore,
};
pub use self::stream_removal::{
    Archived, InvalidPartDigest, PartDigest, Removal, RemovalError, RemovedEvent, RemovedPart,
    SegmentRef, SparsePage, StreamRemoval, Stub,
};
