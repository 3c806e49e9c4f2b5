//! Events: the facts of a domain, one struct each.

use std::any::TypeId;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, CodecError};
use crate::recorded::Payload;
use crate::tag::Tags;
use crate::version::SchemaVersion;

/// An immutable fact with a pinned stored name and a schema version.
///
/// Derive it:
///
/// ```
/// use es_core::prelude::*;
///
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(name = "account.deposited")]
/// struct Deposited {
///     amount: u64,
/// }
///
/// assert_eq!(Deposited::NAME, "account.deposited");
/// assert_eq!(Deposited::VERSION.get(), 1);
/// ```
///
/// # Contract
/// 1. `NAME` is what histories say for ever: renaming the struct must not change it.
/// 2. `VERSION` rises by one with every change of the shape that is written.
/// 3. The tags depend on the value alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "write `#[derive(Event, Serialize, Deserialize)]` and `#[event(name = \"...\")]` above `struct {Self}`"
)]
pub trait Event: Stored {
    /// The stored name.
    const NAME: &'static str;
    /// The version of the schema that is written today.
    const VERSION: SchemaVersion;
    /// How the payload is written.
    type Codec: Codec;

    /// Adds the tags that queries can select this event by.
    fn tags(&self, tags: &mut Tags) {
        let _ = tags;
    }
}

/// What an event must be able to do to be stored: be written and read by serde, and cross threads.
///
/// Implemented for every type that can; there is nothing to write.
#[diagnostic::on_unimplemented(
    message = "event `{Self}` can not be stored: it must implement `Serialize` and `DeserializeOwned`",
    label = "can not be written or read",
    note = "write `#[derive(Event, Serialize, Deserialize)]` above `struct {Self}`; both come from serde"
)]
pub trait Stored: Sized + Send + Sync + 'static {
    /// Appends the bytes that the codec writes.
    #[doc(hidden)]
    fn write<C: Codec>(&self, buffer: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Reads the bytes that the codec wrote.
    #[doc(hidden)]
    fn read<C: Codec>(payload: Payload<'_>) -> Result<Self, CodecError>;
}

// Serde's traits stand here and not above `Stored`: the compiler reports a missing supertrait in
// its own words, a missing impl in ours.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Stored for T {
    #[inline]
    fn write<C: Codec>(&self, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
        C::encode(self, buffer)
    }

    #[inline]
    fn read<C: Codec>(payload: Payload<'_>) -> Result<Self, CodecError> {
        C::decode(payload)
    }
}

/// What is known about an event type without a value of it.
#[derive(Clone, Copy)]
pub struct EventType {
    pub(crate) name: &'static str,
    version: SchemaVersion,
    type_id: fn() -> TypeId,
    type_name: fn() -> &'static str,
}

impl EventType {
    /// Describes `E`.
    pub const fn of<E: Event>() -> Self {
        Self {
            name: E::NAME,
            version: E::VERSION,
            type_id: TypeId::of::<E>,
            type_name: std::any::type_name::<E>,
        }
    }

    /// The stored name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The version of the schema that is written today.
    pub const fn version(&self) -> SchemaVersion {
        self.version
    }

    /// The Rust type.
    pub fn type_id(&self) -> TypeId {
        (self.type_id)()
    }

    /// The path of the Rust type, for messages.
    pub fn type_name(&self) -> &'static str {
        (self.type_name)()
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EventType")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("type_name", &self.type_name())
            .finish()
    }
}
