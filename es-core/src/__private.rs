//! What generated code calls. Not for anybody else: it changes without notice.

pub mod check;
pub mod fingerprint;

pub use inventory;

pub use crate::registry::Registration;

use std::fmt::Display;

use crate::aggregate::Aggregate;
use crate::event::{Event, EventType};
use crate::event_set::{self, DecodeError, EncodeError, EncodedEvent, EventSet};
use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::snapshot::{SnapshotState, SnapshotType};
use crate::tag::{Tag, Tags};
use crate::version::SchemaVersion;

/// The schema version that an attribute states; the derive has refused zero.
pub const fn schema_version(number: u32) -> SchemaVersion {
    match std::num::NonZeroU32::new(number) {
        Some(number) => SchemaVersion::new(number),
        None => SchemaVersion::FIRST,
    }
}

/// How an aggregate is kept in snapshots; the derive has refused zeros.
pub const fn snapshot<A: SnapshotState>(every: u64, state_version: u32) -> Option<SnapshotType<A>> {
    match (std::num::NonZeroU64::new(every), std::num::NonZeroU32::new(state_version)) {
        (Some(every), Some(state_version)) => Some(SnapshotType::new(every, state_version)),
        _ => None,
    }
}

/// What generated code does with an event of a list.
///
/// All of it goes through this one trait and not through functions, each with a bound of its own:
/// so a type in the list that is no event is reported once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "write `#[derive(Event, Serialize, Deserialize)]` and `#[event(name = \"...\")]` above `struct {Self}`"
)]
pub trait ListedEvent: Sized {
    /// The same type, known to be an event.
    type Itself: Event;
    /// The stored name.
    const NAME: &'static str;
    /// What is known of the type.
    const TYPE: EventType;

    /// Writes the event.
    fn encode(&self, buffer: &mut Vec<u8>) -> Result<EncodedEvent, EncodeError>;

    /// Reads an event that has this stored name, as one of the set.
    fn decode<S: From<Self>>(recorded: &Recorded<'_>) -> Result<S, DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<E: Event> ListedEvent for E {
    type Itself = E;

    const NAME: &'static str = E::NAME;
    const TYPE: EventType = EventType::of::<E>();

    #[inline]
    fn encode(&self, buffer: &mut Vec<u8>) -> Result<EncodedEvent, EncodeError> {
        buffer.clear();
        match self.write::<E::Codec>(buffer) {
            Ok(()) => {
                let mut tags = Tags::new();
                self.tags(&mut tags);
                Ok(event_set::written(&Self::TYPE, tags, buffer))
            }
            Err(error) => Err(event_set::not_written(&Self::TYPE, error)),
        }
    }

    #[inline]
    fn decode<S: From<E>>(recorded: &Recorded<'_>) -> Result<S, DecodeError> {
        if recorded.schema_version == E::VERSION {
            match E::read::<E::Codec>(recorded.payload) {
                Ok(event) => Ok(S::from(event)),
                Err(error) => Err(event_set::not_read(recorded, error)),
            }
        } else {
            Err(event_set::other_version(recorded, E::VERSION))
        }
    }
}

/// The answer to a stored name that is not in the set.
#[cold]
pub fn unknown_event<S: EventSet>(recorded: &Recorded<'_>) -> DecodeError {
    event_set::unknown_event(recorded, std::any::type_name::<S>(), S::EVENTS)
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
pub fn id_of<A: Aggregate, T: IdOf<A, A::Id>>(field: &T) -> &A::Id {
    field.as_id()
}

/// The type that identifies the aggregate `A`: only its `Id` does.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the id of aggregate `{A}`",
    label = "expected `{Id}`",
    note = "`#[aggregate(id = ...)]` of `{A}` says that `{Id}` identifies it: give the field that type"
)]
pub trait IdOf<A, Id> {
    /// The same.
    fn as_id(&self) -> &Id;
}

impl<A, T> IdOf<A, T> for T {
    #[inline]
    fn as_id(&self) -> &T {
        self
    }
}

/// Registers a projection that can be made without being asked how.
pub const fn projection_registration<P: EmptyProjection>(
    package: Option<&'static str>,
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
