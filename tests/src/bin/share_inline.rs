//! Shares a file with other processes and appends, until it is killed: the child of the test of
//! inline projections in several processes.
//!
//! `share_inline FILE inline` keeps inline projections, `share_inline FILE next` keeps them in the next
//! version of a program, and `share_inline FILE without` has none. Each says `appended` after its
//! commands, with the position of the last event.

use std::io::Write as _;
use std::time::Duration;

use es_core::{AppendError, ErrorCategory, ExecuteError, Projection, Receipt, Registry, Runtime};
use es_sqlite_store::{Durability, SqliteStore};
use es_tests::counter::{Counter, LowerByOnes, Raise};
use es_tests::tally::{CEILING, InlineTally, InlineTallyRows, next};

type Failed = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("FILE is missing")?;
    let role = arguments.next().ok_or("a role is missing")?;
    // The process is killed, not the machine. One that is stopped keeps the lock for longer than this.
    let store = SqliteStore::builder(&file)
        .durability(Durability::Process)
        .busy_timeout(Duration::from_millis(200))
        .shared()
        .open()?;
    let registry = Registry::builder().aggregate::<Counter>();
    match role.as_str() {
        "inline" => {
            let registry = registry.projection::<InlineTally>().projection::<InlineTallyRows>();
            with::<InlineTally, InlineTallyRows>(started(store, registry.build()?).await?).await
        }
        "next" => {
            let registry =
                registry.projection::<next::InlineTally>().projection::<next::InlineTallyRows>();
            let runtime = started(store, registry.build()?).await?;
            with::<next::InlineTally, next::InlineTallyRows>(runtime).await
        }
        "without" => without(started(store, registry.build()?).await?).await,
        other => Err(format!("{other} is no role").into()),
    }
}

async fn started(store: SqliteStore, registry: Registry) -> Result<Runtime<SqliteStore>, Failed> {
    let runtime = Runtime::builder(store).registry(registry);
    Ok(runtime.projection_lease(Duration::from_millis(300)).start().await?)
}

/// What was done, if nobody has the lock of the file, and others have not been faster each time.
fn unless_blocked(
    answer: Result<Receipt, ExecuteError<impl std::error::Error + 'static>>,
) -> Result<Option<Receipt>, Failed> {
    match answer {
        Ok(receipt) => Ok(Some(receipt)),
        Err(error) if passes(error.category()) => Ok(None),
        Err(error) => Err(error.to_string().into()),
    }
}

fn passes(category: ErrorCategory) -> bool {
    matches!(category, ErrorCategory::Transient | ErrorCategory::Conflict)
}

fn say(receipt: &Receipt) -> Result<(), Failed> {
    println!("appended {}", receipt.position.unwrap_or_default());
    Ok(std::io::stdout().flush()?)
}

async fn with<D: Projection, R: Projection>(runtime: Runtime<SqliteStore>) -> Result<(), Failed> {
    for round in 0_u64.. {
        let (counter, by) = (round % 17, 1 + round % 5);
        if let Some(receipt) = unless_blocked(runtime.execute(Raise { counter, by }).await)? {
            // It is there with its event: nothing is waited for.
            applied::<D>(&runtime, &receipt).await?;
            applied::<R>(&runtime, &receipt).await?;
            say(&receipt)?;
            if let Some(receipt) =
                unless_blocked(runtime.execute(LowerByOnes { counter, by }).await)?
            {
                applied::<D>(&runtime, &receipt).await?;
                applied::<R>(&runtime, &receipt).await?;
            }
        }
        if round % 7 == 0 {
            match runtime.execute(Raise { counter, by: CEILING + 1 }).await {
                Err(ExecuteError::Append(AppendError::Inline(_))) => {}
                Err(error) if passes(error.category()) => {}
                other => return Err(format!("not refused: {other:?}").into()),
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn applied<P: Projection>(
    runtime: &Runtime<SqliteStore>,
    receipt: &Receipt,
) -> Result<(), Failed> {
    let applied = runtime.wait_for::<P>(receipt).within(Duration::ZERO).await;
    applied.map_err(|error| format!("{} after {receipt:?}: {error}", P::NAME).into())
}

async fn without(runtime: Runtime<SqliteStore>) -> Result<(), Failed> {
    for round in 0_u64.. {
        let counter = round % 17;
        if let Some(receipt) = unless_blocked(runtime.execute(Raise { counter, by: 1 }).await)? {
            say(&receipt)?;
            unless_blocked(runtime.execute(LowerByOnes { counter, by: 1 }).await)?;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}
