//! What the program prints: comma-separated values, all amounts in whole haléř.

use std::io::{self, Write};

use es_archive::SegmentSummary;
use es_core::jiff::Timestamp;
use es_core::jiff::civil::Date;
use es_core::{
    DeadLetter, DifferenceError, EventSet, EventStore, FieldChange, FirstTime, LoadError, Metadata,
    Position, ProjectionState, ProjectionStatus, Recorded, Runtime, Version,
};

use crate::account::{Account, AccountEvent, AccountId, Closed, Opened};
use crate::command_line::Until;
use crate::import::Imported;
use crate::projections::{Balances, Sums, Totals};
use crate::{business_day, end_of_business_day};

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

impl StatementLine {
    fn new(account: &Account, event: &AccountEvent, recorded: &Recorded<'_>) -> Self {
        Self {
            version: recorded.version,
            date: business_day(recorded.happened_at()),
            kind: kind(event),
            amount: stated_amount(event),
            balance: account.balance(),
        }
    }
}

/// The history of an account as of a day or version, or all of it; nothing if it was not open then.
///
/// # Errors
/// When the history can not be read.
pub async fn statement<S: EventStore>(
    runtime: &Runtime<S>,
    account: AccountId,
    until: &Until,
) -> Result<Vec<StatementLine>, LoadError> {
    let mut lines = Vec::new();
    let history = runtime.history::<Account>(&account)?;
    let show = |account: &Account, event: &AccountEvent, recorded: &Recorded<'_>| {
        lines.push(StatementLine::new(account, event, recorded));
    };
    match *until {
        Until { at: Some(day), .. } => {
            history.for_each_as_of_business(end_of_business_day(day), show).await?;
        }
        Until { version, .. } => {
            let version = version.map_or(Version::MAX, Version::new);
            history.for_each_up_to(version, show).await?;
        }
    }
    Ok(lines)
}

/// One event of an account, as an auditor sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditLine {
    /// The version of the account after it.
    pub version: Version,
    /// Its place among all events of the bank.
    pub position: Position,
    /// The day on which it happened in the bank.
    pub date: Date,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Who and what led to it.
    pub metadata: Metadata,
    /// What happened: the stored name of the event, without that of the account.
    pub kind: &'static str,
    /// The fields of the account that it changed.
    pub changes: Vec<FieldChange>,
}

/// Who did what to an account, and what it changed.
///
/// # Errors
/// When the history can not be read.
pub async fn audit<S: EventStore>(
    runtime: &Runtime<S>,
    account: AccountId,
) -> Result<Vec<AuditLine>, DifferenceError> {
    let mut lines = Vec::new();
    let history = runtime.history::<Account>(&account)?;
    history
        .for_each_change(|changes, event, recorded| {
            lines.push(AuditLine {
                version: recorded.version,
                position: recorded.position,
                date: business_day(recorded.happened_at()),
                recorded_at: recorded.recorded_at,
                metadata: recorded.metadata.clone(),
                kind: kind(event),
                changes: changes.to_vec(),
            });
        })
        .await?;
    Ok(lines)
}

/// The event that first left an account below zero, and who and what led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstOverdraft {
    /// The event with the balance after it.
    pub line: StatementLine,
    /// Who and what led to it.
    pub metadata: Metadata,
}

/// The event that first left an account below zero, or `None` if none did.
///
/// # Errors
/// When the history can not be read.
pub async fn first_overdraft<S: EventStore>(
    runtime: &Runtime<S>,
    account: AccountId,
) -> Result<Option<FirstOverdraft>, LoadError> {
    let history = runtime.history::<Account>(&account)?;
    let found = history.first_where(|account| account.balance() < 0).await?;
    let Some(FirstTime { loaded, event: Some(event) }) = found else { return Ok(None) };
    let recorded = event.as_recorded();
    let decoded = AccountEvent::decode(&recorded)?;
    // A stored event may become several: the state is the one after the last.
    let Some(last) = decoded.as_slice().last() else { return Ok(None) };
    let line = StatementLine::new(&loaded.state, last, &recorded);
    Ok(Some(FirstOverdraft { line, metadata: event.metadata }))
}

fn kind(event: &AccountEvent) -> &'static str {
    let name = event.event_type().name();
    name.strip_prefix("account.").unwrap_or(name)
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

/// Writes `segment,streams,events,first_position,last_position,uncompressed,bytes` of every segment.
///
/// # Errors
/// When `out` fails.
pub fn write_segments(out: &mut impl Write, segments: &[SegmentSummary]) -> io::Result<()> {
    writeln!(out, "segment,streams,events,first_position,last_position,uncompressed,bytes")?;
    for SegmentSummary { name, streams, events, positions, lines, bytes, .. } in segments {
        let (first, last) = positions;
        writeln!(out, "{name},{streams},{events},{first},{last},{lines},{bytes}")?;
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

/// Writes `version,position,date,recorded_at,actor,command,command_id,correlation_id,event,changes` of
/// every event of an account.
///
/// # Errors
/// When `out` fails.
pub fn write_audit(out: &mut impl Write, lines: &[AuditLine]) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record([
        "version",
        "position",
        "date",
        "recorded_at",
        "actor",
        "command",
        "command_id",
        "correlation_id",
        "event",
        "changes",
    ])?;
    for line in lines {
        let changes: Vec<_> = line.changes.iter().map(ToString::to_string).collect();
        out.write_record([
            line.version.to_string(),
            line.position.to_string(),
            line.date.to_string(),
            line.recorded_at.to_string(),
            line.metadata.actor().unwrap_or_default().to_owned(),
            command_name(&line.metadata).to_owned(),
            command_id(&line.metadata),
            line.metadata.correlation_id().map(|id| id.to_string()).unwrap_or_default(),
            line.kind.to_owned(),
            changes.join("; "),
        ])?;
    }
    out.flush()
}

/// Writes `version,date,kind,amount,balance,command,command_id,actor`, and one row if there is one.
///
/// # Errors
/// When `out` fails.
pub fn write_first_overdraft(
    out: &mut impl Write,
    first: Option<&FirstOverdraft>,
) -> io::Result<()> {
    writeln!(out, "version,date,kind,amount,balance,command,command_id,actor")?;
    if let Some(FirstOverdraft { line, metadata }) = first {
        let StatementLine { version, date, kind, amount, balance } = line;
        let (command, command_id) = (command_name(metadata), command_id(metadata));
        let actor = metadata.actor().unwrap_or_default();
        writeln!(out, "{version},{date},{kind},{amount},{balance},{command},{command_id},{actor}")?;
    }
    Ok(())
}

fn state(state: &ProjectionState) -> &'static str {
    match state {
        ProjectionState::CatchingUp => "catching up",
        ProjectionState::Live => "live",
        ProjectionState::Inline => "inline",
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

fn command_name(metadata: &Metadata) -> &str {
    metadata.command().map(|command| command.name.as_str()).unwrap_or_default()
}

fn command_id(metadata: &Metadata) -> String {
    let id = metadata.command().and_then(|command| command.id);
    id.map(|id| id.to_string()).unwrap_or_default()
}
