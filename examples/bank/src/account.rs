//! The account: what it is, and how its events change it.

mod commands;
mod error;
mod events;
mod history;

use es_core::prelude::*;

pub use self::commands::{
    Close, Deposit, OpenAccount, ROUNDING_STEP, Reconcile, Withdraw, rounding_between,
};
pub use self::error::AccountError;
pub use self::events::{
    Closed, Deposited, Opened, Overdraft, Purpose, RoundingPosted, UnknownPurpose, Withdrawn,
};
pub use self::history::Moved;

/// The number of an account.
#[derive(
    AggregateId, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[serde(transparent)]
pub struct AccountId(pub u64);

/// An account as its decisions see it. All money is whole haléř, 1/100 of a koruna.
#[derive(Aggregate, Serialize, Deserialize, Default, Debug, Clone, PartialEq, Eq)]
#[aggregate(
    name = "account",
    id = AccountId,
    events(Opened, Deposited, Withdrawn, RoundingPosted, Closed),
    snapshot(every = 100),
    derive(Debug, Clone, PartialEq, Eq)
)]
pub struct Account {
    status: Status,
    overdraft: Overdraft,
    balance: i64,
}

/// Where an account stands in its life.
#[derive(Serialize, Deserialize, Default, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has opened it yet.
    #[default]
    Unopened,
    /// Money comes and goes.
    Open,
    /// It is closed for ever.
    Closed,
}

impl Account {
    /// What the account holds; below zero when it is overdrawn.
    pub fn balance(&self) -> i64 {
        self.balance
    }

    /// Where the account stands in its life.
    pub fn status(&self) -> Status {
        self.status
    }
}

impl Apply<Opened> for Account {
    fn apply(&mut self, event: &Opened) {
        self.status = Status::Open;
        self.overdraft = event.overdraft;
    }
}

// The decisions have refused every amount that the balance can not take.

impl Apply<Deposited> for Account {
    fn apply(&mut self, event: &Deposited) {
        self.balance = self.balance.saturating_add_unsigned(event.amount);
    }
}

impl Apply<Withdrawn> for Account {
    fn apply(&mut self, event: &Withdrawn) {
        self.balance = self.balance.saturating_sub_unsigned(event.amount);
    }
}

impl Apply<RoundingPosted> for Account {
    fn apply(&mut self, event: &RoundingPosted) {
        self.balance = self.balance.saturating_add(event.delta);
    }
}

impl Apply<Closed> for Account {
    fn apply(&mut self, _: &Closed) {
        self.status = Status::Closed;
    }
}
