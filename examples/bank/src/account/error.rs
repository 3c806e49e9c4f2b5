//! Why an account refuses a command.

use crate::account::ROUNDING_STEP;

/// Why an account refuses a command. Amounts are whole haléř.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// Nobody has opened it.
    #[error("the account was never opened")]
    NotOpened,
    /// It is closed.
    #[error("the account is closed")]
    Closed,
    /// It would go below zero and may not.
    #[error("{amount} can not be withdrawn from {balance}: the account has no overdraft")]
    InsufficientFunds {
        /// What it holds.
        balance: i64,
        /// What was to go out.
        amount: u64,
    },
    /// The balance would be a number that the bank can not write.
    #[error("an amount of {amount} takes the balance of {balance} beyond what the bank can count")]
    BalanceOutOfRange {
        /// What it holds.
        balance: i64,
        /// What was to come in or go out.
        amount: u64,
    },
    /// The statement differs by more than rounding explains.
    #[error(
        "the statement says {stated} but the account holds {balance}, and rounding explains a \
         difference of {ROUNDING_STEP} only"
    )]
    StatementDiffers {
        /// What it holds.
        balance: i64,
        /// What the statement says.
        stated: i64,
    },
    /// It is not empty.
    #[error("the account holds {balance}: only one that holds nothing can be closed")]
    BalanceLeft {
        /// What it holds.
        balance: i64,
    },
}
