//! Aggregates: state that is folded from one stream and decides commands.

use std::fmt::{self, Debug, Display};
use std::hash::Hash;
use std::str::FromStr;

use crate::event::Event;
use crate::event_set::EventSet;
use crate::fingerprint::Fingerprint;
use crate::snapshot::SnapshotType;
use crate::stream::{InvalidStreamId, StreamId};

/// State folded from the events of one stream.
///
/// Derive it, and say with one [`Apply`] for each event how that event changes the state:
///
/// ```
/// use es_core::prelude::*;
///
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "account.deposited")]
/// # struct Deposited { amount: u64 }
/// #[derive(Aggregate, Default)]
/// #[aggregate(name = "account", id = u64, events(Deposited))]
/// struct Account {
///     balance: u64,
/// }
///
/// impl Apply<Deposited> for Account {
///     fn apply(&mut self, event: &Deposited) {
///         self.balance += event.amount;
///     }
/// }
///
/// let mut account = Account::default();
/// account.apply_event(&AccountEvent::from(Deposited { amount: 50 }));
/// assert_eq!(account.balance, 50);
/// ```
///
/// # Contract
/// 1. `NAME` is the category of the streams: it is stored, and renaming the struct must not
///    change it.
/// 2. Applying events is the only way in which state changes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "not an aggregate",
    note = "write `#[derive(Aggregate, Default)]` and `#[aggregate(name = \"...\", id = ..., events(...))]` above `struct {Self}`"
)]
pub trait Aggregate: Sized + Send + Sync + 'static {
    /// The stored name: the category of the aggregate's streams.
    const NAME: &'static str;
    /// What the type of the state looks like: state that is kept is read only by a program in which
    /// it is the same.
    const FINGERPRINT: Fingerprint;
    /// What identifies one instance.
    type Id: AggregateId;
    /// The events of the stream.
    type Event: EventSet;
    /// How it is kept in snapshots, if it is.
    const SNAPSHOT: Option<SnapshotType<Self>> = None;

    /// The state before the first event. The derive takes the one of `Default`.
    fn initial() -> Self;

    /// Changes the state as the event says, by the `Apply` of that event.
    fn apply_event(&mut self, event: &Self::Event);

    /// The stream of one instance.
    ///
    /// # Errors
    /// When the id prints as no text, or as more than a store takes.
    fn stream(id: &Self::Id) -> Result<StreamId, InvalidStreamId> {
        StreamId::new(Self::NAME, Printed(id))
    }
}

/// How one event changes a state.
#[diagnostic::on_unimplemented(
    message = "aggregate `{Self}` does not say how event `{E}` changes it",
    label = "missing `impl Apply<{E}> for {Self}`",
    note = "write `impl Apply<{E}> for {Self} {{ fn apply(&mut self, event: &{E}) {{ .. }} }}`"
)]
pub trait Apply<E: Event> {
    /// Changes the state. The event is a fact: there is no way to refuse it.
    fn apply(&mut self, event: &E);
}

/// What identifies one instance of an aggregate: it prints as the text that names the stream, and
/// that text reads back as the same id.
///
/// Implemented for every type that can do so, such as `String`, `u64` and `Uuid`. For a newtype of
/// your own derive it:
///
/// ```
/// use es_core::prelude::*;
///
/// #[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
/// struct AccountId(u64);
///
/// assert_eq!(AccountId(7).to_string(), "7");
/// assert_eq!("7".parse(), Ok(AccountId(7)));
/// ```
///
/// An id that also stands in events needs serde's `Serialize` and `Deserialize` as every field does.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not identify an aggregate",
    label = "not an id",
    note = "write `#[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]` above `struct {Self}(..)`"
)]
pub trait AggregateId: Debug + Clone + Eq + Hash + Send + Sync + 'static {
    /// Writes the text that names the instance; what `Display` writes.
    ///
    /// # Errors
    /// When the writer fails.
    fn write(&self, writer: &mut fmt::Formatter<'_>) -> fmt::Result;
}

// `Display` and `FromStr` stand here and not above `AggregateId`: the compiler reports a missing supertrait
// in its own words, a missing impl in ours.
#[diagnostic::do_not_recommend]
impl<T> AggregateId for T
where
    T: Display + FromStr<Err: Display> + Debug + Clone + Eq + Hash + Send + Sync + 'static,
{
    fn write(&self, writer: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, writer)
    }
}

/// An id, to be printed.
struct Printed<'a, T>(&'a T);

impl<T: AggregateId> Display for Printed<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(formatter)
    }
}
