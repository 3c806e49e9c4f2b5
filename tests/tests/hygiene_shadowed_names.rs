//! The derives work where the user's types have the names of the standard library's and ours.
#![allow(
    dead_code,
    non_camel_case_types,
    non_upper_case_globals,
    reason = "the names are the test"
)]

mod core {}
mod std {}
mod alloc {}
mod es_core {}

macro_rules! shadow {
    ($($name:ident)*) => { $(struct $name;)* };
}

shadow! {
    Result Option Some None Ok Err Vec Box Default From Into Send Sync Clone Debug Display FromStr
    u8 u32 str bool usize
    Event EventSet EventType Aggregate Apply ApplyTo Command Project Projection Recorded Stored
    Tags Json SchemaVersion EncodedEvent EncodeError DecodeError Events IntoEvents ProjectError
    Registration Decoded Upcasts Step StepKind Operation Segment Reading NamedFunction Split
    Codec CodecError JsonObject UpcastError CalledInverse NewValue
}

const event: () = ();
const buffer: () = ();
const recorded: () = ();
const EVENTS: () = ();
const LISTED: () = ();

mod events {
    #[derive(::es_core::Event, ::serde::Serialize, ::serde::Deserialize)]
    #[event(name = "account.opened")]
    pub(super) struct Opened {
        #[event(tag)]
        owner: ::std::string::String,
    }

    #[derive(::es_core::Event, ::serde::Serialize, ::serde::Deserialize)]
    #[event(name = "account.closed")]
    pub(super) struct Closed;
}

use events::{Closed, Opened};

#[derive(::es_core::AggregateId)]
struct AccountId(u64);

#[derive(::es_core::Aggregate)]
#[aggregate(name = "account", id = u64, events(Opened, Closed))]
struct Account;

impl ::core::default::Default for Account {
    fn default() -> Self {
        Self
    }
}

impl ::es_core::Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

impl ::es_core::Apply<Closed> for Account {
    fn apply(&mut self, _: &Closed) {}
}

#[derive(::es_core::EventSet)]
enum OwnEvent {
    Opened(Opened),
    Closed(Closed),
}

#[derive(::es_core::Aggregate)]
#[aggregate(name = "own", id = u64, events = OwnEvent)]
struct Own;

impl ::core::default::Default for Own {
    fn default() -> Self {
        Self
    }
}

impl ::es_core::Apply<Opened> for Own {
    fn apply(&mut self, _: &Opened) {}
}

impl ::es_core::Apply<Closed> for Own {
    fn apply(&mut self, _: &Closed) {}
}

#[derive(::es_core::Command)]
#[command(aggregate = Account, creates)]
struct Close {
    #[command(id)]
    account: u64,
}

#[derive(::es_core::Projection)]
#[projection(name = "accounts", events(Opened, Closed))]
struct Accounts;

impl ::core::default::Default for Accounts {
    fn default() -> Self {
        Self
    }
}

impl ::es_core::Project<Opened> for Accounts {
    fn project(
        &mut self,
        _: &Opened,
        _: &::es_core::Recorded<'_>,
    ) -> ::core::result::Result<(), ::es_core::ProjectError> {
        ::core::result::Result::Ok(())
    }
}

impl ::es_core::Project<Closed> for Accounts {
    fn project(
        &mut self,
        _: &Closed,
        _: &::es_core::Recorded<'_>,
    ) -> ::core::result::Result<(), ::es_core::ProjectError> {
        ::core::result::Result::Ok(())
    }
}

mod steps {
    // Serde's own derives do not bear a type named `u8`.
    #[expect(unused_imports, reason = "they only stand in the way")]
    use super::{
        Box, CalledInverse, Codec, CodecError, Decoded, Err, From, Into, Json, JsonObject,
        NamedFunction, NewValue, None, Ok, Operation, Option, Reading, Result, SchemaVersion,
        Segment, Some, Split, Step, StepKind, UpcastError, Upcasts, Vec,
    };

    #[derive(::es_core::Event, ::serde::Serialize, ::serde::Deserialize)]
    #[event(
        name = "account.limited",
        version = 5,
        alias = "account.capped",
        write_version = 2,
        split_from(super::Closed)
    )]
    #[upcast(from = 1, split(into(Limited), with = split))]
    #[upcast(from = 2, rename("lim" => "limit", "a[].b" => "a[].c"), add(note = "x", by = by, on = true, of = -1, at = 0.5))]
    #[upcast(from = 3, with = with, inverse = with)]
    #[upcast(from = 4, remove(gone = null))]
    pub(super) struct Limited {
        limit: ::core::primitive::u64,
        a: ::std::vec::Vec<Old>,
        note: ::std::string::String,
        by: ::core::primitive::u64,
        on: ::core::primitive::bool,
        of: i64,
        at: f64,
    }

    #[derive(::serde::Serialize, ::serde::Deserialize)]
    pub(super) struct Old {
        c: ::core::primitive::u64,
    }

    #[derive(::es_core::Event, ::serde::Serialize, ::serde::Deserialize)]
    #[event(name = "account.typed", version = 2)]
    #[upcast(from = 1, via = Old, codec = ::es_core::Json)]
    pub(super) struct Typed(::core::primitive::u64);

    impl ::core::convert::From<Old> for Typed {
        fn from(old: Old) -> Self {
            Self(old.c)
        }
    }

    fn split(
        _: ::es_core::JsonObject,
    ) -> ::core::result::Result<::es_core::Split, ::es_core::UpcastError> {
        ::core::result::Result::Ok(::es_core::Split::new())
    }

    fn by() -> ::core::primitive::u64 {
        7
    }

    fn with(_: &mut ::es_core::JsonObject) -> ::core::result::Result<(), ::es_core::UpcastError> {
        ::core::result::Result::Ok(())
    }

    #[derive(::es_core::EventSet)]
    #[event_set(retired("account.frozen"))]
    pub(super) enum LimitedEvent {
        Limited(Limited),
        Typed(Typed),
    }
}

/// Traits that every type implements, beside our own constants of whatever type is asked.
mod blanket {
    pub(super) trait Shaped {
        const SHAPE: ::core::primitive::u8 = 0;
        const VALUE: ::core::primitive::u8 = 0;
    }

    impl<T: ?::core::marker::Sized> Shaped for T {}

    #[derive(
        ::es_core::AggregateId,
        ::core::fmt::Debug,
        ::core::clone::Clone,
        ::core::cmp::PartialEq,
        ::core::cmp::Eq,
        ::core::hash::Hash,
    )]
    pub(super) struct OrderId(::core::primitive::u64);

    #[derive(::es_core::Aggregate, ::core::default::Default)]
    #[aggregate(name = "order", id = OrderId, events(super::Closed))]
    pub(super) struct Order {
        id: ::core::option::Option<Money>,
    }

    pub(super) struct Money;

    impl ::es_core::Apply<super::Closed> for Order {
        fn apply(&mut self, _: &super::Closed) {}
    }
}

/// A constant parameter beside a type of its name.
mod constants {
    pub(super) struct N;

    #[derive(::es_core::Command)]
    #[command(aggregate = super::Account)]
    pub(super) struct Import<const N: ::core::primitive::usize> {
        #[command(id)]
        account: ::core::primitive::u64,
        lines: [::core::primitive::u64; N],
    }

    #[derive(::es_core::Event)]
    #[event(name = "account.imported", version = 2, lock = false)]
    #[upcast(from = 1, via = Old)]
    pub(super) struct Imported<const N: ::core::primitive::usize> {
        lines: [::core::primitive::u64; N],
    }

    #[derive(::es_core::EventData)]
    pub(super) struct Lines<const N: ::core::primitive::usize> {
        lines: ::std::vec::Vec<::core::primitive::u64>,
    }

    #[derive(::serde::Serialize, ::serde::Deserialize)]
    pub(super) struct Old {}

    impl<const N: ::core::primitive::usize> ::core::convert::From<Old> for Imported<{ N }> {
        fn from(_: Old) -> Self {
            Self { lines: [0; N] }
        }
    }
}
