//! Commands: intents addressed to one aggregate, and the decisions about them.

mod fingerprint;

use std::error::Error;

pub use self::fingerprint::{CommandFingerprint, InvalidFingerprint};

use crate::aggregate::Aggregate;
use crate::context::Context;
use crate::event::Event;

/// An intent addressed to one instance of an aggregate.
///
/// Derive it:
///
/// ```
/// use es_core::prelude::*;
///
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "account.closed")]
/// # struct Closed;
/// # #[derive(Aggregate, Default)]
/// # #[aggregate(name = "account", id = u64, events(Closed))]
/// # struct Account {}
/// # impl Apply<Closed> for Account { fn apply(&mut self, _: &Closed) {} }
/// #[derive(Command)]
/// #[command(aggregate = Account)]
/// struct Close {
///     #[command(id)]
///     account: u64,
/// }
///
/// assert_eq!(Close { account: 7 }.aggregate_id(), &7);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command",
    label = "not a command",
    note = "write `#[derive(Command)]` and `#[command(aggregate = ...)]` above `struct {Self}`, and `#[command(id)]` on the field with the aggregate's id"
)]
pub trait Command: Send + Sync + 'static {
    /// The aggregate that decides the command.
    type Aggregate: Aggregate;
    /// The name of the command, for logs and audit.
    const NAME: &'static str;
    /// Whether the command makes a new instance: its stream must not exist yet.
    const CREATES: bool = false;

    /// The instance that decides it.
    fn aggregate_id(&self) -> &<Self::Aggregate as Aggregate>::Id;

    /// Adds the fields that tell it from another command of its name, so that one
    /// [command id](crate::Execute::command_id) is not used for two of them.
    fn fingerprint(&self, fingerprint: &mut CommandFingerprint) {
        let _ = fingerprint;
    }
}

/// How an aggregate decides a command.
///
/// A decision sees the state, the command and a [`Context`] with clock, actor and services. It
/// answers with events or with an error of the domain; it can not change the state. It may run
/// more than once: when another process was faster, it is asked again about the newer state. That
/// is why the command is borrowed, and why a decision does no I/O.
///
/// ```
/// use es_core::prelude::*;
///
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "account.withdrawn")]
/// # struct Withdrawn { amount: u64 }
/// # #[derive(Aggregate, Default)]
/// # #[aggregate(name = "account", id = u64, events(Withdrawn))]
/// # struct Account { balance: u64 }
/// # impl Apply<Withdrawn> for Account { fn apply(&mut self, e: &Withdrawn) { self.balance -= e.amount } }
/// # #[derive(Command)]
/// # #[command(aggregate = Account)]
/// # struct Withdraw { #[command(id)] account: u64, amount: u64 }
/// #[derive(Debug, PartialEq, thiserror::Error)]
/// #[error("insufficient funds")]
/// struct InsufficientFunds;
///
/// impl Handle<Withdraw> for Account {
///     type Error = InsufficientFunds;
///
///     fn handle(&self, command: &Withdraw, _: &Context) -> Result<impl IntoEvents<Self>, Self::Error> {
///         if self.balance < command.amount {
///             return Err(InsufficientFunds);
///         }
///         Ok(Withdrawn { amount: command.amount })
///     }
/// }
/// ```
///
/// # One type of answer
/// `impl IntoEvents` stands for one type, so that all branches answer with the same. When they do
/// not: `Option`s or a tuple of them, the aggregate's enum (`AccountEvent::from(event)`), or
/// [`Events`]. A decision that only refuses, or is still to be written, must say what it would
/// answer with:
///
/// ```
/// # use es_core::{Aggregate, IntoEvents};
/// # struct Closed;
/// # fn handle<A: Aggregate>() -> Result<impl IntoEvents<A>, Closed> {
/// Err::<(), _>(Closed)      // always refused
/// # }
/// # #[allow(unreachable_code)]
/// # fn later<A: Aggregate>() -> Result<impl IntoEvents<A>, Closed> {
/// Ok::<(), _>(todo!())      // to be written
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "aggregate `{Self}` does not decide command `{C}`",
    label = "missing `impl Handle<{C}> for {Self}`",
    note = "write `impl Handle<{C}> for {Self} {{ type Error = ...; fn handle(&self, command: &{C}, context: &Context) -> Result<impl IntoEvents<Self>, Self::Error> {{ .. }} }}`"
)]
pub trait Handle<C: Command<Aggregate = Self>>: Aggregate {
    /// Why a command is refused.
    type Error: Error + Send + Sync + 'static;

    /// Decides the command.
    ///
    /// # Errors
    /// When the rules of the domain refuse it.
    fn handle(&self, command: &C, context: &Context) -> Result<impl IntoEvents<Self>, Self::Error>;
}

/// The events of one decision, in order: for a decision that answers with now these, now others.
///
/// ```
/// use es_core::prelude::*;
///
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "lamp.lit")]
/// # struct Lit;
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "lamp.quenched")]
/// # struct Quenched;
/// # #[derive(Aggregate, Default)]
/// # #[aggregate(name = "lamp", id = u64, events(Lit, Quenched))]
/// # struct Lamp { on: bool }
/// # impl Apply<Lit> for Lamp { fn apply(&mut self, _: &Lit) { self.on = true } }
/// # impl Apply<Quenched> for Lamp { fn apply(&mut self, _: &Quenched) { self.on = false } }
/// # #[derive(Command)]
/// # #[command(aggregate = Lamp)]
/// # struct Blink { #[command(id)] lamp: u64, times: u32 }
/// # #[derive(Debug, thiserror::Error)]
/// # #[error("refused")]
/// # struct Refused;
/// # impl Handle<Blink> for Lamp {
/// #     type Error = Refused;
/// fn handle(&self, command: &Blink, _: &Context) -> Result<impl IntoEvents<Self>, Refused> {
///     let mut events = Events::new();
///     if self.on {
///         events.push(Quenched);
///     }
///     for _ in 0..command.times {
///         events.push((Lit, Quenched));
///     }
///     Ok(events)
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Events<A: Aggregate>(Vec<A::Event>);

impl<A: Aggregate> Events<A> {
    /// No event yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds events to the end.
    pub fn push(&mut self, events: impl IntoEvents<A>) {
        events.into_events(self);
    }

    /// Adds one event of the set to the end.
    pub fn push_event(&mut self, event: A::Event) {
        self.0.push(event);
    }

    /// The events.
    pub fn as_slice(&self) -> &[A::Event] {
        &self.0
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl<A: Aggregate> Default for Events<A> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a decision may answer with: nothing `()`, one event, one of the aggregate's enum, a tuple of
/// at most eight, an `Option` or a `Vec` of them, [`Events`], or an array of the aggregate's enum
/// (`[a.into(), b.into()]`).
#[diagnostic::on_unimplemented(
    message = "aggregate `{A}` can not record `{Self}`",
    label = "neither an event of `{A}` nor several of them",
    note = "an event must be in the list `#[aggregate(events(...))]` of `{A}`",
    note = "a decision answers with `()`, one event, a tuple of at most eight, an `Option` or a `Vec` of events, `Events`, or an array `[a.into(), b.into()]`"
)]
pub trait IntoEvents<A: Aggregate> {
    /// Adds the events to the end of `events`.
    fn into_events(self, events: &mut Events<A>);
}

#[diagnostic::do_not_recommend]
impl<A: Aggregate, E: Event> IntoEvents<A> for E
where
    A::Event: From<E>,
{
    fn into_events(self, events: &mut Events<A>) {
        events.push_event(self.into());
    }
}

impl<A: Aggregate> IntoEvents<A> for Events<A> {
    fn into_events(mut self, events: &mut Self) {
        events.0.append(&mut self.0);
    }
}

#[diagnostic::do_not_recommend]
impl<A: Aggregate, T: IntoEvents<A>> IntoEvents<A> for Option<T> {
    fn into_events(self, events: &mut Events<A>) {
        if let Some(event) = self {
            event.into_events(events);
        }
    }
}

#[diagnostic::do_not_recommend]
impl<A: Aggregate, T: IntoEvents<A>> IntoEvents<A> for Vec<T> {
    fn into_events(self, events: &mut Events<A>) {
        for event in self {
            event.into_events(events);
        }
    }
}

// Only the aggregate's own enum, so that `[a.into(), b.into()]` needs no annotation.
#[diagnostic::do_not_recommend]
impl<A: Aggregate, const N: usize> IntoEvents<A> for [A::Event; N] {
    fn into_events(self, events: &mut Events<A>) {
        events.0.extend(self);
    }
}

macro_rules! tuple_into_events {
    ($($name:ident)*) => {
        #[diagnostic::do_not_recommend]
        impl<A: Aggregate, $($name: IntoEvents<A>),*> IntoEvents<A> for ($($name,)*) {
            fn into_events(self, events: &mut Events<A>) {
                #[allow(non_snake_case, reason = "one name serves the type and its value")]
                let ($($name,)*) = self;
                $($name.into_events(events);)*
                let _ = events;
            }
        }
    };
}

tuple_into_events!();
tuple_into_events!(E1);
tuple_into_events!(E1 E2);
tuple_into_events!(E1 E2 E3);
tuple_into_events!(E1 E2 E3 E4);
tuple_into_events!(E1 E2 E3 E4 E5);
tuple_into_events!(E1 E2 E3 E4 E5 E6);
tuple_into_events!(E1 E2 E3 E4 E5 E6 E7);
tuple_into_events!(E1 E2 E3 E4 E5 E6 E7 E8);
