//! The balance of every account.

use std::collections::BTreeMap;

use es_core::EventStore;
use es_core::prelude::*;

use crate::account::{AccountId, Closed, Deposited, Opened, RoundingPosted, Withdrawn};
use crate::program::Failure;

/// What an account holds: one document for each account, kept by the store.
#[derive(Projection, Serialize, Deserialize, Default, Debug, Clone, Copy, PartialEq, Eq)]
#[projection(
    name = "balances",
    version = 1,
    documents,
    events(Opened, Deposited, Withdrawn, RoundingPosted, Closed)
)]
pub struct Balance {
    /// In haléř; below zero when it is overdrawn.
    pub balance: i64,
    /// The version of the account that this is the balance of.
    pub version: Version,
}

impl Balance {
    /// Brings the account to the version of the event, with the balance that `change` makes.
    fn update(
        &mut self,
        recorded: &Recorded<'_>,
        change: impl FnOnce(i64) -> Option<i64>,
    ) -> Result<(), ProjectError> {
        self.balance = change(self.balance)
            .ok_or_else(|| ProjectError::new("the balance is beyond 64 bits"))?;
        self.version = recorded.version;
        Ok(())
    }
}

impl Project<Opened> for Balance {
    fn project(&mut self, _: &Opened, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.update(recorded, Some)
    }
}

impl Project<Deposited> for Balance {
    fn project(&mut self, event: &Deposited, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.update(recorded, |balance| balance.checked_add_unsigned(event.amount))
    }
}

impl Project<Withdrawn> for Balance {
    fn project(&mut self, event: &Withdrawn, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.update(recorded, |balance| balance.checked_sub_unsigned(event.amount))
    }
}

impl Project<RoundingPosted> for Balance {
    fn project(
        &mut self,
        event: &RoundingPosted,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        self.update(recorded, |balance| balance.checked_add(event.delta))
    }
}

impl Project<Closed> for Balance {
    fn project(&mut self, _: &Closed, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.update(recorded, Some)
    }
}

/// The balances of all accounts that were ever opened, sorted by number.
#[derive(Default, Debug, Clone, PartialEq, Eq)]
pub struct Balances(BTreeMap<AccountId, Balance>);

impl Balances {
    /// Reads the documents as they are.
    ///
    /// # Errors
    /// When they can not be read, or one is of no account.
    pub async fn read<S: EventStore>(runtime: &Runtime<S>) -> Result<Self, Failure> {
        let documents = runtime.documents::<Balance>()?.all().await?;
        let numbered = documents.into_iter().map(|(key, balance)| match key.parse() {
            Ok(account) => Ok((account, balance)),
            Err(_) => Err(Failure::Account(key)),
        });
        Ok(Self(numbered.collect::<Result<_, _>>()?))
    }

    /// All accounts, sorted by number.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (AccountId, Balance)> + '_ {
        self.0.iter().map(|(account, balance)| (*account, *balance))
    }
}
