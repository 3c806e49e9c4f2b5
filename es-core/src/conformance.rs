//! The conformance suite: holds a store to the contracts of the ports, rule by rule.
//!
//! A store author declares what the store can do, and gets a named test for every check:
//!
//! ```
//! # // Stands for the file `tests/conformance.rs` of the store's crate.
//! # use es_memory_store::MemoryStore;
//! es_core::conformance::store_tests!(
//!     || async { MemoryStore::new() } => EventStore, ConditionalAppend, StateStore
//! );
//! # fn main() {}
//! ```
//!
//! `cargo test` then says `event_store::append::versions_count_up_from_one_in_each_stream ... ok`, and
//! so on. A check that fails names the [`Rule`] in the words of the port's documentation, what was
//! expected and what the store did.
//!
//! # Capabilities
//!
//! | capability | asks of the store | checks |
//! |---|---|---|
//! | `EventStore` | [`EventStore`] | appending, retries, chains, reading, queries, order, content, waiting, races, histories |
//! | `ConditionalAppend` | [`ConditionalAppend`] | conditions, their races, histories with conditions |
//! | `StreamRemoval` | [`StreamRemoval`] and `ConditionalAppend` | removing the first events of streams, and putting them back |
//! | `StateStore` | [`StateStore`] | records, lists, leases, their races |
//! | `DurableEventStore` | `EventStore`, and of the fixture [`Reopen`] | all is there after the store was opened again |
//! | `DurableStateStore` | `StateStore`, and of the fixture [`Reopen`] | likewise |
//!
//! What is asked for and not there does not compile. What is there and not asked for is a test that
//! fails: `every_capability_is_declared`. So no check is ever skipped.
//!
//! # What it can not know
//! It calls a store and does not cut its power or alter its files. That an answer comes after the data is
//! on disk (rule 6), and that damage is an error (rule 11), is shown by tests of the store's own.
//!
//! # Checks as values
//! [`event_store`], [`conditional_append`], [`stream_removal`], [`state_store`], [`durable_event_store`]
//! and [`durable_state_store`] list the same checks as values, for a harness of one's own.

mod append;
mod chains;
mod check;
mod condition_histories;
mod condition_races;
mod conditions;
mod content;
mod failure;
mod fixture;
mod histories;
mod history;
mod immediate;
mod lists;
mod news;
mod order;
mod queries;
mod races;
mod reading;
mod record_races;
mod records;
mod removals;
mod reopened_events;
mod reopened_records;
mod retry;
mod rule;
mod sample;
mod subject;
mod tests_macro;

use crate::conformance::check::list_checks;
use crate::store::{ConditionalAppend, EventStore, StateStore, StreamRemoval};

pub use self::check::Check;
pub use self::failure::{Breach, Failure};
pub use self::fixture::{Fixture, Reopen};
pub use self::rule::{Contract, Rule};
#[doc(hidden)]
pub use self::tests_macro::{
    Capabilities, NotConditional, NotEventStore, NotRemovable, NotReopen, NotStateStore, test,
};
#[doc(inline)]
pub use crate::store_tests;

/// The checks of an event store.
pub fn event_store<F: Fixture<Store: EventStore>>() -> Vec<Check<F>> {
    crate::__event_store_checks!(list_checks! Log event_store)
}

/// The checks of a store with append conditions.
pub fn conditional_append<F: Fixture<Store: ConditionalAppend>>() -> Vec<Check<F>> {
    crate::__conditional_append_checks!(list_checks! Conditions conditional_append)
}

/// The checks of a store that can let go of old events.
pub fn stream_removal<F>() -> Vec<Check<F>>
where
    F: Fixture<Store: StreamRemoval + ConditionalAppend>,
{
    crate::__stream_removal_checks!(list_checks! Removals stream_removal)
}

/// The checks of a state store.
pub fn state_store<F: Fixture<Store: StateStore>>() -> Vec<Check<F>> {
    crate::__state_store_checks!(list_checks! Records state_store)
}

/// The checks of an event store that can be opened again.
pub fn durable_event_store<F: Reopen<Store: EventStore>>() -> Vec<Check<F>> {
    crate::__durable_event_store_checks!(list_checks! Log durable_event_store)
}

/// The checks of a state store that can be opened again.
pub fn durable_state_store<F: Reopen<Store: StateStore>>() -> Vec<Check<F>> {
    crate::__durable_state_store_checks!(list_checks! Records durable_state_store)
}
