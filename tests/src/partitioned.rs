//! Read models in partitions, which refuse every event that comes twice, is left out or comes out of
//! order.

use std::fmt::Display;

use es_core::prelude::*;
use es_core::{ProjectRows, RowTables};
use es_sqlite_store::rusqlite::params;
use es_sqlite_store::{Sqlite, SqliteTransaction};

use crate::counter::{Lowered, Raised};
use crate::tally::{Tally, digest};

/// [`Tally`], in three partitions.
#[derive(Projection, Default, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[projection(
    name = "parted-tally",
    events(Raised, Lowered),
    documents,
    partitions = 3,
    register = false
)]
pub struct PartedTally {
    pub tally: Tally,
}

impl Project<Raised> for PartedTally {
    fn project(&mut self, event: &Raised, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.tally.project(event, recorded)
    }
}

impl Project<Lowered> for PartedTally {
    fn project(&mut self, event: &Lowered, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.tally.project(event, recorded)
    }
}

/// The counter, and the step it was moved by: an event belongs to two documents, in one partition or
/// in two.
fn counter_and_step(event: &StepsEvent, recorded: &Recorded<'_>) -> [String; 2] {
    let by = match event {
        StepsEvent::Raised(raised) => raised.by,
        StepsEvent::Lowered(lowered) => lowered.by,
    };
    [format!("counter-{}", recorded.stream.id()), format!("step-{}", by % 5)]
}

/// How many events each counter and each step has, and a digest of their positions.
#[derive(Projection, Default, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[projection(
    name = "steps",
    events(Raised, Lowered),
    documents(key = counter_and_step),
    partitions = 4,
    register = false
)]
pub struct Steps {
    pub events: u64,
    pub digest: u64,
    pub last: u64,
}

impl Steps {
    pub fn note(&mut self, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        if recorded.position.get() <= self.last {
            return Err(ProjectError::new(format!("after position {}", self.last)));
        }
        self.last = recorded.position.get();
        self.events += 1;
        self.digest = digest(self.digest, recorded.position);
        Ok(())
    }
}

impl Project<Raised> for Steps {
    fn project(&mut self, _: &Raised, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.note(recorded)
    }
}

impl Project<Lowered> for Steps {
    fn project(&mut self, _: &Lowered, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.note(recorded)
    }
}

/// Rows by stream in three partitions: one for each counter.
#[derive(Projection)]
#[projection(
    name = "parted-rows",
    events(Raised, Lowered),
    rows = Sqlite,
    partitions = 3,
    register = false
)]
pub struct PartedRows;

/// Rows by step in five partitions: one for each step.
#[derive(Projection)]
#[projection(
    name = "step-rows",
    events(Raised, Lowered),
    rows = Sqlite,
    partitions = 5,
    partition = step,
    register = false
)]
pub struct StepRows;

fn step(event: &StepRowsEvent, _: &Recorded<'_>) -> impl Display + use<> {
    match event {
        StepRowsEvent::Raised(raised) => raised.by % 7,
        StepRowsEvent::Lowered(lowered) => lowered.by % 7,
    }
}

impl RowTables<Sqlite> for PartedRows {
    const TABLES: &'static [&'static str] = &["parted"];

    fn create(rows: &mut SqliteTransaction<'_>) -> Result<(), ProjectError> {
        rows.execute_batch(
            "CREATE TABLE {parted} (key TEXT PRIMARY KEY, events INTEGER NOT NULL,
                last INTEGER NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID",
        )?;
        Ok(())
    }
}

impl RowTables<Sqlite> for StepRows {
    const TABLES: &'static [&'static str] = &["steps"];

    fn create(rows: &mut SqliteTransaction<'_>) -> Result<(), ProjectError> {
        rows.execute_batch(
            "CREATE TABLE {steps} (key TEXT PRIMARY KEY, events INTEGER NOT NULL,
                last INTEGER NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID",
        )?;
        Ok(())
    }
}

/// How a table counts.
struct Counting {
    select: &'static str,
    upsert: &'static str,
}

const PARTED: Counting = Counting {
    select: "SELECT last FROM {parted} WHERE key = ?1",
    upsert: "INSERT INTO {parted} VALUES (?1, 1, ?2, ?3) ON CONFLICT (key)
             DO UPDATE SET events = events + 1, last = ?2, sum = sum + ?3",
};

const STEPS: Counting = Counting {
    select: "SELECT last FROM {steps} WHERE key = ?1",
    upsert: "INSERT INTO {steps} VALUES (?1, 1, ?2, ?3) ON CONFLICT (key)
             DO UPDATE SET events = events + 1, last = ?2, sum = sum + ?3",
};

/// Counts an event of a key. One that is not behind the last one is refused.
fn count(
    rows: &mut SqliteTransaction<'_>,
    table: &Counting,
    key: &str,
    by: u64,
    recorded: &Recorded<'_>,
) -> Result<(), ProjectError> {
    let position = recorded.position.get().cast_signed();
    let last: Option<i64> = rows.query_row(table.select, [key], |row| row.get(0))?;
    if last.is_some_and(|last| last >= position) {
        return Err(ProjectError::new(format!("out of order, after {last:?}")));
    }
    rows.execute(table.upsert, params![key, position, by.cast_signed()])?;
    Ok(())
}

impl ProjectRows<Sqlite, Raised> for PartedRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Raised,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        count(rows, &PARTED, recorded.stream.id(), event.by, recorded)
    }
}

impl ProjectRows<Sqlite, Lowered> for PartedRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Lowered,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        count(rows, &PARTED, recorded.stream.id(), event.by, recorded)
    }
}

impl ProjectRows<Sqlite, Raised> for StepRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Raised,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        count(rows, &STEPS, &(event.by % 7).to_string(), event.by, recorded)
    }
}

impl ProjectRows<Sqlite, Lowered> for StepRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Lowered,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        count(rows, &STEPS, &(event.by % 7).to_string(), event.by, recorded)
    }
}
