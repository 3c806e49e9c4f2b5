//! Checks that need the constants of other types, evaluated while the user's crate compiles.
//!
//! A check ends in a panic whose text is the compiler's message, with the caret on the token that
//! the derive gave the call.

use crate::aggregate::Aggregate;
use crate::event::{Event, EventType};
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
        if same(other.name, event.name) {
            let message = Message::new()
                .text("duplicate event name `")
                .text(event.name)
                .text("`: stored by both `")
                .text(listed[before])
                .text("` and `")
                .text(listed[index])
                .text("`; give one of them another `#[event(name = \"...\")]`");
            panic!("{}", message.as_str());
        }
        if let Some(alias) = shared_alias(other, event) {
            let message = Message::new()
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
    let mut index = 0;
    while index < one.aliases.len() {
        if is_name_of(one.aliases[index], other) {
            return Some(one.aliases[index]);
        }
        index += 1;
    }
    let mut index = 0;
    while index < other.aliases.len() {
        if is_name_of(other.aliases[index], one) {
            return Some(other.aliases[index]);
        }
        index += 1;
    }
    None
}

/// Whether events are or were stored under the name.
const fn is_name_of(name: &str, event: &EventType) -> bool {
    same(name, event.name) || contains(event.aliases, name)
}

const fn contains(names: &[&str], name: &str) -> bool {
    let mut index = 0;
    while index < names.len() {
        if same(names[index], name) {
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
            let message = Message::new()
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

/// Refuses the event at `index` if a step splits it into one that the list does not have.
#[track_caller]
#[expect(clippy::panic, reason = "while the user's crate compiles, a panic is a message")]
pub const fn parts_are_listed(events: &[EventType], listed: &[&str], index: usize) {
    if let Some(part) = unlisted_part(events, index) {
        let message = Message::new()
            .text("stored events of `")
            .text(listed[index])
            .text("` are split into `")
            .text(part)
            .text("`, which the aggregate does not list; add that event to `events(...)`");
        panic!("{}", message.as_str());
    }
}

/// Refuses an aggregate whose set of events lacks one that a step splits an event into.
#[track_caller]
#[expect(clippy::panic, reason = "while the user's crate compiles, a panic is a message")]
pub const fn all_parts_are_listed<A: Aggregate>() {
    let events = <A::Event as EventSet>::EVENTS;
    let mut index = 0;
    while index < events.len() {
        if let Some(part) = unlisted_part(events, index) {
            let message = Message::new()
                .text("stored events of `")
                .text(events[index].name)
                .text("` are split into `")
                .text(part)
                .text("`, which the aggregate's events do not have; add a variant for that event");
            panic!("{}", message.as_str());
        }
        index += 1;
    }
}

const fn unlisted_part(events: &[EventType], index: usize) -> Option<&'static str> {
    let steps = events[index].upcasts.steps;
    let mut step = 0;
    while step < steps.len() {
        if let StepKind::Split { into, .. } = &steps[step].kind {
            let mut part = 0;
            while part < into.len() {
                let mut event = 0;
                while event < events.len() && !same(into[part], events[event].name) {
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
    if same(Source::NAME, Target::NAME) {
        return;
    }
    let mut index = 0;
    while index < Target::SPLIT_FROM.len() {
        if same(Target::SPLIT_FROM[index].name, Source::NAME) {
            return;
        }
        index += 1;
    }
    let message = Message::new()
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

/// Compares from the end, because stored names share their beginnings.
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut rest = one.len();
    while rest > 0 {
        rest -= 1;
        if one[rest] != other[rest] {
            return false;
        }
    }
    true
}

/// A sentence that is put together while compiling.
struct Message {
    bytes: [u8; Self::LIMIT],
    length: usize,
}

impl Message {
    const LIMIT: usize = 1024;

    const fn new() -> Self {
        Self { bytes: [0; Self::LIMIT], length: 0 }
    }

    /// Adds text; what does not fit is cut between two characters.
    const fn text(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut fitting = bytes.len();
        if fitting > Self::LIMIT - self.length {
            fitting = Self::LIMIT - self.length;
            while !text.is_char_boundary(fitting) {
                fitting -= 1;
            }
        }
        let mut index = 0;
        while index < fitting {
            self.bytes[self.length] = bytes[index];
            self.length += 1;
            index += 1;
        }
        self
    }

    const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "two things that must differ are the same",
        }
    }
}
