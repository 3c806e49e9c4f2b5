//! `events.lock`: what has been released, and how today's events differ from it.
//!
//! Events are kept for years while their structs change. The lock is a text file beside the
//! `Cargo.toml` of the crate that declares the events. It holds the shape of each event in each
//! version that was ever released, payloads of it, and which events each aggregate reads. With it
//!
//! - the derive refuses a struct that does not read what was released, at the field that changed,
//!   with the version and the step to write;
//! - the test that [`lock_test!`](crate::lock_test) writes sends every recorded payload through
//!   today's steps and compares the outcome with what it was before.
//!
//! Without the file nothing is checked and nothing is generated. To begin, and after each change that
//! is to be released, run
//!
//! ```sh
//! ES_LOCK=update cargo test
//! ```
//!
//! which adds to the file and never changes what is in it. Format, workflow and limits stand in
//! `docs/events-lock.md`.

mod contains;
mod finding;
mod locked_aggregate;
mod locked_event;
mod payloads;
mod reads;
mod replay;
mod sample;
mod session;

pub use es_lock::{
    Change, Compatibility, Difference, Entry, EntryKey, Field, Lock, LockError, LockProblem, Name,
    Outcome, Sample, Scalar, Shape, Tagging, Text, Variant, difference, differences,
};

pub use self::finding::{Finding, Verdict, diff};
#[doc(hidden)]
pub use self::locked_aggregate::LockedAggregate;
pub use self::locked_event::LockedEvent;
#[doc(hidden)]
pub use self::session::run;
pub use self::session::{LockFailure, Mode, Report};

/// Writes the test that compares the crate's events with `events.lock`, and adds to that file when
/// the variable `ES_LOCK` says `update`.
///
/// Write it once, in the root of the crate that declares the events:
///
/// ```
/// es_core::lock_test!();
/// ```
///
/// The test is called `events_lock`. It fails while there is no `events.lock`, when an event is not
/// in it, when one that is in it can not be read any more, and when a recorded payload becomes
/// something else than it became before.
#[macro_export]
macro_rules! lock_test {
    () => {
        #[cfg(test)]
        #[test]
        fn events_lock() {
            $crate::__private::lock_test(::core::env!("CARGO_MANIFEST_DIR"));
        }
    };
}
