//! Events that take long to decode, and projections that do next to nothing with them.

use std::collections::BTreeMap;

use es_core::prelude::*;
use es_core::{ProjectRows, RowTables};
use es_sqlite_store::rusqlite::params;
use es_sqlite_store::{Sqlite, SqliteTransaction};

/// A customer's file: about two kilobytes of JSON.
#[derive(Event, Serialize, Deserialize, Clone)]
#[event(name = "file.assessed")]
pub struct Assessed {
    pub scores: BTreeMap<String, f64>,
    pub findings: Vec<Finding>,
}

#[derive(EventData, Serialize, Deserialize, Clone)]
pub struct Finding {
    pub rule: String,
    pub weight: u32,
    pub remarks: Vec<String>,
}

impl Assessed {
    pub fn sample(number: u64) -> Self {
        let scores = (0..20).map(|index| (format!("criterion-{index}"), number as f64 / 7.0));
        let findings = (0..15).map(|index| Finding {
            rule: format!("rule-{}", number % 100 + index),
            weight: index as u32,
            remarks: vec![format!("remark {index} of {number}"), "seen by two people".to_owned()],
        });
        Self { scores: scores.collect(), findings: findings.collect() }
    }
}

#[derive(Projection, Default)]
#[projection(name = "findings", events(Assessed), register = false)]
pub struct Findings {
    pub count: usize,
}

impl Project<Assessed> for Findings {
    fn project(&mut self, event: &Assessed, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.count += event.findings.len();
        Ok(())
    }
}

/// The same for each file, in a document.
#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "findings-documents", events(Assessed), documents, register = false)]
pub struct FileFindings {
    pub count: usize,
}

impl Project<Assessed> for FileFindings {
    fn project(&mut self, event: &Assessed, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.count += event.findings.len();
        Ok(())
    }
}

/// The same for each file, in a row.
#[derive(Projection)]
#[projection(name = "findings-rows", events(Assessed), rows = Sqlite, register = false)]
pub struct FindingRows;

impl RowTables<Sqlite> for FindingRows {
    const TABLES: &'static [&'static str] = &["findings"];

    fn create(rows: &mut SqliteTransaction<'_>) -> Result<(), ProjectError> {
        rows.execute_batch(
            "CREATE TABLE {findings} (file INTEGER PRIMARY KEY, count INTEGER NOT NULL)",
        )?;
        Ok(())
    }
}

impl ProjectRows<Sqlite, Assessed> for FindingRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Assessed,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        let file: i64 = recorded.stream.parse_id()?;
        rows.execute(
            "INSERT INTO {findings} (file, count) VALUES (?1, ?2)
             ON CONFLICT (file) DO UPDATE SET count = count + ?2",
            params![file, event.findings.len() as i64],
        )?;
        Ok(())
    }
}
