//! Checks that need the constants of other types, evaluated while the user's crate compiles.
//!
//! A check ends in a panic whose text is the compiler's message, with the caret on the token that
//! the derive gave the call.

use es_lock::{Difference, Shape, Text, difference, is_same};

use crate::event::EventType;
use crate::event_data::EventData;

/// Refuses the event at `index` if one before it in the list has the same stored name.
///
/// `listed` are the events as they are written in the list.
#[track_caller]
#[expect(clippy::panic, reason = "while the user's crate compiles, a panic is a message")]
pub const fn stored_name_is_unique(events: &[EventType], listed: &[&str], index: usize) {
    let name = events[index].name;
    let mut before = 0;
    while before < index {
        if is_same(events[before].name, name) {
            let message = Text::new()
                .text("duplicate event name `")
                .text(events[index].name())
                .text("`: stored by both `")
                .text(listed[before])
                .text("` and `")
                .text(listed[index])
                .text("`; give one of them another `#[event(name = \"...\")]`");
            panic!("{}", message.as_str());
        }
        before += 1;
    }
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
    /// Whether no change at all is read, because the codec writes no names.
    pub strict: bool,
    /// The name of the field, or nothing for a newtype.
    pub field: &'static str,
}

/// Refuses a type that does not read what was released.
#[track_caller]
#[expect(clippy::panic, reason = "while the user's crate compiles, a panic is a message")]
pub const fn field_is_released<T: EventData>(locked: &Shape, released: &Released) {
    let now = const { &T::SHAPE };
    let mut index = 0;
    while let Some(difference) = difference(locked, now, released.field, index) {
        if released.strict || !difference.is_compatible() {
            let message = changed(&difference, released);
            panic!("{}", message.as_str());
        }
        index += 1;
    }
}

const fn changed(difference: &Difference<'_>, released: &Released) -> Text {
    let Released { event, version, newest, by_steps, .. } = *released;
    if by_steps {
        let message = Text::new().text("version ").number(version as u64);
        let message = message.text(" of released event `").text(event).text("` can not be read: ");
        let message = difference.describe(message, "what the steps make of it");
        let message = difference.step(message.text("\nhelp: add `"));
        message.text("` to `#[upcast(from = ").number(newest as u64 - 1).text(", ...)]`")
    } else {
        let message = Text::new().text("released event `").text(event).text("` has changed: ");
        let locked = Text::new().text("version ").number(version as u64);
        let message = difference.describe(message, locked.as_str());
        let message = message.text("\nhelp: write `version = ").number(newest as u64 + 1);
        let message = message.text("` and `#[upcast(from = ").number(newest as u64).text(", ");
        difference.step(message).text(")]`")
    }
}

/// Asks a type for its shape.
pub const fn shape_is_said<T: EventData>() {
    let _ = const { &T::SHAPE };
}
