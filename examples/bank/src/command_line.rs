//! What a user types.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use es_core::jiff::civil::Date;
use es_transfer::Format;

use es_core::Position;

use crate::account::AccountId;

/// A bank on real data, event-sourced.
///
/// Amounts are whole haléř, 1/100 of a koruna. The exit code is 0 when everything went well, 1 when
/// a file is refused, an account refused a row or the store failed, 2 when the command line is
/// wrong.
#[derive(Parser, Debug)]
#[command(name = "bank", version, max_term_width = 100)]
pub struct CommandLine {
    /// Where events are kept: `sqlite:FILE`, or `memory`, which is empty at every start and gone at
    /// the end.
    #[arg(long, global = true, value_name = "STORE", default_value_t = StoreChoice::default())]
    pub store: StoreChoice,

    /// Where `bank archive` has put old events, to be read as if they were still in the store.
    #[arg(long, global = true, value_name = "DIR")]
    pub archive: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Import a file of movements and print one line about it.
    ///
    /// The file is checked as a whole before anything is imported. A row that an account refuses is
    /// reported, counted as rejected and passed over. An import that was interrupted is run again:
    /// what it did stays, and the result is that of one clean run.
    Import {
        /// The file: CSV with the columns global_seq, account_id, account_seq, trans_id, date,
        /// direction, purpose, amount and balance; others are ignored.
        file: PathBuf,
        /// How to import it.
        #[command(flatten)]
        options: ImportOptions,
    },
    /// Print the balance of every account: CSV `account_id,balance,version`.
    Balances {
        /// Where the accounts come from.
        #[command(flatten)]
        source: Source,
    },
    /// Print the history of one account: CSV `version,date,kind,amount,balance`.
    ///
    /// The amount is the one that the event states; the balance is the one after it.
    Statement {
        /// The number of the account.
        #[arg(value_name = "ID", value_parser = account)]
        account: AccountId,
        /// As of when.
        #[command(flatten)]
        until: Until,
        /// Where the accounts come from.
        #[command(flatten)]
        source: Source,
    },
    /// Print who did what to one account and what it changed: CSV
    /// `version,position,date,recorded_at,actor,command,command_id,correlation_id,event,changes`.
    ///
    /// Changes are the fields of the account that the event changed, as `/field: before -> after`,
    /// separated by semicolons.
    Audit {
        /// The number of the account.
        #[arg(value_name = "ID", value_parser = account)]
        account: AccountId,
        /// Where the accounts come from.
        #[command(flatten)]
        source: Source,
    },
    /// Print the first event after which an account was below zero, and the command that led to it:
    /// CSV `version,date,kind,amount,balance,command,command_id,actor`.
    ///
    /// No row is printed for an account that never was.
    WhyNegative {
        /// The number of the account.
        #[arg(value_name = "ID", value_parser = account)]
        account: AccountId,
        /// Where the accounts come from.
        #[command(flatten)]
        source: Source,
    },
    /// Write all events to a file, one a line, and print how many and their digest.
    Export {
        /// The file; it must not exist yet.
        file: PathBuf,
        /// How events stand in it: `jsonl` or `cloudevents` (CloudEvents 1.0).
        #[arg(long, value_name = "FORMAT", default_value = "jsonl", value_parser = format)]
        format: Format,
        /// Where the accounts come from.
        #[command(flatten)]
        source: Source,
    },
    /// Copy all events to another store, verify the copy, and print how many and their digest.
    ///
    /// Run again it goes on where it ended.
    Copy {
        /// The store: `sqlite:FILE`.
        #[arg(long, value_name = "STORE", value_parser = sqlite_file)]
        to: PathBuf,
        /// Where the accounts come from.
        #[command(flatten)]
        source: Source,
    },
    /// Close an account that holds nothing, for ever.
    Close {
        /// The number of the account.
        #[arg(value_name = "ID", value_parser = account)]
        account: AccountId,
        /// The day on which it is closed.
        #[arg(long, value_name = "DATE", value_parser = date)]
        on: Date,
    },
    /// Move old events from the store's file into compressed files of a directory, and print what was
    /// moved.
    ///
    /// The last event of every account stays. Nothing is moved that a projection has not seen yet. A run
    /// that was killed is run again.
    Archive {
        /// Which events.
        #[command(flatten)]
        which: Which,
        /// The directory; it is made if it is not there.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Bring archived events back into the store's file: of some accounts, or of all.
    Restore {
        /// The numbers of accounts.
        #[arg(value_name = "ID", value_parser = account)]
        accounts: Vec<AccountId>,
        /// The directory of the archive.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Read the store's file, and an archive if it has one, and check every byte that is stored.
    Verify {
        /// The directory of the archive.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Print what an archive holds: CSV `segment,streams,events,first_position,last_position,uncompressed,bytes`.
    Segments {
        /// The directory of the archive.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Print totals per purpose and per day: CSV `kind,key,credits,debits,count`.
    Summary {
        /// Where the accounts come from.
        #[command(flatten)]
        source: Source,
    },
    /// Build a projection anew beside the one that is served, which it replaces when it is complete.
    Rebuild {
        /// The name of the projection, such as `balances`.
        #[arg(value_name = "PROJECTION")]
        projection: String,
    },
    /// Print how the projections are, once they have seen everything or stand still.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the events that projections could not apply, and why.
    Parked,
    /// Decide that an event which could not be applied is passed over.
    Skip {
        /// Its position, as `parked` prints it.
        #[arg(value_parser = position)]
        position: Position,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Import the bundled sample, or FILE, and print what was done and the balances.
    ///
    /// It always runs on a fresh memory store, whatever `--store` says.
    Demo {
        /// A file to import instead of the bundled sample.
        file: Option<PathBuf>,
        /// How to import it.
        #[command(flatten)]
        options: ImportOptions,
    },
}

impl Action {
    /// The file of movements that it is about, if it names one.
    pub fn input(&self) -> Option<&Path> {
        match self {
            Self::Import { file, .. } => Some(file),
            Self::Demo { file, .. } => file.as_deref(),
            Self::Balances { source }
            | Self::Statement { source, .. }
            | Self::Audit { source, .. }
            | Self::WhyNegative { source, .. }
            | Self::Export { source, .. }
            | Self::Copy { source, .. }
            | Self::Summary { source } => source.from.as_deref(),
            _ => None,
        }
    }

    /// The file that balances are to be written to, if it names one.
    pub fn balances(&self) -> Option<&Path> {
        match self {
            Self::Import { options, .. } | Self::Demo { options, .. } => {
                options.balances.as_deref()
            }
            _ => None,
        }
    }
}

/// How to import a file.
#[derive(Args, Debug)]
pub struct ImportOptions {
    /// Also write the balances after the import to this file, as CSV
    /// `account_id,balance,version`.
    #[arg(long, value_name = "OUT.csv")]
    pub balances: Option<PathBuf>,
    /// Import accounts in so many tasks at once. The rows of one account stay in their order.
    #[arg(long, value_name = "K", default_value_t = NonZeroUsize::MIN, value_parser = tasks)]
    pub tasks: NonZeroUsize,
}

/// Where the accounts of a report come from.
#[derive(Args, Debug)]
pub struct Source {
    /// Import this file first. Without it a memory store, which starts empty, imports the bundled
    /// sample, and a file holds what it holds.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
}

/// Which events are archived.
#[derive(Args, Debug, Clone, Copy)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Those of accounts that were closed before this day, such as 1999-01-01.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub closed_before: Option<Date>,
    /// Those of accounts on which nothing has happened since this day.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub quiet_since: Option<Date>,
    /// Those that happened before this day, of every account.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub older_than: Option<Date>,
}

/// How far a statement goes.
#[derive(Args, Debug, Clone, Copy)]
#[group(multiple = false)]
pub struct Until {
    /// Only what happened up to and including this day, such as 1998-12-31.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub at: Option<Date>,
    /// Only the events up to and including this version.
    #[arg(long, value_name = "N")]
    pub version: Option<u64>,
}

/// Reads a format.
fn format(text: &str) -> Result<Format, &'static str> {
    [Format::JsonLines, Format::CloudEvents]
        .into_iter()
        .find(|format| format.to_string() == text)
        .ok_or("there is no such format; there are `jsonl` and `cloudevents`")
}

/// Reads the file of an SQLite store.
fn sqlite_file(text: &str) -> Result<PathBuf, &'static str> {
    match text.strip_prefix("sqlite:") {
        Some(file) if !file.is_empty() => Ok(file.into()),
        _ => Err("a store to copy to is written as `sqlite:FILE`"),
    }
}

/// Reads a day.
fn date(text: &str) -> Result<Date, &'static str> {
    text.parse().map_err(|_| "a day is written as 1998-12-31")
}

/// Reads the number of an account.
fn account(text: &str) -> Result<AccountId, &'static str> {
    text.parse().map_err(|_| "an account is a whole number, such as 1539")
}

/// Reads a position.
fn position(text: &str) -> Result<Position, &'static str> {
    let number = text.parse().map_err(|_| "a position is a whole number, as `parked` prints it")?;
    Ok(Position::new(number))
}

/// Reads a number of tasks.
fn tasks(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "it takes a whole number from 1 on")
}

/// Where events are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// In memory, for the time of one run.
    Memory,
    /// In an SQLite file.
    Sqlite(PathBuf),
}

/// `bank.db` in the current directory.
impl Default for StoreChoice {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("bank.db"))
    }
}

impl fmt::Display for StoreChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => formatter.write_str("memory"),
            Self::Sqlite(file) => write!(formatter, "sqlite:{}", file.display()),
        }
    }
}

impl FromStr for StoreChoice {
    type Err = UnknownStore;

    fn from_str(text: &str) -> Result<Self, UnknownStore> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self::Memory),
            Some(("sqlite", file)) if !file.is_empty() => Ok(Self::Sqlite(file.into())),
            _ => Err(UnknownStore),
        }
    }
}

/// A text that names no store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such store; write `memory` or `sqlite:FILE`")]
pub struct UnknownStore;
