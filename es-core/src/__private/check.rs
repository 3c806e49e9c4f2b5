//! Checks that need the constants of other types, evaluated while the user's crate compiles.
//!
//! A check ends in a panic whose text is the compiler's message, with the caret on the token that
//! the derive gave the call.

use crate::event::EventType;

/// Refuses the event at `index` if one before it in the list has the same stored name.
///
/// `listed` are the events as they are written in the list.
#[track_caller]
#[expect(clippy::panic, reason = "while the user's crate compiles, a panic is a message")]
pub const fn stored_name_is_unique(events: &[EventType], listed: &[&str], index: usize) {
    let name = events[index].name.as_bytes();
    let mut before = 0;
    while before < index {
        if same(events[before].name.as_bytes(), name) {
            let message = Message::new()
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

/// Compares from the end, because stored names share their beginnings.
const fn same(one: &[u8], other: &[u8]) -> bool {
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
