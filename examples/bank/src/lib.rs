//! A bank on real data.
//!
//! Thirty accounts of a Czech bank from 1993 to 1998 are imported as commands; every row of the
//! bank's own books states the balance that must come out. Read it in this order:
//!
//! - [`account`]: the domain. Events, commands, rules; nothing about storage.
//! - [`projections`]: read models over all accounts.
//! - [`movements`]: the bank's file, checked before use.
//! - [`import`]: rows become commands that can be sent again safely.
//! - [`report`]: what is printed.
//! - [`archiving`]: old events in files of their own.
//! - [`command_line`] and [`program`]: what a user types, and what happens then.

pub mod account;
pub mod archiving;
pub mod command_line;
pub mod import;
pub mod movements;
pub mod program;
pub mod projections;
pub mod report;

use es_core::jiff::Timestamp;
use es_core::jiff::civil::Date;
use es_core::jiff::tz::TimeZone;

/// The day that a moment belongs to in the bank's books, which know no hours: that of UTC.
pub fn business_day(moment: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(moment).date()
}

/// The first moment of a day of the bank's books.
pub fn start_of_business_day(day: Date) -> Timestamp {
    // The first day there is begins before the first moment there is.
    TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(Timestamp::MIN)
}

/// The last moment of a day of the bank's books.
pub fn end_of_business_day(day: Date) -> Timestamp {
    let last = day.at(23, 59, 59, 999_999_999);
    // The last day there is ends after the last moment there is.
    TimeZone::UTC.to_timestamp(last).unwrap_or(Timestamp::MAX)
}
// Compares the events with `events.lock`: what was released must still be read.
es_core::lock_test!();
