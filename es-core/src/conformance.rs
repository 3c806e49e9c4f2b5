//! The conformance suite: holds a store to the contracts of the ports, rule by rule.
//!
//! A store author declares what the store can do, and gets a named test for every check:
//!
//! ```
//! # // Stands for the file `tests/conformance.rs` of the store's crate.
//! # use es_memory_store::MemoryStore;
//! es_core::conformance::store_tests!(
//!     || async { MemoryStore::new() } =>
//!     EventStore, ConditionalAppend, StateStore, RecordedAppend, ProjectionStore
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
//! | `RecordedAppend` | [`RecordedAppend`] | copies: times, versions, retries, their races |
//! | `ProjectionStore` | [`ProjectionStore`] | commits of several records, identity and opening, their races |
//! | `ProjectionRows` | `ProjectionStore` whose `Rows` are not [`NoRows`], and of the fixture [`RowFixture`] | rows written with records, generations |
//! | `InlineStore` | [`InlineStore`] | steps of inline projections: each way of appending, refusals, what is read and told, enlisting |
//! | `InlineConditionalAppend`, `InlineRecordedAppend` | `InlineStore`, and the port of that name | steps of what is appended that way |
//! | `InlineRows` | `InlineStore` whose `Rows` are [`InlineRows`], and of the fixture [`RowFixture`] | rows written in the step of an append |
//! | `FencedStore` | [`FencedStore`] | the fence: each way of appending, retries behind it, its order with appends |
//! | `FencedConditionalAppend`, `FencedRecordedAppend` | `FencedStore`, and the port of that name | the fence against what is appended that way |
//! | `DurableEventStore` | `EventStore`, and of the fixture [`Reopen`] | all is there after the store was opened again |
//! | `DurableStateStore` | `StateStore`, and of the fixture [`Reopen`] | likewise |
//! | `DurableRecordedAppend` | `RecordedAppend`, and of the fixture [`Reopen`] | likewise |
//! | `DurableProjectionStore` | `ProjectionStore`, and of the fixture [`Reopen`] | likewise |
//! | `DurableProjectionRows` | `ProjectionRows`, and of the fixture [`Reopen`] | likewise |
//! | `DurableInlineStore` | `InlineStore`, and of the fixture [`Reopen`] | likewise |
//! | `DurableFencedStore` | `FencedStore`, and of the fixture [`Reopen`] | likewise |
//!
//! What is asked for and not there does not compile. What is there and not asked for is a test that
//! fails: `every_capability_is_declared`. So no check is ever skipped.
//!
//! # What it can not know
//! It calls a store and does not cut its power or alter its files. That an answer comes after the data is
//! on disk (rule 6), and that damage is an error (rule 11), is shown by tests of the store's own.
//!
//! # Checks as values
//! [`event_store`], [`conditional_append`], [`state_store`] and so on list the same checks as values,
//! for a harness of one's own.

mod append;
mod chains;
mod check;
mod condition_histories;
mod condition_races;
mod conditions;
mod content;
mod copies;
mod copy_races;
mod failure;
mod fences;
mod fixture;
mod histories;
mod history;
mod identities;
mod immediate;
mod inline_appends;
mod inline_enlisting;
mod inline_places;
mod inline_probe;
mod inline_rows;
mod inline_steps;
mod lists;
mod news;
mod order;
mod queries;
mod races;
mod reading;
mod record_races;
mod records;
mod removals;
mod reopened_commits;
mod reopened_copies;
mod reopened_events;
mod reopened_fences;
mod reopened_inline;
mod reopened_records;
mod reopened_rows;
mod retry;
mod row_commits;
mod row_families;
mod row_work;
mod rule;
mod sample;
mod state_commit_races;
mod state_commits;
mod subject;
mod tests_macro;
mod ways;

use crate::conformance::check::list_checks;
#[cfg(doc)]
use crate::store::NoRows;
use crate::store::{
    ConditionalAppend, EventStore, FencedStore, InlineRows, InlineStore, ProjectionStore,
    RecordedAppend, StateStore, StreamRemoval,
};

pub use self::check::Check;
pub use self::failure::{Breach, Failure};
pub use self::fixture::{Fixture, Reopen, RowFixture, RowsOf};
pub use self::rule::{Contract, Rule};
#[doc(hidden)]
pub use self::tests_macro::{
    Capabilities, NotConditional, NotEventStore, NotFenced, NotFencedConditional,
    NotFencedRecorded, NotInline, NotInlineConditional, NotInlineRecorded, NotInlineRows,
    NotProjectionStore, NotRecorded, NotRemovable, NotReopen, NotStateStore, test,
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

/// The checks of a store that takes over the events of another one.
pub fn recorded_append<F: Fixture<Store: RecordedAppend>>() -> Vec<Check<F>> {
    crate::__recorded_append_checks!(list_checks! Copies recorded_append)
}

/// The checks of a store that takes over events and can be opened again.
pub fn durable_recorded_append<F: Reopen<Store: RecordedAppend>>() -> Vec<Check<F>> {
    crate::__durable_recorded_append_checks!(list_checks! Copies durable_recorded_append)
}

/// The checks of a home of projections.
pub fn projection_store<F: Fixture<Store: ProjectionStore>>() -> Vec<Check<F>> {
    crate::__projection_store_checks!(list_checks! Projections projection_store)
}

/// The checks of a home of projections that can be opened again.
pub fn durable_projection_store<F: Reopen<Store: ProjectionStore>>() -> Vec<Check<F>> {
    crate::__durable_projection_store_checks!(list_checks! Projections durable_projection_store)
}

/// The checks of a home of projections that has rows of a user's own.
pub fn projection_rows<F: RowFixture>() -> Vec<Check<F>> {
    let mut checks = crate::__row_commit_checks!(list_checks! Projections projection_rows);
    checks.extend(crate::__row_family_checks!(list_checks! Rows projection_rows));
    checks
}

/// The checks of rows of a user's own in a store that can be opened again.
pub fn durable_projection_rows<F: RowFixture + Reopen>() -> Vec<Check<F>> {
    crate::__durable_projection_rows_checks!(list_checks! Projections durable_projection_rows)
}

/// The checks of a store that changes projections in the step that appends their events.
pub fn inline_store<F: Fixture<Store: InlineStore>>() -> Vec<Check<F>> {
    crate::__inline_store_checks!(list_checks! Inlines inline_store)
}

/// The check of such a store that also has append conditions.
pub fn inline_conditional_append<F>() -> Vec<Check<F>>
where
    F: Fixture<Store: InlineStore + ConditionalAppend>,
{
    crate::__inline_conditional_append_checks!(list_checks! Inlines inline_conditional_append)
}

/// The check of such a store that also takes over events of others.
pub fn inline_recorded_append<F>() -> Vec<Check<F>>
where
    F: Fixture<Store: InlineStore + RecordedAppend>,
{
    crate::__inline_recorded_append_checks!(list_checks! Inlines inline_recorded_append)
}

/// The checks of rows that are changed in the step that appends.
pub fn inline_rows<F: RowFixture<Store: InlineStore<Rows: InlineRows>>>() -> Vec<Check<F>> {
    crate::__inline_rows_checks!(list_checks! Inlines inline_rows)
}

/// The checks of a store of inline projections that can be opened again.
pub fn durable_inline_store<F: Reopen<Store: InlineStore>>() -> Vec<Check<F>> {
    crate::__durable_inline_store_checks!(list_checks! Inlines durable_inline_store)
}

/// The checks of a store that can be closed to new events.
pub fn fenced_store<F: Fixture<Store: FencedStore>>() -> Vec<Check<F>> {
    crate::__fenced_store_checks!(list_checks! Fences fenced_store)
}

/// The check of such a store that also has append conditions.
pub fn fenced_conditional_append<F>() -> Vec<Check<F>>
where
    F: Fixture<Store: FencedStore + ConditionalAppend>,
{
    crate::__fenced_conditional_append_checks!(list_checks! Fences fenced_conditional_append)
}

/// The check of such a store that also takes over events of others.
pub fn fenced_recorded_append<F>() -> Vec<Check<F>>
where
    F: Fixture<Store: FencedStore + RecordedAppend>,
{
    crate::__fenced_recorded_append_checks!(list_checks! Fences fenced_recorded_append)
}

/// The checks of a fence in a store that can be opened again.
pub fn durable_fenced_store<F: Reopen<Store: FencedStore>>() -> Vec<Check<F>> {
    crate::__durable_fenced_store_checks!(list_checks! Fences durable_fenced_store)
}
