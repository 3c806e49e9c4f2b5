//! `events.lock` as text: one line for each fact, sorted, so that a change is read in review.
//!
//! ```text
//! account reads account.deposited
//! account.deposited 2 struct
//! account.deposited 2 .amount u64
//! account.deposited 2 .purpose optional enum (default, omittable)
//! account.deposited 2 .purpose:pension unit
//! account.deposited 2 payload 1 is {"amount":7,"purpose":"pension"}
//! account.deposited 2 payload 1 becomes 1.1 account.deposited 3 {"amount":7,"currency":"CZK"}
//! ```

mod draft;
mod error;
mod parse;
mod print;

pub use self::error::{LockError, LockProblem};

/// The format that this crate reads and writes.
const FORMAT: &str = "1";

/// What payloads begin with that are no text of one line.
const HEXADECIMAL: &str = "hex:";
