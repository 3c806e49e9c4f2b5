//! Writes, and tells a file of every event, until it is killed: the child of the crash test of side
//! effects.
//!
//! `react_until_killed FILE NOTICES ROUND`

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use es_core::ProjectError;
use es_sqlite_store::{Durability, SqliteStore};
use es_tests::counter::{LowerByOnes, Raise};
use es_tests::mail::{Outside, Parted};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("FILE is missing")?;
    let notices = arguments.next().ok_or("NOTICES is missing")?;
    let seed: u64 = arguments.next().ok_or("ROUND is missing")?.parse()?;
    let notices = Mutex::new(OpenOptions::new().create(true).append(true).open(notices)?);
    let outside: Outside = Arc::new(move |_, occasion| {
        let recorded = &occasion.recorded;
        let (stream, version) = (recorded.stream.id(), recorded.version);
        let line = format!("{stream} {version} {}\n", occasion.may_be_repeated);
        // In one call: it is there whole or not at all.
        let mut notices = notices.lock().unwrap_or_else(PoisonError::into_inner);
        Ok::<_, ProjectError>(notices.write_all(line.as_bytes())?)
    });
    let parted = [Parted::In5, Parted::In2, Parted::In1][(seed % 3) as usize];
    // The process is killed, not the machine.
    let store = SqliteStore::builder(file).durability(Durability::Process).open()?;
    let runtime = parted.start(&Arc::new(store), &outside, Duration::from_secs(5)).await?;
    println!("started");
    std::io::stdout().flush()?;
    for round in seed * 31.. {
        let counter = round % 17;
        runtime.execute(Raise { counter, by: 1 + round % 5 }).await?;
        if round % 3 == 0 {
            runtime.execute(LowerByOnes { counter, by: 1 }).await?;
        }
    }
    Ok(())
}
