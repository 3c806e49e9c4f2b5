//! Checks that need the constants of other types, evaluated while the user's crate compiles.
//!
//! A check ends in a panic whose text is the compiler's message, with the caret on the token that
//! the derive gave the call.

use es_lock::{Difference, Shape, Text, difference, difference_of_flattened, is_same};

use crate::aggregate::Aggregate;
use crate::event::{Event, EventType};
use crate::event_data::EventData;
use crate::event_set::EventSet;
use crate::upcast::StepKind;

/// Refuses the event at `index` if one before it in the list was ever stored under the same name.
///
/// `listed` are the events as they are written in the list.
#[track_caller]
#[expect(clippy::panic, reason = "while the user's crate compiles, a panic is a message")]
pub const fn stored_name_is_unique(events: &[EventType], listed: &[&str], index: usize) {
    let event = &events[index];
    let mut before = 0;
    while before < index {
        let other = &events[before];
        if is_same(other.name, event.name) {
            let message = Text::new()
                .text("duplicate event name `")
                .text(event.name)
                .text("`: stored by both `")
                .text(listed[before])
                .text("` and `")
                .text(listed[index])
                .text("`; give one of them another `#[event(name = \"...\")]`, or list it once if both are one event");
            panic!("{}", message.as_str());
        }
        // Most events have no aliases, and a call would cost each pair of them.
        if let ([], []) = (other.history.aliases, event.history.aliases) {
            before += 1;
            continue;
        }
        if let Some(alias) = shared_alias(other, event) {
            let message = Text::new()
                .text("alias `")
                .text(alias)
                .text("` is a name of both `")
                .text(listed[before])
                .text("` and `")
                .text(listed[index])
                .text("`; a stored event can only be one of them: remove one `#[event(alias = \"...\")]`");
            panic!("{}", message.as_str());
        }
        before += 1;
    }
}

/// A name that is an alias of the one and a name or an alias of the other.
const fn shared_alias(one: &EventType, other: &EventType) -> Option<&'static str> {
    let (ones, others) = (one.history.aliases, other.history.aliases);
    let mut index = 0;
    while index < ones.len() {
        if is_name_of(ones[index], other) {
            return Some(ones[index]);
        }
        index += 1;
    }
    let mut index = 0;
    while index < others.len() {
        if is_name_of(others[index], one) {
            return Some(others[index]);
        }
        index += 1;
    }
    None
}

/// Whether events are or were stored under the name.
const fn is_name_of(name: &str, event: &EventType) -> bool {
    is_same(name, event.name) || contains(event.history.aliases, name)
}

const fn contains(names: &[&str], name: &str) -> bool {
    let mut index = 0;
    while index < names.len() {
        if is_same(names[index], name) {
            return true;
        }
        index += 1;
    }
    false
}

/// Refuses a retired name that an event of the list still has.
#[track_caller]
#[expect(clippy::panic, reason = "while the user's crate compiles, a panic is a message")]
pub const fn retired_name_is_gone(events: &[EventType], listed: &[&str], name: &str) {
    let mut index = 0;
    while index < events.len() {
        if is_name_of(name, &events[index]) {
            let message = Text::new()
                .text("`")
                .text(name)
                .text("` is retired, but `")
                .text(listed[index])
                .text("` is stored under that name; remove the event from the list, or the name from `retired(...)`");
            panic!("{}", message.as_str());
        }
        index += 1;
    }
}

/// Refuses an aggregate that does not read what its streams may hold. `names` are those of released
/// events.
#[track_caller]
#[expect(clippy::panic, reason = "while the user's crate compiles, a panic is a message")]
pub const fn released_events_are_read<A: Aggregate>(names: &[&str]) {
    let mut rest = names;
    while let [name, others @ ..] = rest {
        rest = others;
        if !is_read::<A>(name) {
            let message = Text::new()
                .text("aggregate `")
                .text(A::NAME)
                .text("` does not read `")
                .text(name)
                .text("`, which its streams may hold; list the event that is stored under this name, or write `retired(\"")
                .text(name)
                .text("\")` if it means nothing any more");
            panic!("{}", message.as_str());
        }
    }
}

const fn is_read<A: Aggregate>(name: &str) -> bool {
    let mut events = <A::Event as EventSet>::EVENTS;
    while let [event, others @ ..] = events {
        if is_name_of(name, event) {
            return true;
        }
        events = others;
    }
    contains(<A::Event as EventSet>::RETIRED, name)
}

/// Refuses an aggregate that does not list an event into which a step splits one that it lists.
#[track_caller]
#[expect(clippy::panic, reason = "while the user's crate compiles, a panic is a message")]
pub const fn all_parts_are_listed<A: Aggregate>() {
    let events = <A::Event as EventSet>::EVENTS;
    let mut rest = events;
    while let [event, others @ ..] = rest {
        rest = others;
        // Most events have no steps, and a call would cost each of them.
        if event.history.upcasts.steps.is_empty() {
            continue;
        }
        if let Some(part) = unlisted_part(events, event) {
            let message = Text::new()
                .text("stored events `")
                .text(event.name)
                .text("` are split into `")
                .text(part)
                .text("`, which the aggregate does not list; add that event to its events");
            panic!("{}", message.as_str());
        }
    }
}

const fn unlisted_part(events: &[EventType], event: &EventType) -> Option<&'static str> {
    let steps = event.history.upcasts.steps;
    let mut step = 0;
    while step < steps.len() {
        if let StepKind::Split { into, .. } = &steps[step].kind {
            let mut part = 0;
            while part < into.len() {
                let mut event = 0;
                while event < events.len() && !is_same(into[part], events[event].name) {
                    event += 1;
                }
                if event == events.len() {
                    return Some(into[part]);
                }
                part += 1;
            }
        }
        step += 1;
    }
    None
}

/// Refuses a split into an event that does not name the source: who reads only that event would
/// miss what the old events become.
#[track_caller]
#[expect(clippy::panic, reason = "while the user's crate compiles, a panic is a message")]
pub const fn split_is_known_by<Source: Event, Target: Event>(source: &str, target: &str) {
    if is_same(Source::NAME, Target::NAME) {
        return;
    }
    let mut index = 0;
    while index < Target::HISTORY.split_from.len() {
        if is_same(Target::HISTORY.split_from[index].name, Source::NAME) {
            return;
        }
        index += 1;
    }
    let message = Text::new()
        .text("`")
        .text(target)
        .text("` does not know that stored events of `")
        .text(source)
        .text("` become one of it, so its readers would miss them; write `split_from(")
        .text(source)
        .text(")` in the `#[event(...)]` of `")
        .text(target)
        .text("`");
    panic!("{}", message.as_str());
}

/// What is said where a field differs from its release.
pub struct Released {
    /// The stored name of the event.
    pub event: &'static str,
    /// The released version.
    pub version: u32,
    /// The version of the struct.
    pub newest: u32,
    /// Whether there are steps between the two.
    pub by_steps: bool,
    /// Whether no change at all is read: the codec writes no names, or another field takes what is new.
    pub strict: bool,
    /// Whether the field is flattened.
    pub flattened: bool,
    /// The name of the field, or nothing for a newtype.
    pub field: &'static str,
}

/// Refuses a type that does not read what was released.
#[track_caller]
#[expect(clippy::panic, reason = "while the user's crate compiles, a panic is a message")]
pub const fn field_is_released<T: EventData>(locked: &Shape, released: &Released) {
    let now = const { &T::SHAPE };
    let mut index = 0;
    while let Some(difference) = nth(locked, now, released, index) {
        if difference.is_refused(released.strict) {
            let message = changed(&difference, released);
            panic!("{}", message.as_str());
        }
        index += 1;
    }
}

const fn nth<'a>(
    locked: &'a Shape,
    now: &'a Shape,
    released: &Released,
    index: usize,
) -> Option<Difference<'a>> {
    if released.flattened {
        difference_of_flattened(locked, now, released.field, index)
    } else {
        difference(locked, now, released.field, index)
    }
}

const fn changed(difference: &Difference<'_>, released: &Released) -> Text {
    let Released { event, version, newest, by_steps, .. } = *released;
    if by_steps {
        let message = Text::new().text("version ").number(version as u64);
        let message = message.text(" of released event `").text(event).text("` can not be read: ");
        let message = difference.describe(message, "what the steps make of it");
        let message = step(difference, released, message.text("\nhelp: add `"));
        message.text("` to `#[upcast(from = ").number(newest as u64 - 1).text(", ...)]`")
    } else {
        let message = Text::new().text("released event `").text(event).text("` has changed: ");
        let locked = Text::new().text("version ").number(version as u64);
        let message = difference.describe(message, locked.as_str());
        let message = message.text("\nhelp: write `version = ").number(newest as u64 + 1);
        let message = message.text("` and `#[upcast(from = ").number(newest as u64).text(", ");
        step(difference, released, message).text(")]`")
    }
}

/// The step to write. None but a function reaches by its path what is stored beside the field.
const fn step(difference: &Difference<'_>, released: &Released, message: Text) -> Text {
    if released.flattened {
        message.text("with = path::to::function")
    } else {
        difference.step(message)
    }
}

/// Asks a type for its shape.
pub const fn shape_is_said<T: EventData>() {
    let _ = const { &T::SHAPE };
}
