//! The test kit: what passes, and what a test that fails says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use es_core::prelude::*;
use es_core::testing::{TEST_TIME, given};
use es_tests::counter::{
    Counter, CounterError, CounterEvent, Create, LowerByOnes, Lowered, Raise, Raised,
};

/// What a failing test prints.
fn failure(test: impl FnOnce()) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(test)) else { panic!("the test passed") };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().unwrap().to_string(),
    }
}

#[test]
fn histories_and_expectations_are_written_as_one_likes() {
    given::<Counter>([]).when(Raise { counter: 1, by: 2 }).then_events(Raised { by: 2 });
    given::<Counter>(()).when(Raise { counter: 1, by: 0 }).then_nothing();
    given::<Counter>(Raised { by: 2 })
        .when(LowerByOnes { counter: 1, by: 2 })
        .then_events((Lowered { by: 1 }, Lowered { by: 1 }))
        .then_state(Counter { value: 0 });
    given::<Counter>([Raised { by: 2 }.into(), Lowered { by: 1 }.into()])
        .when(LowerByOnes { counter: 1, by: 2 })
        .then_error(CounterError::TooLow(1))
        .then_state(Counter { value: 1 });
    given::<Counter>(vec![CounterEvent::from(Raised { by: 1 })])
        .when(Create { counter: 1 })
        .then_already_exists();
    let then = given::<Counter>(Raised { by: 3 }).when(Raise { counter: 1, by: 4 });
    assert_eq!((then.state().value, then.version()), (7, Version::new(2)));
}

#[test]
fn other_events_than_expected_are_shown_as_a_difference() {
    let text = failure(|| {
        given::<Counter>(())
            .when(Raise { counter: 1, by: 2 })
            .then_events((Raised { by: 3 }, Lowered { by: 1 }));
    });
    assert_eq!(
        text,
        "other events than expected (- expected, + actual):\n\
         \u{20} counter.raised (schema version 1)\n\
         \u{20}     {\n\
         -       \"by\": 3\n\
         -     }\n\
         - counter.lowered (schema version 1)\n\
         -     {\n\
         -       \"by\": 1\n\
         +       \"by\": 2\n\
         \u{20}     }\n"
    );
}

#[test]
fn a_refusal_where_events_were_expected_says_what_was_refused() {
    let text = failure(|| {
        given::<Counter>(()).when(LowerByOnes { counter: 1, by: 1 }).then_events(Lowered { by: 1 });
    });
    assert!(
        text.starts_with(
            "expected events, but the command was refused: the counter stands at 0, which is too low"
        ),
        "{text}"
    );
    assert!(text.contains("counter.lowered"), "{text}");
}

#[test]
fn events_where_a_refusal_was_expected_are_shown() {
    let text = failure(|| {
        given::<Counter>(()).when(Raise { counter: 1, by: 2 }).then_error(CounterError::TooHigh);
    });
    assert!(
        text.starts_with("expected TooHigh, but the command was accepted and led to:"),
        "{text}"
    );
    assert!(text.contains("\"by\": 2"), "{text}");
}

#[test]
fn another_error_another_state_and_an_unexpected_event_are_told_apart() {
    let lower = || given::<Counter>(()).when(LowerByOnes { counter: 1, by: 1 });
    let text = failure(|| drop(lower().then_error(CounterError::TooLow(7))));
    assert!(text.contains("-     7,\n+     0,"), "{text}");
    let text = failure(|| drop(lower().then_nothing()));
    assert!(text.starts_with("expected no event, but the command was refused"), "{text}");
    let raise = || given::<Counter>(()).when(Raise { counter: 1, by: 2 });
    let text = failure(|| drop(raise().then_state(Counter { value: 3 })));
    assert!(text.contains("-     value: 3,\n+     value: 2,"), "{text}");
    let text = failure(|| drop(raise().then_nothing()));
    assert!(text.starts_with("expected no event, but there are:\ncounter.raised"), "{text}");
    let text = failure(|| drop(raise().then_already_exists()));
    assert!(text.starts_with("expected that the instance exists already"), "{text}");
}

/// An event that is written as another than it is read.
#[derive(Event, Debug)]
#[event(name = "ticket.drawn")]
struct Drawn {
    number: u32,
}

impl Serialize for Drawn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("not what is read")
    }
}

impl<'de> Deserialize<'de> for Drawn {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        u32::deserialize(reader).map(|number| Self { number })
    }
}

#[derive(Aggregate, Default)]
#[aggregate(name = "ticket", id = u64, events(Drawn), register = false)]
struct Ticket {
    number: u32,
}

impl Apply<Drawn> for Ticket {
    fn apply(&mut self, event: &Drawn) {
        self.number = event.number;
    }
}

#[test]
fn an_event_that_does_not_come_back_as_it_went_in_is_noticed() {
    let text = failure(|| drop(given::<Ticket>(Drawn { number: 1 })));
    assert!(
        text.starts_with("an event does not come back from the store: event `ticket.drawn`"),
        "{text}"
    );
}

/// What a decision learns of the world outside.
#[derive(Event, Serialize, Deserialize, Debug)]
#[event(name = "seen")]
struct Seen {
    now: String,
    actor: Option<String>,
    command_id: Option<String>,
    ids: Vec<String>,
    rate: u64,
    version: u64,
}

#[derive(Aggregate, Default)]
#[aggregate(name = "witness", id = u64, events(Seen), register = false)]
struct Witness {}

impl Apply<Seen> for Witness {
    fn apply(&mut self, _: &Seen) {}
}

#[derive(Command)]
#[command(aggregate = Witness)]
struct Look {
    #[command(id)]
    witness: u64,
}

struct Rate(u64);

impl Handle<Look> for Witness {
    type Error = es_core::MissingService;

    fn handle(&self, _: &Look, context: &Context) -> Result<impl IntoEvents<Self>, Self::Error> {
        let Rate(rate) = context.service()?;
        Ok(Seen {
            now: context.now().to_string(),
            actor: context.actor().map(ToOwned::to_owned),
            command_id: context.command_id().map(|id| id.to_string()),
            ids: (0..2).map(|_| context.new_id().to_string()).collect(),
            rate: *rate,
            version: context.version().get(),
        })
    }
}

#[test]
fn clock_ids_actor_and_services_are_those_of_the_test() {
    let id = CommandId::from_name("look");
    let expected = |now: &str, actor: Option<&str>, command_id: Option<CommandId>| Seen {
        now: now.to_owned(),
        actor: actor.map(ToOwned::to_owned),
        command_id: command_id.map(|id| id.to_string()),
        ids: (1..3).map(|n| format!("00000000-0000-0000-0000-{n:012}")).collect(),
        rate: 25,
        version: 0,
    };
    given::<Witness>(()).service(Rate(25)).when(Look { witness: 1 }).then_events(expected(
        &TEST_TIME.to_string(),
        None,
        None,
    ));
    given::<Witness>(())
        .service(Rate(25))
        .at("1998-12-31T00:00:00Z".parse().unwrap())
        .actor("teller 7")
        .command_id(id)
        .when(Look { witness: 1 })
        .then_events(expected("1998-12-31T00:00:00Z", Some("teller 7"), Some(id)));
    let text = failure(|| drop(given::<Witness>(()).when(Look { witness: 1 }).then_nothing()));
    assert!(text.contains("no service `test_kit::Rate`: call `.service(...)` with one"), "{text}");
}
