//! What the user said, resolved: one model for each derive. Rules are checked elsewhere.

mod aggregate;
mod aggregate_id;
mod command;
mod event;
mod event_set;
mod generated_set;
mod projection;
mod serde_names;
mod upcast;
mod version_fields;

pub(crate) use self::aggregate::{Aggregate, AggregateEvents};
pub(crate) use self::aggregate_id::AggregateId;
pub(crate) use self::command::Command;
pub(crate) use self::event::{Event, EventForm, Tag, optional, ungrouped};
pub(crate) use self::event_set::{EventSet, OwnEventSet, Variant};
pub(crate) use self::generated_set::GeneratedSet;
pub(crate) use self::projection::Projection;
pub(crate) use self::serde_names::{Names, Rules, SerdeField, SerdeItem};
pub(crate) use self::upcast::{Operation, Step, Upcasts};
pub(crate) use self::version_fields::{Contradiction, VersionFields};
