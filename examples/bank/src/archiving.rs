//! Moving old events into an archive and back, and checking that all is there.

use std::io::Write;

use es_archive::{Archive, Archived, Policy, Restored};
use es_core::{Aggregate, Event, EventStore, Runtime, StreamRange, Version};
use es_sqlite_store::SqliteStore;

use crate::account::{Account, AccountId, Closed};
use crate::command_line::Which;
use crate::program::{Failure, settled};
use crate::start_of_business_day;

/// Archives what the projections have seen, and says what.
///
/// # Errors
/// When a projection has not seen it, or a file or the store fails.
pub async fn archive(
    runtime: &Runtime<SqliteStore>,
    archive: &Archive,
    which: &Which,
    out: &mut impl Write,
) -> Result<(), Failure> {
    settled(runtime).await;
    let Archived { streams, events, segments, lines, bytes, changed, .. } =
        archive.archiver(runtime).archive(&policy(which)).await?;
    let (segments, changed) = (segments.len(), changed.len());
    writeln!(
        out,
        "accounts={streams} events={events} segments={segments} uncompressed={lines} bytes={bytes} changed={changed}"
    )?;
    Ok(())
}

/// Which events are archived.
fn policy(which: &Which) -> Policy {
    let policy = match *which {
        Which { closed_before: Some(day), .. } => {
            Policy::ended_with([Closed::NAME]).before(start_of_business_day(day))
        }
        Which { quiet_since: Some(day), .. } => Policy::quiet_since(start_of_business_day(day)),
        Which { older_than: Some(day), .. } => Policy::older_than(start_of_business_day(day)),
        // The command line asks for one of them.
        Which { .. } => Policy::whole_where(|_| false),
    };
    policy.of_category(Account::NAME)
}

/// Brings the events of some accounts back, or all there are.
///
/// # Errors
/// When a segment is missing or damaged, or the store fails.
pub async fn restore(
    store: &SqliteStore,
    archive: &Archive,
    accounts: &[AccountId],
    out: &mut impl Write,
) -> Result<(), Failure> {
    let (mut streams, mut events) = (0, 0);
    let mut add = |restored: Restored| {
        streams += restored.streams;
        events += restored.events;
    };
    if accounts.is_empty() {
        add(archive.restore_all(store).await?);
    }
    for account in accounts {
        let stream = Account::stream(account).map_err(es_archive::ArchiveError::from)?;
        let nothing = StreamRange { limit: 0, ..StreamRange::all() };
        if store.read_stream(&stream, nothing).await?.version == Version::ZERO {
            return Err(Failure::NoAccount(*account));
        }
        add(archive.restore(store, &stream).await?);
    }
    writeln!(out, "accounts={streams} events={events}")?;
    Ok(())
}

/// Reads everything, and says how much it is.
///
/// # Errors
/// With what is not as it was written.
pub async fn verify(
    store: &SqliteStore,
    archive: Option<&Archive>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let live = store.verify().await?;
    write!(out, "events={} streams={}", live.events, live.streams)?;
    if let Some(archive) = archive {
        let verified = archive.verify_with(store).await?;
        write!(out, " segments={} archived={}", verified.segments, verified.archived)?;
    }
    writeln!(out)?;
    Ok(())
}
