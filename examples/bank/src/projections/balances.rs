//! The balance of every account.

use std::collections::BTreeMap;

use es_core::prelude::*;

use crate::account::{AccountId, Closed, Deposited, Opened, RoundingPosted, Withdrawn};

/// The balance of every account that was ever opened, sorted by its number.
#[derive(Projection, Default, Debug, Clone)]
#[projection(
    name = "balances",
    version = 1,
    events(Opened, Deposited, Withdrawn, RoundingPosted, Closed)
)]
pub struct Balances {
    by_account: BTreeMap<AccountId, Balance>,
}

/// What an account holds.
#[derive(Default, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// In haléř; below zero when it is overdrawn.
    pub balance: i64,
    /// The version of the account that this is the balance of.
    pub version: Version,
}

impl Balances {
    /// The balance of one account.
    pub fn get(&self, account: AccountId) -> Option<Balance> {
        self.by_account.get(&account).copied()
    }

    /// All accounts, sorted by number.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (AccountId, Balance)> + '_ {
        self.by_account.iter().map(|(account, balance)| (*account, *balance))
    }

    /// Brings an account to the version of the event, with the balance that `change` makes.
    fn update(
        &mut self,
        recorded: &Recorded<'_>,
        change: impl FnOnce(i64) -> Option<i64>,
    ) -> Result<(), ProjectError> {
        let entry = self.by_account.entry(recorded.stream.parse_id()?).or_default();
        let balance = change(entry.balance)
            .ok_or_else(|| ProjectError::new("the balance is beyond 64 bits"))?;
        *entry = Balance { balance, version: recorded.version };
        Ok(())
    }
}

impl Project<Opened> for Balances {
    fn project(&mut self, _: &Opened, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.update(recorded, Some)
    }
}

impl Project<Deposited> for Balances {
    fn project(&mut self, event: &Deposited, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.update(recorded, |balance| balance.checked_add_unsigned(event.amount))
    }
}

impl Project<Withdrawn> for Balances {
    fn project(&mut self, event: &Withdrawn, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.update(recorded, |balance| balance.checked_sub_unsigned(event.amount))
    }
}

impl Project<RoundingPosted> for Balances {
    fn project(
        &mut self,
        event: &RoundingPosted,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        self.update(recorded, |balance| balance.checked_add(event.delta))
    }
}

impl Project<Closed> for Balances {
    fn project(&mut self, _: &Closed, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.update(recorded, Some)
    }
}
