//! Counters that are kept in each home, so that their results can be compared.

use std::collections::BTreeMap;
use std::time::Duration;

use es_core::prelude::*;
use es_core::{EventStore, Position, ProjectRows, Query, QueryRange, RowTables, Runtime};
use es_sqlite_store::rusqlite::params;
use es_sqlite_store::{Sqlite, SqliteStore, SqliteTransaction};

use crate::counter::{CounterEvent, Lowered, Raised};

/// One document for each counter. What is applied twice or left out shows in `events`, in
/// `version` and in the digest of the positions.
#[derive(Projection, Default, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[projection(name = "tally", events(Raised, Lowered), documents, register = false)]
pub struct Tally {
    pub value: u64,
    pub events: u64,
    pub version: u64,
    pub digest: u64,
}

impl Tally {
    fn note(&mut self, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        if recorded.version.get() != self.version + 1 {
            return Err(ProjectError::new(format!("after version {}", self.version)));
        }
        self.version += 1;
        self.events += 1;
        self.digest = digest(self.digest, recorded.position);
        Ok(())
    }
}

/// Changes with every position and with their order.
pub fn digest(before: u64, position: Position) -> u64 {
    (before ^ position.get()).wrapping_mul(0x0000_0100_0000_01b3)
}

impl Project<Raised> for Tally {
    fn project(&mut self, event: &Raised, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.note(recorded)?;
        self.value += event.by;
        Ok(())
    }
}

impl Project<Lowered> for Tally {
    fn project(&mut self, event: &Lowered, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.note(recorded)?;
        self.value -= event.by;
        Ok(())
    }
}

/// The same in rows, one for each counter and one for each event.
#[derive(Projection)]
#[projection(name = "tally-rows", events(Raised, Lowered), rows = Sqlite, register = false)]
pub struct TallyRows;

impl RowTables<Sqlite> for TallyRows {
    const TABLES: &'static [&'static str] = &["tallies", "tally_events"];

    fn create(rows: &mut SqliteTransaction<'_>) -> Result<(), ProjectError> {
        rows.execute_batch(
            "CREATE TABLE {tallies} (counter TEXT PRIMARY KEY, value INTEGER NOT NULL,
                events INTEGER NOT NULL) WITHOUT ROWID;
             CREATE TABLE {tally_events} (position INTEGER PRIMARY KEY);",
        )?;
        Ok(())
    }
}

fn add(
    rows: &mut SqliteTransaction<'_>,
    recorded: &Recorded<'_>,
    change: i64,
) -> Result<(), ProjectError> {
    rows.execute(
        "INSERT INTO {tallies} (counter, value, events) VALUES (?1, ?2, 1)
         ON CONFLICT (counter) DO UPDATE SET value = value + ?2, events = events + 1",
        params![recorded.stream.id(), change],
    )?;
    // A position that comes twice is refused.
    let position = recorded.position.get().cast_signed();
    rows.execute("INSERT INTO {tally_events} (position) VALUES (?1)", [position])?;
    Ok(())
}

impl ProjectRows<Sqlite, Raised> for TallyRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Raised,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        add(rows, recorded, event.by.cast_signed())
    }
}

impl ProjectRows<Sqlite, Lowered> for TallyRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Lowered,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        add(rows, recorded, -event.by.cast_signed())
    }
}

/// What both read models must hold: a fold over the log that knows nothing of projections.
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
async fn fold(store: &SqliteStore) -> (BTreeMap<String, Tally>, Vec<i64>) {
    let (mut tallies, mut positions) = (BTreeMap::<String, Tally>::new(), Vec::new());
    let mut range = QueryRange::all();
    loop {
        let page = store.read(&Query::all(), range).await.unwrap();
        for recorded in page.events.iter() {
            let tally = tallies.entry(recorded.stream.id().to_owned()).or_default();
            match CounterEvent::decode(&recorded).unwrap().one().unwrap() {
                CounterEvent::Raised(raised) => tally.value += raised.by,
                CounterEvent::Lowered(lowered) => tally.value -= lowered.by,
            }
            tally.events += 1;
            tally.version = recorded.version.get();
            tally.digest = digest(tally.digest, recorded.position);
            positions.push(recorded.position.get() as i64);
        }
        if !page.more {
            return (tallies, positions);
        }
        range = QueryRange::after(page.token(&range));
    }
}

/// Waits until both are current, and compares them with a plain fold. Answers with the number of events.
///
/// # Panics
/// When they differ.
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub async fn assert_read_models_hold_the_fold(runtime: &Runtime<SqliteStore>) -> usize {
    let patience = Duration::from_secs(60);
    runtime.wait_until_current::<Tally>().within(patience).await.unwrap();
    runtime.wait_until_current::<TallyRows>().within(patience).await.unwrap();
    let (tallies, positions) = fold(runtime.store()).await;
    let found: BTreeMap<_, _> =
        runtime.documents::<Tally>().unwrap().all().await.unwrap().into_iter().collect();
    assert_eq!(found, tallies);
    let rows = runtime.store().read_rows(|connection| {
        let mut rows = connection.prepare("SELECT counter, value, events FROM tallies")?;
        let rows = rows.query_map([], |row| {
            Ok((row.get(0)?, (row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64)))
        })?;
        let tallies = rows.collect::<Result<BTreeMap<String, _>, _>>()?;
        let mut events =
            connection.prepare("SELECT position FROM tally_events ORDER BY position")?;
        let events = events.query_map([], |row| row.get(0))?;
        Ok((tallies, events.collect::<Result<Vec<i64>, _>>()?))
    });
    let (rows, events) = rows.await.unwrap();
    let expected: BTreeMap<_, _> =
        tallies.into_iter().map(|(counter, it)| (counter, (it.value, it.events))).collect();
    assert_eq!(rows, expected);
    assert_eq!(events, positions);
    positions.len()
}

/// The highest that a counter may stand for the inline read models: one rule that an aggregate does
/// not know.
pub const CEILING: u64 = 1_000;

/// [`Tally`], changed in the step that appends.
#[derive(Projection, Default, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[projection(name = "tally-inline", events(Raised, Lowered), documents, inline, register = false)]
pub struct InlineTally {
    pub tally: Tally,
}

impl Project<Raised> for InlineTally {
    fn project(&mut self, event: &Raised, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        if self.tally.value + event.by > CEILING {
            return Err(ProjectError::new(format!("{} is too high", self.tally.value + event.by)));
        }
        self.tally.project(event, recorded)
    }
}

impl Project<Lowered> for InlineTally {
    fn project(&mut self, event: &Lowered, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.tally.project(event, recorded)
    }
}

/// [`TallyRows`], changed in the step that appends.
#[derive(Projection)]
#[projection(
    name = "tally-rows-inline",
    events(Raised, Lowered),
    rows = Sqlite,
    inline,
    register = false
)]
pub struct InlineTallyRows;

impl RowTables<Sqlite> for InlineTallyRows {
    const TABLES: &'static [&'static str] = &["inline_tallies", "inline_events"];

    fn create(rows: &mut SqliteTransaction<'_>) -> Result<(), ProjectError> {
        rows.execute_batch(
            "CREATE TABLE {inline_tallies} (counter TEXT PRIMARY KEY, value INTEGER NOT NULL,
                events INTEGER NOT NULL) WITHOUT ROWID;
             CREATE TABLE {inline_events} (position INTEGER PRIMARY KEY);",
        )?;
        Ok(())
    }
}

fn add_inline(
    rows: &mut SqliteTransaction<'_>,
    recorded: &Recorded<'_>,
    change: i64,
) -> Result<(), ProjectError> {
    // Before the rule is looked at: what is written until then must not stay.
    let position = recorded.position.get().cast_signed();
    rows.execute("INSERT INTO {inline_events} (position) VALUES (?1)", [position])?;
    rows.execute(
        "INSERT INTO {inline_tallies} (counter, value, events) VALUES (?1, ?2, 1)
         ON CONFLICT (counter) DO UPDATE SET value = value + ?2, events = events + 1",
        params![recorded.stream.id(), change],
    )?;
    let value: Option<i64> = rows.query_row(
        "SELECT value FROM {inline_tallies} WHERE counter = ?1",
        [recorded.stream.id()],
        |row| row.get(0),
    )?;
    match value {
        Some(value) if value > CEILING.cast_signed() => {
            Err(ProjectError::new(format!("{value} is too high")))
        }
        _ => Ok(()),
    }
}

impl ProjectRows<Sqlite, Raised> for InlineTallyRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Raised,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        add_inline(rows, recorded, event.by.cast_signed())
    }
}

impl ProjectRows<Sqlite, Lowered> for InlineTallyRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Lowered,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        add_inline(rows, recorded, -event.by.cast_signed())
    }
}

/// [`InlineTally`] and [`InlineTallyRows`] in the next version of a program.
pub mod next {
    use super::*;

    #[derive(Projection, Default, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
    #[projection(
        name = "tally-inline",
        version = 2,
        events(Raised, Lowered),
        documents,
        inline,
        register = false
    )]
    pub struct InlineTally {
        pub tally: Tally,
    }

    impl Project<Raised> for InlineTally {
        fn project(&mut self, event: &Raised, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
            self.tally.project(event, recorded)
        }
    }

    impl Project<Lowered> for InlineTally {
        fn project(
            &mut self,
            event: &Lowered,
            recorded: &Recorded<'_>,
        ) -> Result<(), ProjectError> {
            self.tally.project(event, recorded)
        }
    }

    #[derive(Projection)]
    #[projection(
        name = "tally-rows-inline",
        version = 2,
        events(Raised, Lowered),
        rows = Sqlite,
        inline,
        register = false
    )]
    pub struct InlineTallyRows;

    impl RowTables<Sqlite> for InlineTallyRows {
        const TABLES: &'static [&'static str] = super::InlineTallyRows::TABLES;

        fn create(rows: &mut SqliteTransaction<'_>) -> Result<(), ProjectError> {
            super::InlineTallyRows::create(rows)
        }
    }

    impl ProjectRows<Sqlite, Raised> for InlineTallyRows {
        fn project(
            rows: &mut SqliteTransaction<'_>,
            event: &Raised,
            recorded: &Recorded<'_>,
        ) -> Result<(), ProjectError> {
            add_inline(rows, recorded, event.by.cast_signed())
        }
    }

    impl ProjectRows<Sqlite, Lowered> for InlineTallyRows {
        fn project(
            rows: &mut SqliteTransaction<'_>,
            event: &Lowered,
            recorded: &Recorded<'_>,
        ) -> Result<(), ProjectError> {
            add_inline(rows, recorded, -event.by.cast_signed())
        }
    }
}
