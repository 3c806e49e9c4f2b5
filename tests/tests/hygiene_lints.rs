//! The generated code passes the lints that strict crates deny.
#![deny(
    warnings,
    missing_docs,
    unused_qualifications,
    unreachable_pub,
    single_use_lifetimes,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::absolute_paths
)]
#![forbid(unsafe_code)]

use es_core::prelude::*;

/// A deprecated event still stands in the lists of those who read it.
#[deprecated = "nobody pays by cheque any more"]
#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[event(name = "account.cheque_paid")]
pub struct AccountChequePaid {
    /// The amount.
    #[event(tag)]
    pub amount: u64,
}

/// An event.
#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[event(name = "account.opened")]
pub struct AccountOpened {
    /// More than the other events hold.
    pub large: [[u8; 32]; 32],
}

/// An event.
#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[event(name = "account.closed")]
pub struct AccountClosed;

/// An id.
#[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccountId(u64);

/// An aggregate.
#[derive(Aggregate, Default)]
#[aggregate(
    name = "account",
    id = AccountId,
    events(AccountOpened, AccountChequePaid, crate::AccountClosed),
    derive(Debug, Clone, PartialEq, Eq)
)]
pub struct Account;

impl Apply<AccountOpened> for Account {
    fn apply(&mut self, _: &AccountOpened) {}
}

#[expect(deprecated, reason = "the user's own code says so itself")]
impl Apply<AccountChequePaid> for Account {
    fn apply(&mut self, _: &AccountChequePaid) {}
}

impl Apply<AccountClosed> for Account {
    fn apply(&mut self, _: &AccountClosed) {}
}

/// A set of events.
#[derive(EventSet, Debug)]
pub enum OwnEvent {
    /// An event.
    Paid(billing::Paid),
    /// An event.
    Closed(AccountClosed),
}

/// Another module.
pub mod billing {
    use es_core::prelude::*;

    /// An event.
    #[derive(Event, Serialize, Deserialize, Debug)]
    #[event(name = "billing.paid")]
    pub struct Paid;
}

/// A command.
#[derive(Command, Debug)]
#[command(aggregate = Account)]
pub struct Close {
    /// The account.
    #[command(id)]
    pub account: AccountId,
}

/// A projection.
#[derive(Projection, Default)]
#[projection(name = "accounts", events(AccountOpened, AccountChequePaid))]
pub struct Accounts;

impl Project<AccountOpened> for Accounts {
    fn project(&mut self, _: &AccountOpened, _: &Recorded<'_>) -> Result<(), ProjectError> {
        Ok(())
    }
}

#[expect(deprecated, reason = "the user's own code says so itself")]
impl Project<AccountChequePaid> for Accounts {
    fn project(&mut self, _: &AccountChequePaid, _: &Recorded<'_>) -> Result<(), ProjectError> {
        Ok(())
    }
}

/// An event with a past.
#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[event(name = "account.limited", version = 4, alias = "account.capped", write_version = 2)]
#[upcast(from = 1, split(into(AccountLimited), with = as_it_is))]
#[upcast(from = 2, rename("lim" => "limit"), add(note = "x", by = nobody))]
#[upcast(from = 3, with = nothing, inverse = nothing)]
pub struct AccountLimited {
    /// How much.
    pub limit: u64,
    /// What for.
    pub note: String,
    /// By whom.
    pub by: String,
}

#[allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps, reason = "as steps are")]
fn as_it_is(_: es_core::JsonObject) -> Result<es_core::Split, es_core::UpcastError> {
    Ok(es_core::Split::new())
}

fn nobody() -> String {
    "nobody".to_owned()
}

#[allow(clippy::unnecessary_wraps, reason = "as steps are")]
const fn nothing(_: &mut es_core::JsonObject) -> Result<(), es_core::UpcastError> {
    Ok(())
}

/// A set with a past.
#[derive(EventSet, Debug)]
#[event_set(retired("account.frozen"))]
pub enum LimitEvent {
    /// The only one.
    Limited(AccountLimited),
}
