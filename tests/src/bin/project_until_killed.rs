//! Writes, projects, rebuilds and swaps until it is killed: the child of the crash tests.
//!
//! `project_until_killed FILE SEED`

use std::io::Write as _;
use std::time::Duration;

use es_core::{Registry, Runtime};
use es_sqlite_store::{Durability, SqliteStore};
use es_tests::counter::{Counter, LowerByOnes, Raise};
use es_tests::tally::{Tally, TallyRows};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("FILE is missing")?;
    let seed: u64 = arguments.next().ok_or("SEED is missing")?.parse()?;
    // The process is killed, not the machine.
    let store = SqliteStore::builder(file).durability(Durability::Process).open()?;
    let registry = Registry::builder()
        .aggregate::<Counter>()
        .projection::<Tally>()
        .projection::<TallyRows>()
        .build()?;
    let runtime = Runtime::builder(store).registry(registry).start().await?;
    println!("started");
    std::io::stdout().flush()?;
    let rebuilding = runtime.clone();
    tokio::spawn(async move {
        loop {
            for name in ["tally", "tally-rows"] {
                let Ok(handle) = rebuilding.projection_handle(name) else { continue };
                // What fails because the program is about to end is tried again by the next one.
                if let Ok(rebuild) = handle.rebuild().await {
                    let _ = rebuild.finished().await;
                }
                let _ = handle.discard_others().await;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    for round in seed.. {
        let counter = round % 17;
        runtime.execute(Raise { counter, by: 1 + round % 5 }).await?;
        if round % 3 == 0 {
            runtime.execute(LowerByOnes { counter, by: 1 }).await?;
        }
    }
    Ok(())
}
