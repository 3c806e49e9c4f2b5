//! What can be asked of an account, and how it decides.

use es_core::prelude::*;

use crate::account::{
    Account, AccountError, AccountId, Closed, Deposited, Opened, Overdraft, Purpose,
    RoundingPosted, Status, Withdrawn,
};

/// Open a new account.
#[derive(Command, Debug, Clone)]
#[command(aggregate = Account, creates)]
pub struct OpenAccount {
    /// Its number.
    #[command(id)]
    pub account: AccountId,
    /// Whether it may go below zero.
    pub overdraft: Overdraft,
}

/// Put money in.
#[derive(Command, Debug, Clone)]
#[command(aggregate = Account)]
pub struct Deposit {
    /// Where.
    #[command(id)]
    pub account: AccountId,
    /// How much.
    pub amount: u64,
    /// What for.
    pub purpose: Option<Purpose>,
}

/// Take money out.
#[derive(Command, Debug, Clone)]
#[command(aggregate = Account)]
pub struct Withdraw {
    /// Where from.
    #[command(id)]
    pub account: AccountId,
    /// How much.
    pub amount: u64,
    /// What for.
    pub purpose: Option<Purpose>,
}

/// Compare the balance with the one on the bank's statement, and post what rounding explains.
#[derive(Command, Debug, Clone)]
#[command(aggregate = Account)]
pub struct Reconcile {
    /// Which account.
    #[command(id)]
    pub account: AccountId,
    /// The balance on the statement.
    pub stated_balance: i64,
}

/// Close the account for ever.
#[derive(Command, Debug, Clone)]
#[command(aggregate = Account)]
pub struct Close {
    /// Which one.
    #[command(id)]
    pub account: AccountId,
}

/// Statements print the second digit after the point as zero: rounding moves a balance by as much.
pub const ROUNDING_STEP: u64 = 10;

/// What must be posted so that a balance becomes the stated one.
///
/// # Errors
/// When they differ by more or less than one step of rounding.
pub fn rounding_between(balance: i64, stated: i64) -> Result<Option<RoundingPosted>, AccountError> {
    match stated.abs_diff(balance) {
        0 => Ok(None),
        ROUNDING_STEP => Ok(Some(RoundingPosted { delta: stated.wrapping_sub(balance) })),
        _ => Err(AccountError::StatementDiffers { balance, stated }),
    }
}

impl Account {
    fn ensure_open(&self) -> Result<(), AccountError> {
        match self.status {
            Status::Unopened => Err(AccountError::NotOpened),
            Status::Open => Ok(()),
            Status::Closed => Err(AccountError::Closed),
        }
    }

    fn out_of_range(&self, amount: u64) -> AccountError {
        AccountError::BalanceOutOfRange { balance: self.balance, amount }
    }
}

impl Handle<OpenAccount> for Account {
    type Error = AccountError;

    // That the account is new is said by `creates`.
    fn handle(
        &self,
        command: &OpenAccount,
        _: &Context,
    ) -> Result<impl IntoEvents<Self>, AccountError> {
        Ok(Opened { overdraft: command.overdraft })
    }
}

impl Handle<Deposit> for Account {
    type Error = AccountError;

    fn handle(
        &self,
        command: &Deposit,
        _: &Context,
    ) -> Result<impl IntoEvents<Self>, AccountError> {
        self.ensure_open()?;
        let &Deposit { amount, purpose, .. } = command;
        self.balance.checked_add_unsigned(amount).ok_or_else(|| self.out_of_range(amount))?;
        Ok(Deposited { amount, purpose })
    }
}

impl Handle<Withdraw> for Account {
    type Error = AccountError;

    fn handle(
        &self,
        command: &Withdraw,
        _: &Context,
    ) -> Result<impl IntoEvents<Self>, AccountError> {
        self.ensure_open()?;
        let &Withdraw { amount, purpose, .. } = command;
        let left =
            self.balance.checked_sub_unsigned(amount).ok_or_else(|| self.out_of_range(amount))?;
        if left < 0 && self.overdraft == Overdraft::Refused {
            return Err(AccountError::InsufficientFunds { balance: self.balance, amount });
        }
        Ok(Withdrawn { amount, purpose })
    }
}

impl Handle<Reconcile> for Account {
    type Error = AccountError;

    fn handle(
        &self,
        command: &Reconcile,
        _: &Context,
    ) -> Result<impl IntoEvents<Self>, AccountError> {
        self.ensure_open()?;
        rounding_between(self.balance, command.stated_balance)
    }
}

impl Handle<Close> for Account {
    type Error = AccountError;

    fn handle(&self, _: &Close, _: &Context) -> Result<impl IntoEvents<Self>, AccountError> {
        self.ensure_open()?;
        if self.balance != 0 {
            return Err(AccountError::BalanceLeft { balance: self.balance });
        }
        Ok(Closed)
    }
}
