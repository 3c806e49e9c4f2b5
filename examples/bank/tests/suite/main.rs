//! The bank against its own books, and as its users see it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

mod account_rules;
mod archiving;
mod bad_input;
mod books;
mod command_line;
mod durable;
mod earlier_years;
mod importing;
mod killed;
mod moving;
mod oracle;
mod past;
mod projections;
mod sqlite;
