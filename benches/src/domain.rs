//! The bank account with es-core.

use std::collections::BTreeMap;

use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
pub struct Opened {
    pub overdraft: bool,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited")]
pub struct Deposited {
    pub amount: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.withdrawn")]
pub struct Withdrawn {
    pub amount: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.closed")]
pub struct Closed;

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Opened, Deposited, Withdrawn, Closed))]
pub struct Account {
    pub open: bool,
    pub overdraft: bool,
    pub balance: u64,
}

impl Apply<Opened> for Account {
    fn apply(&mut self, event: &Opened) {
        self.open = true;
        self.overdraft = event.overdraft;
    }
}

impl Apply<Deposited> for Account {
    fn apply(&mut self, event: &Deposited) {
        self.balance += event.amount;
    }
}

impl Apply<Withdrawn> for Account {
    fn apply(&mut self, event: &Withdrawn) {
        self.balance -= event.amount;
    }
}

impl Apply<Closed> for Account {
    fn apply(&mut self, _: &Closed) {
        self.open = false;
    }
}

#[derive(Command)]
#[command(aggregate = Account)]
pub struct Deposit {
    #[command(id)]
    pub account: u64,
    pub amount: u64,
}

#[derive(Command)]
#[command(aggregate = Account)]
pub struct Withdraw {
    #[command(id)]
    pub account: u64,
    pub amount: u64,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    #[error("the balance is too low")]
    InsufficientFunds,
    #[error("the balance is too high")]
    Overflow,
}

impl Handle<Deposit> for Account {
    type Error = Refused;

    fn handle(&self, command: &Deposit, _: &Context) -> Result<impl IntoEvents<Self>, Refused> {
        self.balance.checked_add(command.amount).ok_or(Refused::Overflow)?;
        Ok(Deposited { amount: command.amount })
    }
}

impl Handle<Withdraw> for Account {
    type Error = Refused;

    fn handle(&self, command: &Withdraw, _: &Context) -> Result<impl IntoEvents<Self>, Refused> {
        if self.balance < command.amount {
            return Err(Refused::InsufficientFunds);
        }
        Ok(Withdrawn { amount: command.amount })
    }
}

#[derive(Projection, Default)]
#[projection(name = "balances", events(Deposited, Withdrawn))]
pub struct Balances {
    pub by_account: BTreeMap<u64, u64>,
}

impl Project<Deposited> for Balances {
    fn project(&mut self, event: &Deposited, recorded: &Recorded) -> Result<(), ProjectError> {
        *self.by_account.entry(recorded.stream.parse_id()?).or_default() += event.amount;
        Ok(())
    }
}

impl Project<Withdrawn> for Balances {
    fn project(&mut self, event: &Withdrawn, recorded: &Recorded) -> Result<(), ProjectError> {
        *self.by_account.entry(recorded.stream.parse_id()?).or_default() -= event.amount;
        Ok(())
    }
}
