//! The derive macros of [`es_core`](https://docs.rs/es-core). An implementation detail of that
//! crate: depend on it, which re-exports them, and never on this one.
//!
//! A derive goes through four steps, one module each: `attribute` reads what stands in the
//! attributes, `model` resolves it, `validate` checks the rules, `expand` generates code.
//! All mistakes of one derive are reported at once, and beside them code with which the rest of
//! the user's crate compiles.

mod attribute;
mod crate_path;
mod ctxt;
mod derive;
#[cfg(test)]
mod documented;
mod expand;
#[cfg(test)]
mod expansions;
mod model;
mod validate;
mod written;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct an event.
///
/// The struct has named fields, or is a newtype, or a unit struct. It is written and read by
/// serde, so derive `Serialize` and `Deserialize` too. Type parameters are allowed.
///
/// | above the struct | meaning | default |
/// |---|---|---|
/// | `name = "account.deposited"` | the stored name: it must never change | required |
/// | `version = 3` | the newest version of the schema: the one that the struct shows, from 1 | `1` |
/// | `oldest = 2` | the oldest version that is read; an event that starts at 2 has `version = 2, oldest = 2` | `1` |
/// | `write_version = 2` | writes an older version, for programs that know no newer one | the newest |
/// | `alias = "account.paid_in"` | a name under which it was stored before; as often as you like | none |
/// | `split_from(Moved)` | events of which older versions split into this one | none |
/// | `codec = path::to::Codec` | how the payload is written | `es_core::Json` |
/// | `sample = path::to::function` | makes the payload that `events.lock` keeps of it, where its types do not tell how one looks | made of its shape |
/// | `lock = false` | keeps it out of `events.lock`: for events of tests | in the lock of the crate |
/// | `lock = "past.lock"` | compares it with another file, seen from the source file, that nothing is added to | |
/// | `like = Type`, `opaque` | it is stored like another type: for `#[serde(into = "..")]` and the like | as its fields say |
/// | `crate = ::path` | where generated code finds `es_core`; an absolute path | `::es_core` |
///
/// Each version before the newest has one step, `#[upcast(from = n, ..)]`, that makes version n + 1 of
/// it. Fields are named as they are stored; `"address.zip"` and `"lines[].amount"` are paths into them.
/// What stands in one step happens in the order in which it is written.
///
/// | `#[upcast(..)]` above the struct | meaning |
/// |---|---|
/// | `from = 1` | the version that it begins with; required |
/// | `rename("old" => "new", ..)` | a field gets another name |
/// | `add(field = "text", ..)` | a field comes to be: a text, number, `true`, `false`, `null`, or the path of an `fn() -> T`, `fn(&JsonObject) -> T` or `fn(&JsonObject, &Recorded) -> T` |
/// | `remove(field, ..)` | a field goes away; `remove(field = value)` says what `write_version` writes for it |
/// | `with = path` | an `fn(&mut JsonObject) -> Result<(), UpcastError>`, with `&Recorded` behind it if it asks for that |
/// | `via = OldStruct` | the version is read as this struct, which becomes that of the next step, or the event, by `From` or `TryFrom`; alone in its step |
/// | `codec = path` | how the struct of `via` was written, if not like the event |
/// | `split(into(A, B), with = path)` | one stored event becomes several: an `fn(Old) -> Result<Split, UpcastError>`; alone in its step |
/// | `inverse = path` | an `fn(&mut JsonObject) -> Result<(), UpcastError>` that undoes the step for `write_version` |
///
/// | on a field | meaning |
/// |---|---|
/// | `tag` | queries can select the event by the tag `field:value`; an `Option` has one when it is `Some` |
/// | `tag = "key"` | the same with another key; a newtype's field needs one |
/// | `opaque` | for `events.lock`: its type keeps its shape to itself and is known by its name alone |
/// | `opaque = "decimal"` | the same with a name of your choice |
/// | `like = String` | for `events.lock`: it is stored like a value of that type, as with `#[serde(with = "..")]` |
#[proc_macro_derive(Event, attributes(event, upcast))]
pub fn event(input: TokenStream) -> TokenStream {
    derive::event(&parse_macro_input!(input as DeriveInput)).into()
}

/// Lets a type say its shape, so that a change of it is noticed in the events that hold it.
///
/// It is a struct or an enum with serde's `Serialize` and `Deserialize`, whose attributes are
/// followed. Type parameters are allowed: they must say their shapes too.
///
/// | above the type, or on a field | meaning |
/// |---|---|
/// | `opaque` | it keeps its shape to itself and is known by its name alone |
/// | `opaque = "decimal"` | the same with a name of your choice, which stays when the type is renamed |
/// | `like = String` | it is stored like a value of that type: for `#[serde(with = "..")]`, `into` and the like |
/// | `crate = ::path` | above the type: where generated code finds `es_core`; an absolute path |
#[proc_macro_derive(EventData, attributes(event_data))]
pub fn event_data(input: TokenStream) -> TokenStream {
    derive::event_data(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes an enum of yours a set of events. Each variant holds one event: `Opened(Opened)`.
///
/// It generates `From` for each event, and `ApplyTo` for every state that has an `Apply` for each
/// event: an aggregate can use the enum with `events = ThisEnum`.
///
/// | `#[event_set(..)]` above the enum | meaning | default |
/// |---|---|---|
/// | `retired("account.frozen", ..)` | stored names of events that are no longer read | none |
/// | `crate = ::path` | where generated code finds `es_core`; an absolute path | `::es_core` |
#[proc_macro_derive(EventSet, attributes(event_set))]
pub fn event_set(input: TokenStream) -> TokenStream {
    derive::event_set(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a struct or an enum an aggregate, and an enum of its events.
///
/// The type needs `Default`, the state before the first event, and one `Apply` for each event. It
/// can not be generic.
///
/// | above the type | meaning | default |
/// |---|---|---|
/// | `name = "account"` | the stored name: it must never change | required |
/// | `id = AccountId` | the type that tells one from the other | required |
/// | `events(Opened, billing::Paid as BillingPaid)` | its events; each becomes a variant, named like the event or as you say | required, or: |
/// | `events = AccountEvent` | its events as an enum of yours, with `#[derive(EventSet)]` | |
/// | `retired("account.frozen", ..)` | stored names of events that are no longer read | none |
/// | `snapshot(every = 100)` | keeps the state after so many events, if the program takes snapshots; the type then needs `Serialize` and `Deserialize` | none are kept |
/// | `state_version = 2` | the version of the state, from 1: raise it when an `Apply` means something else, so that kept states are made anew | `1` |
/// | `enum = AccountFact` | the name of the generated enum | type name + `Event` |
/// | `derive(Debug, Clone)` | derives for the generated enum | none |
/// | `register = false` | keeps it out of `Registry::linked` | `true` |
/// | `lock = false` | keeps it out of `events.lock`: for aggregates of tests | in the lock of the crate |
/// | `lock = "past.lock"` | compares it with another file, seen from the source file, that nothing is added to | |
/// | `crate = ::path` | where generated code finds `es_core`; an absolute path | `::es_core` |
#[proc_macro_derive(Aggregate, attributes(aggregate))]
pub fn aggregate(input: TokenStream) -> TokenStream {
    derive::aggregate(&parse_macro_input!(input as DeriveInput)).into()
}

/// Gives a newtype the `Display` and `FromStr` of its field, which the id of an aggregate needs, and
/// the `EventData` of it, so that the id can stand in events.
///
/// Derive `Debug`, `Clone`, `PartialEq`, `Eq` and `Hash` too.
///
/// | `#[aggregate_id(..)]` above the struct | meaning | default |
/// |---|---|---|
/// | `crate = ::path` | where generated code finds `es_core`; an absolute path | `::es_core` |
#[proc_macro_derive(AggregateId, attributes(aggregate_id))]
pub fn aggregate_id(input: TokenStream) -> TokenStream {
    derive::aggregate_id(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a struct a command to one aggregate.
///
/// | above the struct | meaning | default |
/// |---|---|---|
/// | `aggregate = Account` | the aggregate that decides it | required |
/// | `creates` | it makes a new instance: there must be none yet | may come at any time |
/// | `name = "withdraw"` | its name in logs | the name of the struct |
/// | `crate = ::path` | where generated code finds `es_core`; an absolute path | `::es_core` |
///
/// | on a field | meaning |
/// |---|---|
/// | `id` | holds the id of the aggregate; exactly one field has it |
/// | `varies` | may differ when the command is sent again under the same command id, such as a time of sending |
#[proc_macro_derive(Command, attributes(command))]
pub fn command(input: TokenStream) -> TokenStream {
    derive::command(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a struct or an enum a projection, and an enum of the events that it projects.
///
/// The type needs one `Project` for each event, and `Default` unless it says `register = false`.
/// In documents it also needs `Serialize` and `Deserialize`, in rows `RowTables` and one `ProjectRows`
/// for each event. It can not be generic.
///
/// | above the type | meaning | default |
/// |---|---|---|
/// | `name = "balances"` | the stored name | required |
/// | `version = 2` | the version of what is held, from 1; a new one is built anew | `1` |
/// | `events(Opened, billing::Paid as BillingPaid)` | the events; each becomes a variant, named like the event or as you say | required |
/// | `documents` | one document for each stream, kept in the store; the type is the document | in memory |
/// | `documents(key = path)` | one for each key: `fn(&BalancesEvent, &Recorded) -> impl IntoIterator<Item = impl Display>` | the id of the stream |
/// | `documents(remove_when = path)` | removes a document when `fn(&Self) -> bool` says so | never |
/// | `rows = path::to::Family` | rows that its own SQL writes, in the stores of that family | in memory |
/// | `partitions = 8` | so many workers share it, each in order: documents by key, rows by the event's stream | one |
/// | `partition = path` | rows by the key that `fn(&BalancesEvent, &Recorded) -> impl Display` gives | by stream |
/// | `inline` | documents or rows are changed in the step that appends the events, in stores that can | a little later |
/// | `effects` | it is what the program does outside, with one `React` for each event; nothing is kept | a read model |
/// | `retired("account.frozen", ..)` | stored names of events that are no longer read | none |
/// | `enum = BalancesFact` | the name of the generated enum | type name + `Event` |
/// | `derive(Debug, Clone)` | derives for the generated enum | none |
/// | `register = false` | keeps it out of `Registry::linked` | `true` |
/// | `crate = ::path` | where generated code finds `es_core`; an absolute path | `::es_core` |
#[proc_macro_derive(Projection, attributes(projection))]
pub fn projection(input: TokenStream) -> TokenStream {
    derive::projection(&parse_macro_input!(input as DeriveInput)).into()
}
