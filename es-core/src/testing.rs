//! The test kit: given a history, when a command comes, then this is decided.
//!
//! ```
//! use es_core::prelude::*;
//! use es_core::testing::given;
//!
//! # #[derive(Event, Serialize, Deserialize)]
//! # #[event(name = "account.deposited")]
//! # struct Deposited { amount: u64 }
//! # #[derive(Event, Serialize, Deserialize)]
//! # #[event(name = "account.withdrawn")]
//! # struct Withdrawn { amount: u64 }
//! # #[derive(Aggregate, Default, Debug, PartialEq)]
//! # #[aggregate(name = "account", id = u64, events(Deposited, Withdrawn))]
//! # struct Account { balance: u64 }
//! # impl Apply<Deposited> for Account { fn apply(&mut self, e: &Deposited) { self.balance += e.amount } }
//! # impl Apply<Withdrawn> for Account { fn apply(&mut self, e: &Withdrawn) { self.balance -= e.amount } }
//! # #[derive(Command)]
//! # #[command(aggregate = Account)]
//! # struct Withdraw { #[command(id)] account: u64, amount: u64 }
//! # #[derive(Debug, PartialEq, thiserror::Error)]
//! # #[error("insufficient funds")]
//! # struct InsufficientFunds;
//! # impl Handle<Withdraw> for Account {
//! #     type Error = InsufficientFunds;
//! #     fn handle(&self, command: &Withdraw, _: &Context) -> Result<impl IntoEvents<Self>, Self::Error> {
//! #         if self.balance < command.amount { return Err(InsufficientFunds) }
//! #         Ok(Withdrawn { amount: command.amount })
//! #     }
//! # }
//! given::<Account>([Deposited { amount: 50 }.into()])
//!     .when(Withdraw { account: 7, amount: 60 })
//!     .then_error(InsufficientFunds);
//!
//! given::<Account>(Deposited { amount: 50 })
//!     .when(Withdraw { account: 7, amount: 20 })
//!     .then_events(Withdrawn { amount: 20 })
//!     .then_state(Account { balance: 30 });
//! ```
//!
//! Events are written and read as a store would have them, so that an event which does not come
//! back as it went in is noticed here. The clock stands still and ids are counted.

#![expect(clippy::panic, reason = "a test kit speaks by panicking")]

use std::fmt::{Debug, Write};

use jiff::Timestamp;

use crate::aggregate::Aggregate;
use crate::clock::{FixedClock, Moment};
use crate::command::{Command, Events, Handle, IntoEvents};
use crate::commit::{CheckedEvents, NewEvent};
use crate::context::Surroundings;
use crate::event_set::EventSet;
use crate::identity::{CommandId, EventId, SequentialIds};
use crate::metadata::Metadata;
use crate::recorded::{Payload, Recorded};
use crate::runtime::{Envelope, ExecuteError, Loaded, Warm, decide};
use crate::stream::StreamId;
use crate::version::{Position, SchemaVersion, Version};

/// The time that the clock of the test kit shows unless told otherwise.
pub const TEST_TIME: Timestamp = Timestamp::constant(946_684_800, 0);

/// What an event is today that was stored under a name, with a schema version and a payload: for a
/// test of the steps from an older version.
///
/// ```
/// use es_core::prelude::*;
/// use es_core::testing::read_stored;
///
/// #[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
/// #[event(name = "account.deposited", version = 2)]
/// #[upcast(from = 1, rename("amt" => "amount"))]
/// struct Deposited {
///     amount: u64,
/// }
///
/// #[derive(EventSet, Debug, PartialEq)]
/// enum AccountEvent {
///     Deposited(Deposited),
/// }
///
/// let events = read_stored::<AccountEvent>("account.deposited", 1, r#"{ "amt": 700 }"#);
/// assert_eq!(events, [Deposited { amount: 700 }.into()]);
/// ```
///
/// # Panics
/// When it can not be read; the message says why.
#[track_caller]
pub fn read_stored<S: EventSet>(name: &str, schema_version: u32, payload: &str) -> Vec<S> {
    let schema_version = match SchemaVersion::try_from(schema_version) {
        Ok(version) => version,
        Err(error) => panic!("{error}"),
    };
    let stream = match StreamId::new("test", "stored") {
        Ok(stream) => stream,
        Err(error) => panic!("{error}"),
    };
    let recorded = Recorded {
        position: Position::new(1),
        stream: stream.borrowed(),
        version: Version::new(1),
        event_id: EventId::from_uuid(uuid::Uuid::nil()),
        name,
        schema_version,
        payload: Payload::Text(payload),
        tags: &[],
        recorded_at: TEST_TIME,
        occurred_at: None,
        metadata: &Metadata::EMPTY,
    };
    match S::decode(&recorded) {
        Ok(decoded) => decoded.into_vec(),
        Err(error) => panic!("{error}"),
    }
}

/// Begins a test with the events that an instance already has: nothing `()` or `[]`, one event, a
/// tuple, a `Vec`, or `[a.into(), b.into()]`.
///
/// # Panics
/// When an event does not come back from being written and read.
#[track_caller]
pub fn given<A: Aggregate>(events: impl IntoEvents<A>) -> Given<A> {
    let mut history = Events::new();
    events.into_events(&mut history);
    let mut loaded = Loaded::default();
    apply_as_stored(&mut loaded, &history);
    Given {
        loaded,
        surroundings: Surroundings {
            clock: std::sync::Arc::new(FixedClock::at(TEST_TIME)),
            ids: std::sync::Arc::new(SequentialIds::default()),
            ..Surroundings::default()
        },
        envelope: Envelope::default(),
    }
}

/// An instance with a history, which waits for a command.
#[must_use = "a test says `when` and `then`"]
pub struct Given<A> {
    loaded: Loaded<A>,
    surroundings: Surroundings,
    envelope: Envelope,
}

impl<A: Aggregate> Given<A> {
    /// Sets the clock; without it it shows [`TEST_TIME`].
    pub fn at(mut self, time: Timestamp) -> Self {
        self.surroundings.clock = std::sync::Arc::new(FixedClock::at(time));
        self
    }

    /// Says who sends the command.
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.envelope.change_metadata(|metadata| metadata.with_actor(actor));
        self
    }

    /// Gives the command an identity.
    pub fn command_id(mut self, id: CommandId) -> Self {
        self.envelope.command_id = Some(id);
        self
    }

    /// Gives the decision a service.
    pub fn service<T: Send + Sync + 'static>(mut self, service: T) -> Self {
        let service = std::sync::Arc::new(service);
        self.surroundings.services.insert(std::any::TypeId::of::<T>(), service);
        self
    }

    /// Lets the aggregate decide a command.
    ///
    /// # Panics
    /// When an event of the decision does not come back from being written and read.
    #[track_caller]
    pub fn when<C: Command<Aggregate = A>>(
        self,
        command: C,
    ) -> Then<A, <C::Aggregate as Handle<C>>::Error>
    where
        C::Aggregate: Handle<C>,
    {
        let Self { loaded, surroundings, envelope } = self;
        let stream = stream_of::<A>(A::stream(command.aggregate_id()));
        let mut warm = Warm::new(loaded);
        let moment = Moment::default();
        let outcome = decide(&surroundings, &stream, &mut warm, &command, &envelope, &moment);
        let Warm { mut loaded, decided, .. } = warm;
        let outcome = outcome.map(|events| {
            apply_as_stored(&mut loaded, &decided);
            events.map(CheckedEvents::into_vec).unwrap_or_default()
        });
        Then { loaded, outcome }
    }
}

/// What was decided.
pub struct Then<A, E> {
    loaded: Loaded<A>,
    outcome: Result<Vec<NewEvent>, ExecuteError<E>>,
}

impl<A: Aggregate, E: std::error::Error> Then<A, E> {
    /// The command led to exactly these events, in this order.
    ///
    /// # Panics
    /// When it did not; the message shows the difference.
    #[track_caller]
    pub fn then_events(self, expected: impl IntoEvents<A>) -> Self {
        let mut events = Events::<A>::new();
        expected.into_events(&mut events);
        let expected = describe(&encode(&events));
        match &self.outcome {
            Ok(events) => compare("other events than expected", &expected, &describe(events)),
            Err(error) => {
                panic!("expected events, but the command was refused: {error}\n{expected}")
            }
        }
        self
    }

    /// The command was accepted and changed nothing.
    ///
    /// # Panics
    /// When it led to events or was refused.
    #[track_caller]
    pub fn then_nothing(self) -> Self {
        match &self.outcome {
            Ok(events) if events.is_empty() => self,
            Ok(events) => panic!("expected no event, but there are:\n{}", describe(events)),
            Err(error) => panic!("expected no event, but the command was refused: {error}"),
        }
    }

    /// The command was refused by the domain with this error.
    ///
    /// # Panics
    /// When it was accepted, or refused with another error.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "`then_error(TooMuch)` reads best")]
    pub fn then_error(self, expected: E) -> Self
    where
        E: PartialEq + Debug,
    {
        match &self.outcome {
            Err(ExecuteError::Rejected(error)) if *error == expected => self,
            Err(ExecuteError::Rejected(error)) => {
                compare("another error than expected", &pretty(&expected), &pretty(error));
                panic!("the errors print the same but are not equal: {error:?}")
            }
            Err(error) => panic!("expected {expected:?}, but it was not the domain: {error}"),
            Ok(events) if events.is_empty() => {
                panic!("expected {expected:?}, but the command was accepted and changed nothing")
            }
            Ok(events) => panic!(
                "expected {expected:?}, but the command was accepted and led to:\n{}",
                describe(events)
            ),
        }
    }

    /// The command creates an instance and was refused because that exists.
    ///
    /// # Panics
    /// When something else came of it.
    #[track_caller]
    pub fn then_already_exists(self) -> Self {
        match &self.outcome {
            Err(ExecuteError::AlreadyExists { .. }) => self,
            Err(error) => panic!("expected that the instance exists already, but: {error}"),
            Ok(events) => panic!(
                "expected that the instance exists already, but the command led to:\n{}",
                describe(events)
            ),
        }
    }

    /// The state after the command is this. A refused command leaves it as it was.
    ///
    /// # Panics
    /// When it is another; the message shows the difference.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "`then_state(Account { .. })` reads best")]
    pub fn then_state(self, expected: A) -> Self
    where
        A: PartialEq + Debug,
    {
        if self.loaded.state != expected {
            let (expected, actual) = (pretty(&expected), pretty(&self.loaded.state));
            compare("another state than expected", &expected, &actual);
            panic!("the states print the same but are not equal: {actual}");
        }
        self
    }

    /// The state after the command, to be looked at.
    pub fn state(&self) -> &A {
        &self.loaded.state
    }

    /// The version of the instance after the command.
    pub fn version(&self) -> Version {
        self.loaded.version
    }
}

/// Writes the events as a store would get them, reads them back and applies them.
#[track_caller]
fn apply_as_stored<A: Aggregate>(loaded: &mut Loaded<A>, events: &Events<A>) {
    let stream = stream_of::<A>(StreamId::new(A::NAME, "test"));
    for event in encode(events) {
        let version = loaded.version.next();
        let recorded = Recorded {
            position: Position::new(version.get()),
            stream: stream.borrowed(),
            version,
            event_id: event.id,
            name: &event.name,
            schema_version: event.schema_version,
            payload: Payload::Bytes(&event.payload),
            tags: event.tags.as_slice(),
            recorded_at: TEST_TIME,
            occurred_at: event.occurred_at,
            metadata: &event.metadata,
        };
        match A::Event::decode(&recorded) {
            Ok(decoded) => {
                decoded.as_slice().iter().for_each(|event| loaded.state.apply_event(event));
            }
            Err(error) => panic!("an event does not come back from the store: {error}"),
        }
        loaded.version = version;
    }
}

#[track_caller]
fn encode<A: Aggregate>(events: &Events<A>) -> Vec<NewEvent> {
    let mut buffer = Vec::new();
    let encode = |event: &A::Event| match event.encode(&mut buffer) {
        Ok(encoded) => NewEvent::new(EventId::from_uuid(uuid::Uuid::nil()), encoded),
        Err(error) => panic!("{error}"),
    };
    events.as_slice().iter().map(encode).collect()
}

#[track_caller]
fn stream_of<A: Aggregate>(stream: Result<StreamId, crate::InvalidStreamId>) -> StreamId {
    match stream {
        Ok(stream) => stream,
        Err(error) => panic!("an id of `{}` names no stream: {error}", A::NAME),
    }
}

/// Events as text that can be compared line by line.
fn describe(events: &[NewEvent]) -> String {
    let mut text = String::new();
    for event in events {
        let _ = writeln!(text, "{} (schema version {})", event.name, event.schema_version);
        let payload = serde_json::from_slice(&event.payload)
            .and_then(|value: serde_json::Value| serde_json::to_string_pretty(&value))
            .unwrap_or_else(|_| format!("{:?}", event.payload));
        for line in payload.lines() {
            let _ = writeln!(text, "    {line}");
        }
        for tag in event.tags.as_slice() {
            let _ = writeln!(text, "    tag {tag}");
        }
    }
    if text.is_empty() { "no event\n".to_owned() } else { text }
}

fn pretty(value: &impl Debug) -> String {
    format!("{value:#?}\n")
}

#[track_caller]
fn compare(what: &str, expected: &str, actual: &str) {
    if expected == actual {
        return;
    }
    let mut difference = String::new();
    for change in similar::TextDiff::from_lines(expected, actual).iter_all_changes() {
        let sign = match change.tag() {
            similar::ChangeTag::Delete => '-',
            similar::ChangeTag::Insert => '+',
            similar::ChangeTag::Equal => ' ',
        };
        let _ = write!(difference, "{sign} {change}");
    }
    panic!("{what} (- expected, + actual):\n{difference}");
}
