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
