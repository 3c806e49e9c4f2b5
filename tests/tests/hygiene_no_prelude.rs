//! The derives name everything they use: they work where nothing is in scope.
#![no_implicit_prelude]
#![allow(missing_docs, dead_code, reason = "nothing here is for use")]

#[derive(::es_core::Event, ::serde::Serialize, ::serde::Deserialize)]
#[event(name = "account.opened")]
pub struct Opened {
    #[event(tag)]
    owner: ::std::string::String,
    #[event(tag)]
    referrer: ::core::option::Option<u64>,
}

#[derive(::es_core::Event, ::serde::Serialize, ::serde::Deserialize)]
#[event(name = "account.closed")]
pub struct Closed;

#[derive(::es_core::AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccountId(u64);

#[derive(::es_core::Aggregate, Default)]
#[aggregate(name = "account", id = AccountId, events(Opened, Closed), derive(Debug))]
pub struct Account;

impl ::core::fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        formatter.write_str("Opened")
    }
}

impl ::core::fmt::Debug for Closed {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        formatter.write_str("Closed")
    }
}

impl ::es_core::Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

impl ::es_core::Apply<Closed> for Account {
    fn apply(&mut self, _: &Closed) {}
}

#[derive(::es_core::EventSet)]
pub enum OwnEvent {
    Opened(Opened),
    Closed(Closed),
}

#[derive(::es_core::Aggregate, Default)]
#[aggregate(name = "own", id = u64, events = OwnEvent)]
pub struct Own;

impl ::es_core::Apply<Opened> for Own {
    fn apply(&mut self, _: &Opened) {}
}

impl ::es_core::Apply<Closed> for Own {
    fn apply(&mut self, _: &Closed) {}
}

#[derive(::es_core::Command)]
#[command(aggregate = Account, creates)]
pub struct Close<T> {
    #[command(id)]
    pub account: AccountId,
    pub reason: T,
}

#[derive(::es_core::Projection, Default)]
#[projection(name = "accounts", events(Opened, Closed))]
pub struct Accounts;

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

#[derive(::es_core::Event, ::serde::Serialize, ::serde::Deserialize)]
#[event(
    name = "account.limited",
    version = 5,
    alias = "account.capped",
    write_version = 2,
    split_from(Closed)
)]
#[upcast(from = 1, split(into(Limited), with = split))]
#[upcast(from = 2, rename("lim" => "limit", "a[].b" => "a[].c"), add(note = "x", by = by, on = true, of = -1, at = 0.5))]
#[upcast(from = 3, with = with, inverse = with)]
#[upcast(from = 4, remove(gone = null))]
pub struct Limited {
    limit: u64,
    a: ::std::vec::Vec<Old>,
    note: ::std::string::String,
    by: u64,
    on: bool,
    of: i64,
    at: f64,
}

#[derive(::serde::Serialize, ::serde::Deserialize)]
pub struct Old {
    c: u64,
}

#[derive(::es_core::Event, ::serde::Serialize, ::serde::Deserialize)]
#[event(name = "account.typed", version = 2)]
#[upcast(from = 1, via = Old, codec = ::es_core::Json)]
pub struct Typed(u64);

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

fn by() -> u64 {
    7
}

fn with(_: &mut ::es_core::JsonObject) -> ::core::result::Result<(), ::es_core::UpcastError> {
    ::core::result::Result::Ok(())
}

#[derive(::es_core::EventSet)]
#[event_set(retired("account.frozen"))]
pub enum LimitedEvent {
    Limited(Limited),
    Typed(Typed),
}
