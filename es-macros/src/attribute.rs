//! What the user wrote in the attributes of a derive: tokens in, values with spans out.
//!
//! Nothing here returns early: a mistake is recorded and the next option is read.

mod documents;
mod field_path;
mod given;
mod list;
mod nearest;
pub(crate) mod operation;
mod raw;
mod slot;
mod snapshot;
pub(crate) mod value;

pub(crate) use self::documents::{DocumentsOption, documents};
pub(crate) use self::field_path::{FieldPath, Segment};
pub(crate) use self::given::{AttributeKind, Attributes, Given};
pub(crate) use self::list::{
    EventsOption, ListedEvents, events, listed_event_types, listed_events, listed_names,
    listed_paths,
};
pub(crate) use self::nearest::nearest;
pub(crate) use self::slot::Slot;
pub(crate) use self::snapshot::{SnapshotOption, snapshot};
pub(crate) use self::value::{LockOption, tag_key};
