//! The events of the crate under test, as their derives register them.

use std::any::TypeId;

use es_lock::Shape;

use super::replay::Replayed;
use crate::__private::ListedEvent;
use crate::codec::CodecError;
use crate::event::{Event, EventType};
use crate::event_set::{DecodeError, Decoded, Reading};

/// Makes the payload that an event gives as its sample.
type MakeSample = fn() -> Result<Vec<u8>, CodecError>;

/// An event of the crate under test.
///
/// The derive registers it in the tests of its crate if there is a lock or one is being made.
#[derive(Clone, Copy)]
pub struct LockedEvent {
    event: fn() -> &'static EventType,
    shape: &'static Shape,
    codec: &'static str,
    is_json: fn() -> bool,
    sample: Option<MakeSample>,
    location: &'static str,
    from_json: fn(&str) -> Result<Vec<u8>, CodecError>,
    pub(super) read: fn(&Reading<'_>) -> Result<Decoded<Replayed>, DecodeError>,
}

inventory::collect!(LockedEvent);

impl LockedEvent {
    /// Describes `E`.
    #[doc(hidden)]
    pub const fn of<E: Event>(
        shape: &'static Shape,
        codec: &'static str,
        sample: Option<MakeSample>,
        location: &'static str,
    ) -> Self {
        Self {
            event: event_type::<E>,
            shape,
            codec,
            is_json: is_json::<E>,
            sample,
            location,
            from_json: from_json::<E>,
            read: <E as ListedEvent>::decode::<Replayed>,
        }
    }

    /// The events of the crate under test, sorted by name.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<_> = inventory::iter::<Self>.into_iter().copied().collect();
        all.sort_by_key(|event| (event.event_type().name(), event.event_type().version()));
        all
    }

    /// What is known of the type.
    pub fn event_type(&self) -> &'static EventType {
        (self.event)()
    }

    /// The shape of its payload.
    pub fn shape(&self) -> &'static Shape {
        self.shape
    }

    /// The name of its codec, if that is not JSON. Another type can have the same name.
    pub fn codec(&self) -> Option<&'static str> {
        (self.codec != "Json" || !(self.is_json)()).then_some(self.codec)
    }

    /// File and line of the struct.
    pub fn location(&self) -> &'static str {
        self.location
    }

    /// The payload of the sample that the event gives, if it does.
    pub(super) fn sample(&self) -> Option<Result<Vec<u8>, CodecError>> {
        self.sample.map(|sample| sample())
    }

    /// Reads JSON as the event and writes that as its codec does.
    pub(super) fn payload_of(&self, json: &str) -> Result<Vec<u8>, CodecError> {
        (self.from_json)(json)
    }
}

fn event_type<E: Event>() -> &'static EventType {
    &<E as ListedEvent>::TYPE
}

fn is_json<E: Event>() -> bool {
    TypeId::of::<E::Codec>() == TypeId::of::<crate::codec::Json>()
}

fn from_json<E: Event>(json: &str) -> Result<Vec<u8>, CodecError> {
    let event = E::read::<crate::codec::Json>(json.into())?;
    crate::__private::encoded(event)
}
