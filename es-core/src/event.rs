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
    /// Under which other names and versions it was stored, and how those become this one. The derive
    /// makes it of `#[upcast(..)]` and the options of `#[event(..)]`.
    #[doc(hidden)]
    const HISTORY: &'static EventHistory = EventHistory::NONE;

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
        Err(crate::event_set::other_version(reading, Self::HISTORY, Self::VERSION))
    }

    /// Writes the event. The derive writes it for an event that is written as an older version.
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
    version: SchemaVersion,
    pub(crate) history: &'static EventHistory,
    type_id: fn() -> TypeId,
    type_name: fn() -> &'static str,
}

impl EventType {
    /// Describes `E`.
    pub const fn of<E: Event>() -> Self {
        Self {
            name: E::NAME,
            version: E::VERSION,
            history: E::HISTORY,
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
        self.history.aliases
    }

    /// The newest version of the schema: that of the Rust type.
    pub const fn version(&self) -> SchemaVersion {
        self.version
    }

    /// The version of the schema that is written today: the newest, unless the event says that an
    /// older one is to be written.
    pub const fn written_version(&self) -> SchemaVersion {
        match self.history.written_version {
            Some(version) => version,
            None => self.version,
        }
    }

    /// The oldest version of the schema that can be read.
    pub fn oldest_version(&self) -> SchemaVersion {
        self.history.upcasts.oldest(self.version)
    }

    /// Every name under which events are stored that can become this one: its own, those it had
    /// before, and those of events that split into it.
    pub fn stored_names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.own_names().chain(self.history.split_from.iter().flat_map(SplitSource::names))
    }

    /// Its own name and those it had before.
    pub(crate) fn own_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.history.aliases.iter().copied())
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

/// Under which other names and versions an event was stored.
#[doc(hidden)]
pub struct EventHistory {
    /// The names that it had before.
    pub aliases: &'static [&'static str],
    /// The version that is written, if it is not the newest.
    pub written_version: Option<SchemaVersion>,
    /// How older versions become the newest.
    pub upcasts: Upcasts,
    /// The events of which older versions split into this one.
    pub split_from: &'static [SplitSource],
}

impl EventHistory {
    /// Of an event that was never stored otherwise.
    pub const NONE: &'static Self =
        &Self { aliases: &[], written_version: None, upcasts: Upcasts::NONE, split_from: &[] };
}

/// An event of which older versions split into another one, as that one knows it.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct SplitSource {
    pub(crate) name: &'static str,
    pub(crate) version: SchemaVersion,
    /// A function, because two events may split into each other.
    history: fn() -> &'static EventHistory,
}

impl SplitSource {
    /// Describes `E`.
    pub const fn of<E: Event>() -> Self {
        Self { name: E::NAME, version: E::VERSION, history: history::<E> }
    }

    /// The steps of the event.
    pub(crate) fn upcasts(&self) -> &'static Upcasts {
        &(self.history)().upcasts
    }

    /// Every name under which it was stored.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain((self.history)().aliases.iter().copied())
    }
}

fn history<E: Event>() -> &'static EventHistory {
    E::HISTORY
}
