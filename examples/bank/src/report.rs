//! What the program prints: comma-separated values, all amounts in whole haléř.

use std::io::{self, Write};

use es_core::jiff::civil::Date;
use es_core::{
    DeadLetter, EventSet, EventStore, LoadError, ProjectionState, ProjectionStatus, Runtime,
    Version,
};

use crate::account::{Account, AccountEvent, AccountId, Closed, Opened};
use crate::business_day;
use crate::import::Imported;
use crate::projections::{Balances, Sums, Totals};

/// Writes what an import has done, in one line.
///
/// # Errors
/// When `out` fails.
pub fn write_summary_line(out: &mut impl Write, imported: &Imported) -> io::Result<()> {
    let Imported { accounts, movements, roundings, rejected, .. } = imported;
    let rejected = rejected.len();
    writeln!(
        out,
        "accounts={accounts} movements={movements} roundings={roundings} rejected={rejected}"
    )
}

/// Writes `account_id,balance,version` of every account, sorted by account.
///
/// # Errors
/// When `out` fails.
pub fn write_balances(out: &mut impl Write, balances: &Balances) -> io::Result<()> {
    writeln!(out, "account_id,balance,version")?;
    for (account, entry) in balances.iter() {
        writeln!(out, "{account},{},{}", entry.balance, entry.version)?;
    }
    Ok(())
}

/// Writes `kind,key,credits,debits,count`: a row for each purpose, where `none` is for movements
/// without one, and a row for each day.
///
/// # Errors
/// When `out` fails.
pub fn write_totals(out: &mut impl Write, sums: &Sums) -> io::Result<()> {
    writeln!(out, "kind,key,credits,debits,count")?;
    for (purpose, Totals { credits, debits, count }) in &sums.purposes {
        let purpose = if purpose.is_empty() { "none" } else { purpose };
        writeln!(out, "purpose,{purpose},{credits},{debits},{count}")?;
    }
    for (day, Totals { credits, debits, count }) in &sums.days {
        writeln!(out, "day,{day},{credits},{debits},{count}")?;
    }
    Ok(())
}

/// One event of an account, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// The version of the account after it.
    pub version: Version,
    /// The day on which it happened in the bank.
    pub date: Date,
    /// What happened: the stored name of the event, without that of the account.
    pub kind: &'static str,
    /// The amount that the event states; zero if it is not about money.
    pub amount: i128,
    /// What the account holds after it.
    pub balance: i64,
}

/// The history of an account, or nothing if it was never opened.
///
/// # Errors
/// When the history can not be read.
pub async fn statement<S: EventStore>(
    runtime: &Runtime<S>,
    account: AccountId,
) -> Result<Vec<StatementLine>, LoadError> {
    let mut lines = Vec::new();
    let history = runtime.history::<Account>(&account)?;
    history
        .for_each(|account, event, recorded| {
            let name = event.event_type().name();
            lines.push(StatementLine {
                version: recorded.version,
                date: business_day(recorded.happened_at()),
                kind: name.strip_prefix("account.").unwrap_or(name),
                amount: stated_amount(event),
                balance: account.balance(),
            });
        })
        .await?;
    Ok(lines)
}

fn stated_amount(event: &AccountEvent) -> i128 {
    match event {
        AccountEvent::Opened(Opened { .. }) | AccountEvent::Closed(Closed) => 0,
        AccountEvent::Deposited(deposited) => deposited.amount.into(),
        AccountEvent::Withdrawn(withdrawn) => withdrawn.amount.into(),
        AccountEvent::RoundingPosted(rounding) => rounding.delta.into(),
    }
}

/// Writes `version,date,kind,amount,balance` of every event of an account.
///
/// # Errors
/// When `out` fails.
pub fn write_statement(out: &mut impl Write, lines: &[StatementLine]) -> io::Result<()> {
    writeln!(out, "version,date,kind,amount,balance")?;
    for StatementLine { version, date, kind, amount, balance } in lines {
        writeln!(out, "{version},{date},{kind},{amount},{balance}")?;
    }
    Ok(())
}

/// Writes a table of how the projections are.
///
/// # Errors
/// When `out` fails.
pub fn write_status(out: &mut impl Write, statuses: &[ProjectionStatus]) -> io::Result<()> {
    writeln!(
        out,
        "{:<12} {:>7} {:>10} {:<12} {:>10} {:>10} {:>6} {:>6}",
        "projection", "version", "generation", "state", "position", "head", "behind", "parked"
    )?;
    for status in statuses {
        let generation =
            status.generation.map_or_else(|| "-".to_owned(), |generation| generation.to_string());
        writeln!(
            out,
            "{:<12} {:>7} {:>10} {:<12} {:>10} {:>10} {:>6} {:>6}",
            status.name,
            status.version,
            generation,
            state(&status.state),
            status.position,
            status.head,
            status.lag(),
            status.dead_letters.len()
        )?;
    }
    Ok(())
}

fn state(state: &ProjectionState) -> &'static str {
    match state {
        ProjectionState::CatchingUp => "catching up",
        ProjectionState::Live => "live",
        ProjectionState::Rebuilding => "rebuilding",
        ProjectionState::Standby => "standby",
        ProjectionState::Retrying { .. } => "retrying",
        ProjectionState::Parked { .. } => "parked",
        ProjectionState::Failed { .. } => "failed",
        ProjectionState::Stopped => "stopped",
        _ => "unknown",
    }
}

/// Writes what projections could not apply, one line each.
///
/// # Errors
/// When `out` fails.
pub fn write_parked(out: &mut impl Write, letters: &[DeadLetter]) -> io::Result<()> {
    for DeadLetter { projection, key, position, attempts, error, .. } in letters {
        let key = key.as_deref().map_or_else(String::new, |key| format!(" key={key}"));
        writeln!(
            out,
            "position={position} projection={projection}{key} attempts={attempts} {error}"
        )?;
    }
    Ok(())
}
