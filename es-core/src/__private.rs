//! What generated code calls. Not for anybody else: it changes without notice.

pub mod check;

pub use inventory;

pub use crate::registry::Registration;

use std::fmt::Display;

use crate::event::Event;
use crate::event_set::{DecodeError, EncodeError, EncodedEvent, EventSet};
use crate::recorded::Recorded;
use crate::tag::{Tag, Tags};
use crate::version::SchemaVersion;

/// The schema version that an attribute states; the derive has refused zero.
pub const fn schema_version(number: u32) -> SchemaVersion {
    match std::num::NonZeroU32::new(number) {
        Some(number) => SchemaVersion::new(number),
        None => SchemaVersion::FIRST,
    }
}

/// Writes one event.
#[inline]
pub fn encode<E: Event>(event: &E, buffer: &mut Vec<u8>) -> Result<EncodedEvent, EncodeError> {
    crate::event_set::encode(event, buffer)
}

/// Reads an event that has `E`'s stored name.
#[inline]
pub fn decode<E: Event>(recorded: &Recorded<'_>) -> Result<E, DecodeError> {
    crate::event_set::decode(recorded)
}

/// The answer to a stored name that is not in the set.
#[cold]
pub fn unknown_event<S: EventSet>(recorded: &Recorded<'_>) -> DecodeError {
    crate::event_set::unknown_event::<S>(recorded)
}

/// Adds the tag `key:value`.
#[inline]
pub fn tag<T: TagValue>(tags: &mut Tags, key: &str, value: &T) {
    tags.insert(Tag::of(key, value));
}

/// A field that can be a tag.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` can not be a tag: it must implement `Display`",
    label = "does not print as text",
    note = "a tag is the text `field:value`; implement `Display` for `{Self}` or tag another field"
)]
pub trait TagValue: Display {}

#[diagnostic::do_not_recommend]
impl<T: Display> TagValue for T {}
