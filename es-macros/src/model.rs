//! What the user said, resolved: one model for each derive. Rules are checked elsewhere.

mod aggregate;
mod aggregate_id;
mod command;
mod event;
mod event_data;
mod event_set;
mod generated_set;
mod projection;
mod released;
mod replayed;
mod serde_names;
pub(crate) mod shape;
mod upcast;
mod version_fields;

pub(crate) use self::aggregate::{Aggregate, AggregateEvents};
pub(crate) use self::aggregate_id::AggregateId;
pub(crate) use self::command::Command;
pub(crate) use self::event::{Event, EventForm, Tag, optional};
pub(crate) use self::event_data::EventData;
pub(crate) use self::event_set::{EventSet, OwnEventSet, Variant};
pub(crate) use self::generated_set::GeneratedSet;
pub(crate) use self::projection::Projection;
pub(crate) use self::released::{Expected, Released, speaks_for_crate};
pub(crate) use self::serde_names::{Rules, SerdeField, SerdeItem};
pub(crate) use self::shape::ungrouped;
#[cfg(test)]
pub(crate) use self::upcast::Upcasts;
pub(crate) use self::upcast::{Operation, Step};
pub(crate) use self::version_fields::{Contradiction, VersionFields};
