//! Shares a file with other processes and projects, or appends, until it is killed: the child of the
//! tests with several processes.
//!
//! `share_a_file FILE project` says on its output how each projection is, whenever that changes.
//! `share_a_file FILE append` says `appended` after each command.

use std::collections::HashMap;
use std::io::Write as _;
use std::time::Duration;

use es_core::{ErrorCategory, ProjectionState, Registry, Runtime};
use es_sqlite_store::{Durability, SqliteStore};
use es_tests::counter::{Counter, LowerByOnes, Raise};
use es_tests::tally::{Tally, TallyRows};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("FILE is missing")?;
    let role = arguments.next().ok_or("a role is missing")?;
    // The process is killed, not the machine. One that is stopped keeps the lock for longer than this.
    let store = SqliteStore::builder(file)
        .durability(Durability::Process)
        .busy_timeout(Duration::from_millis(200))
        .shared()
        .open()?;
    match role.as_str() {
        "project" => project(store).await,
        "append" => append(store).await,
        other => Err(format!("{other} is no role").into()),
    }
}

async fn project(store: SqliteStore) -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::builder().projection::<Tally>().projection::<TallyRows>().build()?;
    let runtime = Runtime::builder(store).registry(registry);
    let runtime = runtime.projection_lease(Duration::from_millis(300)).start().await?;
    let mut told = HashMap::new();
    loop {
        for status in runtime.projections() {
            let state = match &status.state {
                // It is so, too, before it has asked for its lease.
                ProjectionState::CatchingUp => continue,
                ProjectionState::Live => "live",
                ProjectionState::Standby => "standby",
                ProjectionState::Retrying { .. } => "retrying",
                other => return Err(format!("{} is {other:?}", status.name).into()),
            };
            if told.insert(status.name, state) != Some(state) {
                println!("{} {state}", status.name);
                std::io::stdout().flush()?;
            }
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

async fn append(store: SqliteStore) -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::builder().aggregate::<Counter>().build()?;
    let runtime = Runtime::builder(store).registry(registry).start().await?;
    for round in 0_u64.. {
        let counter = round % 17;
        let raised = runtime.execute(Raise { counter, by: 1 + round % 5 }).await.err();
        let lowered = match round % 3 {
            0 => runtime.execute(LowerByOnes { counter, by: 1 }).await.err(),
            _ => None,
        };
        for error in [raised, lowered].into_iter().flatten() {
            // Somebody is stopped in the middle of a transaction.
            if error.category() != ErrorCategory::Transient {
                return Err(error.into());
            }
        }
        println!("appended");
        std::io::stdout().flush()?;
        // So that the others have something to wait for.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}
