//! Events: the facts of a domain, one struct each.

use std::any::TypeId;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, CodecError};
use crate::event_set::{DecodeError, Decoded, EventSet, Reading};
use crate::recorded::Payload;
use crate::tag::Tags;
use crate::upcast::Upcasts;
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
/// 2. `VERSION` rises by one with every change of the shape that is written; one step for each says
///    how an older payload becomes the newer.
/// 3. The tags depend on the value alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "write `#[derive(Event, Serialize, Deserialize)]` and `#[event(name = \"...\")]` above `struct {Self}`"
)]
pub trait Event: Stored {
    /// The stored name.
    const NAME: &'static str;
    /// The newest version of the schema: the one that the struct shows.
    const VERSION: SchemaVersion;
    /// How the payload is written.
    type Codec: Codec;
    /// The names under which it was stored before it got this one.
    const ALIASES: &'static [&'static str] = &[];
    /// The version that is written, which is older while programs that know no newer one still run.
    const WRITTEN_VERSION: SchemaVersion = Self::VERSION;
    /// How versions before `VERSION` become it.
    #[doc(hidden)]
    const UPCASTS: &'static Upcasts = Upcasts::NONE;
    /// The events of which older versions split into this one.
    #[doc(hidden)]
    const SPLIT_FROM: &'static [SplitSource] = &[];

    /// Adds the tags that queries can select this event by.
    fn tags(&self, tags: &mut Tags) {
        let _ = tags;
    }

    /// Reads an event that was stored with another version. The derive writes it for an event with
    /// steps, so that no other event pays for it.
    #[doc(hidden)]
    #[inline]
    fn read_older<S: EventSet + From<Self>>(
        reading: &Reading<'_>,
    ) -> Result<Decoded<S>, DecodeError> {
        Err(crate::event_set::other_version(reading, Self::UPCASTS, Self::VERSION))
    }

    /// Writes the event as `WRITTEN_VERSION`. The derive writes it for an event whose
    /// `WRITTEN_VERSION` is an older one.
    #[doc(hidden)]
    #[inline]
    fn write_older(&self, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
        self.write::<Self::Codec>(buffer)
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
    pub(crate) aliases: &'static [&'static str],
    version: SchemaVersion,
    written_version: SchemaVersion,
    pub(crate) upcasts: &'static Upcasts,
    pub(crate) split_from: &'static [SplitSource],
    type_id: fn() -> TypeId,
    type_name: fn() -> &'static str,
}

impl EventType {
    /// Describes `E`.
    pub const fn of<E: Event>() -> Self {
        Self {
            name: E::NAME,
            aliases: E::ALIASES,
            version: E::VERSION,
            written_version: E::WRITTEN_VERSION,
            upcasts: E::UPCASTS,
            split_from: E::SPLIT_FROM,
            type_id: TypeId::of::<E>,
            type_name: std::any::type_name::<E>,
        }
    }

    /// The stored name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The names under which it was stored before.
    pub const fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// The newest version of the schema: that of the Rust type.
    pub const fn version(&self) -> SchemaVersion {
        self.version
    }

    /// The version of the schema that is written today: the newest, unless the event says that an
    /// older one is to be written.
    pub const fn written_version(&self) -> SchemaVersion {
        self.written_version
    }

    /// The oldest version of the schema that can be read.
    pub fn oldest_version(&self) -> SchemaVersion {
        if self.upcasts.steps.is_empty() { self.version } else { self.upcasts.oldest() }
    }

    /// Every name under which events are stored that can become this one: its own, those it had
    /// before, and those of events that split into it.
    pub fn stored_names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.own_names().chain(self.split_from.iter().flat_map(SplitSource::names))
    }

    /// Its own name and those it had before.
    pub(crate) fn own_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
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

/// An event of which older versions split into another one, as that one knows it.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct SplitSource {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) version: SchemaVersion,
    pub(crate) upcasts: &'static Upcasts,
}

impl SplitSource {
    /// Describes `E`.
    pub const fn of<E: Event>() -> Self {
        Self { name: E::NAME, aliases: E::ALIASES, version: E::VERSION, upcasts: E::UPCASTS }
    }

    /// Every name under which it was stored.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}
