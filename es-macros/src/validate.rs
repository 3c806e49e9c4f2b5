//! The rules: one sentence for each, under the token that must change.

mod aggregate;
mod aggregate_id;
mod command;
mod event;
mod event_data;
mod event_set;
mod item;
mod missing;
mod projection;
mod read_back;
mod released;
mod step_order;
mod stored_name;
mod upcast;
mod version_range;

pub(crate) use self::aggregate::aggregate;
pub(crate) use self::aggregate_id::aggregate_id;
pub(crate) use self::command::command;
pub(crate) use self::event::event;
pub(crate) use self::event_data::event_data;
pub(crate) use self::event_set::own_event_set;
pub(crate) use self::projection::projection;
