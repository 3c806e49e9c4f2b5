//! What generated code calls. Not for anybody else: it changes without notice.

pub mod check;

pub use inventory;

pub use crate::registry::Registration;

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use crate::aggregate::Aggregate;
use crate::event::Event;
use crate::event_set::{DecodeError, EncodeError, EncodedEvent, EventSet};
use crate::projection::Projection;
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

/// Adds the tag `key:value` if there is a value.
#[inline]
pub fn optional_tag<T: TagValue>(tags: &mut Tags, key: &str, value: &Option<T>) {
    if let Some(value) = value {
        tag(tags, key, value);
    }
}

/// A command's field as the id of its aggregate.
#[inline]
pub fn id_of<A: Aggregate, T: IdOf<A>>(field: &T) -> &A::Id {
    field.as_id()
}

/// The type that identifies the aggregate `A`: only `A::Id` does.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the id of aggregate `{A}`",
    label = "not the `id` that `#[aggregate(...)]` of `{A}` states",
    note = "give the field the type that stands in `#[aggregate(id = ...)]` of `{A}`"
)]
pub trait IdOf<A: Aggregate> {
    /// The same.
    fn as_id(&self) -> &A::Id;
}

#[diagnostic::do_not_recommend]
impl<A: Aggregate> IdOf<A> for A::Id {
    fn as_id(&self) -> &A::Id {
        self
    }
}

/// What a derived id of an aggregate can hold.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be the value of an id: it must implement `Display` and `FromStr`",
    label = "does not print as text that reads back",
    note = "use a number, a `String`, a `Uuid` or another type that prints as text and reads back"
)]
pub trait IdValue: Sized {
    /// Why text is no such value.
    type Error;
    /// Prints it.
    fn print(&self, formatter: &mut Formatter<'_>) -> fmt::Result;
    /// Reads it back.
    fn read(text: &str) -> Result<Self, Self::Error>;
}

#[diagnostic::do_not_recommend]
impl<T: Display + FromStr> IdValue for T {
    type Error = T::Err;

    #[inline]
    fn print(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.fmt(formatter)
    }

    #[inline]
    fn read(text: &str) -> Result<Self, T::Err> {
        text.parse()
    }
}

/// Registers a projection that can be made without being asked how.
pub const fn projection_registration<P: EmptyProjection>(
    package: &'static str,
    location: &'static str,
) -> Registration {
    Registration::projection::<P>(package, location)
}

/// A projection whose empty state is its `Default`.
#[diagnostic::on_unimplemented(
    message = "projection `{Self}` has no state to start from: it must implement `Default`",
    label = "no state before the first event",
    note = "add `Default` to the derives of `{Self}`",
    note = "or write `#[projection(register = false)]` and add it with `Registry::builder().projection_with(..)`"
)]
pub trait EmptyProjection: Projection + Default {}

#[diagnostic::do_not_recommend]
impl<P: Projection + Default> EmptyProjection for P {}
