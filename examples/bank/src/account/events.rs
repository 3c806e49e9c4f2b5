//! What can have happened to an account. The names are stored: they stay when a struct is renamed.

use std::fmt;
use std::str::FromStr;

use es_core::prelude::*;

use super::history::{Moved, in_our_words};

/// The account was opened.
#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[event(name = "account.opened", alias = "account.created")]
pub struct Opened {
    /// Whether it may go below zero.
    pub overdraft: Overdraft,
}

/// Money came in.
#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[event(name = "account.deposited", version = 2, split_from(Moved))]
#[upcast(from = 1, with = in_our_words, rename("castka" => "amount", "k_symbol" => "purpose"))]
pub struct Deposited {
    /// How much.
    pub amount: u64,
    /// What for, if the bank knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
}

/// Money went out.
#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[event(name = "account.withdrawn", version = 2, split_from(Moved))]
#[upcast(from = 1, with = in_our_words, rename("castka" => "amount", "k_symbol" => "purpose"))]
pub struct Withdrawn {
    /// How much.
    pub amount: u64,
    /// What for, if the bank knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
}

/// The bank kept more digits than it printed, and the last printed one moved.
#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[event(name = "account.rounding_posted")]
pub struct RoundingPosted {
    /// What the balance changed by.
    pub delta: i64,
}

/// The account was closed.
#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[event(name = "account.closed")]
pub struct Closed;

/// Whether an account may go below zero.
#[derive(EventData, Serialize, Deserialize, Default, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Overdraft {
    /// A withdrawal may leave less than nothing.
    Allowed,
    /// A withdrawal takes at most what is there.
    #[default]
    Refused,
}

/// What a movement of money was for.
#[derive(
    EventData, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Purpose {
    Household,
    Insurance,
    Interest,
    LoanPayment,
    Pension,
    SanctionInterest,
    StatementFee,
}

impl Purpose {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Household,
        Self::Insurance,
        Self::Interest,
        Self::LoanPayment,
        Self::Pension,
        Self::SanctionInterest,
        Self::StatementFee,
    ];

    /// The name as the bank's files have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Household => "household",
            Self::Insurance => "insurance",
            Self::Interest => "interest",
            Self::LoanPayment => "loan_payment",
            Self::Pension => "pension",
            Self::SanctionInterest => "sanction_interest",
            Self::StatementFee => "statement_fee",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Purpose {
    type Err = UnknownPurpose;

    fn from_str(text: &str) -> Result<Self, UnknownPurpose> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text).ok_or(UnknownPurpose)
    }
}

/// A text that names no purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no purpose; there are {}", Purpose::ALL.map(Purpose::as_str).join(", "))]
pub struct UnknownPurpose;
