//! What generated code calls. Not for anybody else: it changes without notice.

pub mod check;
pub mod fingerprint;

pub use es_lock as shape;
pub use inventory;

pub use crate::event::{EventHistory, SplitSource};
pub use crate::event_set::Reading;
pub use crate::fingerprint::{NoShape, Probe};
pub use crate::lock::{LockedAggregate, LockedEvent, run as lock_test};
pub use crate::projection::{AnyHost, HomeOf, boxed};
pub use crate::registry::Registration;
pub use crate::split::{SplitFunction, Splitting};
pub use crate::upcast::{
    AddedValue, CalledInverse, CalledStep, InverseFunction, NamedFunction, NewValue,
    ObjectFunction, OldStruct, Operation, Segment, SplitCall, Step, StepKind, StoredObject,
    UpcastTo, Upcasts, ValueFunction,
};

use std::fmt::Display;

use crate::aggregate::Aggregate;
use crate::codec::{Codec, CodecError, SelfDescribing};
use crate::event::{Event, EventType};
use crate::event_data::EventData;
use crate::event_set::{self, DecodeError, Decoded, EncodeError, EncodedEvent, EventSet};
use crate::projection::{
    DocumentProjection, EffectProjection, InDocuments, InMemory, InRows, Inlined, RowProjection,
    StateProjection,
};
use crate::recorded::Payload;
use crate::snapshot::{SnapshotState, SnapshotType};
use crate::store::InlineRows;
use crate::tag::{Tag, Tags};
use crate::upcast::{self, Upcasted};
use crate::version::SchemaVersion;

/// Stands for the item itself in the types of its fields: a constant can not be made of itself.
pub struct Itself;

impl EventData for Itself {
    const SHAPE: shape::Shape = shape::Shape::Itself;
}

/// A value that the user gave as a sample, as its codec writes it.
pub fn encoded<E: Event>(event: E) -> Result<Vec<u8>, CodecError> {
    let mut buffer = Vec::new();
    event.write::<E::Codec>(&mut buffer)?;
    Ok(buffer)
}

/// The schema version that an attribute states; the derive has refused zero.
pub const fn schema_version(number: u32) -> SchemaVersion {
    match std::num::NonZeroU32::new(number) {
        Some(number) => SchemaVersion::new(number),
        None => SchemaVersion::FIRST,
    }
}

/// How an aggregate is kept in snapshots; the derive has refused zero.
pub const fn snapshot<A: Aggregate + SnapshotState>(every: u64) -> Option<SnapshotType<A>> {
    match std::num::NonZeroU64::new(every) {
        Some(every) => Some(SnapshotType::new(every)),
        None => None,
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
    fn decode<S: EventSet + From<Self>>(reading: &Reading<'_>) -> Result<Decoded<S>, DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<E: Event> ListedEvent for E {
    type Itself = E;

    const NAME: &'static str = E::NAME;
    const TYPE: EventType = EventType::of::<E>();

    #[inline]
    fn encode(&self, buffer: &mut Vec<u8>) -> Result<EncodedEvent, EncodeError> {
        buffer.clear();
        match self.write_older(buffer) {
            Ok(()) => {
                let mut tags = Tags::new();
                self.tags(&mut tags);
                Ok(event_set::written(&Self::TYPE, tags, buffer))
            }
            Err(error) => Err(event_set::not_written(&Self::TYPE, error)),
        }
    }

    #[inline]
    fn decode<S: EventSet + From<E>>(reading: &Reading<'_>) -> Result<Decoded<S>, DecodeError> {
        let recorded = reading.recorded;
        if recorded.schema_version == E::VERSION {
            match E::read::<E::Codec>(recorded.payload) {
                Ok(event) => Ok(Decoded::One(S::from(event))),
                Err(error) => Err(event_set::not_read(reading, error)),
            }
        } else {
            E::read_older(reading)
        }
    }
}

/// Reads an event whose name is not one that the events of the set have today.
#[cold]
pub fn read_by_other_name<S: EventSet>(reading: &Reading<'_>) -> Result<Decoded<S>, DecodeError> {
    event_set::read_by_other_name(reading)
}

/// Reads an older version of an event whose last step is one over the stored object.
#[cold]
pub fn read_from_object<E: Event + OldStruct, S: EventSet + From<E>>(
    reading: &Reading<'_>,
) -> Result<Decoded<S>, DecodeError> {
    match event_set::upcast_event(reading, &E::HISTORY.upcasts, E::VERSION)? {
        Upcasted::Object(object) => match object.read::<E>() {
            Ok(event) => Ok(Decoded::One(S::from(event))),
            Err(error) => Err(event_set::not_upcast(reading, E::VERSION, error)),
        },
        Upcasted::Parts(parts) => event_set::read_parts(reading, &parts),
        Upcasted::Event(_) => Err(event_set::not_upcast(reading, E::VERSION, wrong_end())),
    }
}

/// Reads an older version of an event without fields whose last step is one over the stored object.
#[cold]
pub fn read_without_fields<E: Event + OldStruct, S: EventSet + From<E>>(
    reading: &Reading<'_>,
) -> Result<Decoded<S>, DecodeError> {
    match event_set::upcast_event(reading, &E::HISTORY.upcasts, E::VERSION)? {
        Upcasted::Object(_) => match E::read::<E::Codec>(Payload::Text("null")) {
            Ok(event) => Ok(Decoded::One(S::from(event))),
            Err(error) => Err(event_set::not_upcast(reading, E::VERSION, error)),
        },
        Upcasted::Parts(parts) => event_set::read_parts(reading, &parts),
        Upcasted::Event(_) => Err(event_set::not_upcast(reading, E::VERSION, wrong_end())),
    }
}

/// Reads an older version of an event whose last step begins with a struct of old, or splits.
#[cold]
pub fn read_from_struct<E: Event, S: EventSet + From<E>>(
    reading: &Reading<'_>,
) -> Result<Decoded<S>, DecodeError> {
    match event_set::upcast_event(reading, &E::HISTORY.upcasts, E::VERSION)? {
        Upcasted::Event(event) => match event.downcast::<E>() {
            Ok(event) => Ok(Decoded::One(S::from(*event))),
            Err(_) => Err(event_set::not_upcast(reading, E::VERSION, wrong_end())),
        },
        Upcasted::Parts(parts) => event_set::read_parts(reading, &parts),
        Upcasted::Object(_) => Err(event_set::not_upcast(reading, E::VERSION, wrong_end())),
    }
}

/// The derive chooses how an event is read by the kind of its last step.
#[cold]
fn wrong_end() -> CodecError {
    CodecError::new("the last step made something else")
}

/// Writes an event as an older version.
#[cold]
pub fn write_older<E: Event<Codec: SelfDescribing>>(
    event: &E,
    buffer: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let start = buffer.len();
    event.write::<E::Codec>(buffer)?;
    let newest = buffer.split_off(start);
    let mut object = E::Codec::object(Payload::Bytes(&newest))?;
    let written = E::HISTORY.written_version.unwrap_or(E::VERSION);
    upcast::downcast(&E::HISTORY.upcasts, written, &mut object).map_err(|(step, error)| {
        CodecError::new(format!("the step `{step}` could not be undone: {error}"))
    })?;
    E::Codec::write_object(&object, buffer)
}

/// Reads a payload as an object. An event without fields is stored as `null`.
pub fn object_of<C: SelfDescribing>(payload: Payload<'_>) -> Result<StoredObject<'_>, CodecError> {
    C::object(payload)
}

/// A step over a struct of old, which becomes the next one.
pub const fn via<Old: OldStruct + UpcastTo<Next>, Next: 'static, C: Codec>(
    inverse: Option<&'static dyn CalledInverse>,
) -> StepKind {
    StepKind::Via {
        read: upcast::decoded::<Old, C>,
        from_object: boxed_from_object::<Old>,
        next: upcast::converted::<Old, Next>,
        inverse,
    }
}

fn boxed_from_object<Old: OldStruct>(
    object: &StoredObject<'_>,
) -> Result<Box<dyn std::any::Any>, CodecError> {
    match object.read::<Old>() {
        Ok(old) => Ok(Box::new(old)),
        Err(error) => Err(error),
    }
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

/// The state of an aggregate before the first event, from `Default`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no state to start from: it must implement `Default`",
    label = "no state before the first event",
    note = "add `Default` to the derives of `{Self}`, or write `impl Default for {Self}`"
)]
pub trait InitialState {
    /// That state.
    fn initial() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> InitialState for T {
    #[inline]
    fn initial() -> Self {
        Self::default()
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
pub trait EmptyProjection: StateProjection<Home = InMemory> + Default {}

#[diagnostic::do_not_recommend]
impl<P: StateProjection<Home = InMemory> + Default> EmptyProjection for P {}

/// Side effects that can be registered without being asked how they are made.
#[diagnostic::on_unimplemented(
    message = "side effects `{Self}` can not be made: they must implement `Default`",
    label = "can not be made without being asked how",
    note = "add `Default` to the derives of `{Self}`",
    note = "or write `#[projection(register = false)]` and add it with `Registry::builder().effects_with(..)`"
)]
pub trait DefaultEffects: EffectProjection + Default {}

#[diagnostic::do_not_recommend]
impl<P: EffectProjection + Default> DefaultEffects for P {}

/// Registers side effects.
pub const fn effect_registration<P: DefaultEffects>(
    package: Option<&'static str>,
    location: &'static str,
) -> Registration {
    Registration::projection::<P>(package, location)
}

/// Registers a projection that is kept in documents.
pub const fn document_registration<P: DocumentProjection<Home = InDocuments>>(
    package: Option<&'static str>,
    location: &'static str,
) -> Registration {
    Registration::projection::<P>(package, location)
}

/// Registers a projection that is kept in documents and inline.
pub const fn inline_document_registration<P: DocumentProjection<Home = Inlined<InDocuments>>>(
    package: Option<&'static str>,
    location: &'static str,
) -> Registration {
    Registration::projection::<P>(package, location)
}

/// Registers a projection that is kept in rows.
pub const fn row_registration<P: RowProjection<Home = InRows<<P as RowProjection>::Family>>>(
    package: Option<&'static str>,
    location: &'static str,
) -> Registration {
    Registration::projection::<P>(package, location)
}

/// Registers a projection that is kept in rows and inline.
pub const fn inline_row_registration<P>(
    package: Option<&'static str>,
    location: &'static str,
) -> Registration
where
    P: RowProjection<Home = Inlined<InRows<<P as RowProjection>::Family>>>,
    P::Family: InlineRows,
{
    Registration::projection::<P>(package, location)
}

/// Checks that rows of the family can be inline, for a projection that does not register itself.
pub const fn rows_can_be_inline<R: InlineRows>() {}
