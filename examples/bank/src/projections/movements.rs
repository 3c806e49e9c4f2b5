//! What is moved for each purpose and on each day, in tables of the store's own file.

use es_core::prelude::*;
use es_core::{ProjectRows, ReadError, RowTables};
use es_sqlite_store::rusqlite::{self, params};
use es_sqlite_store::{Sqlite, SqliteStore, SqliteTransaction};

use crate::account::{Deposited, Purpose, Withdrawn};
use crate::business_day;
use crate::projections::{Sums, Totals};

/// Movements of all accounts, summed up by purpose and by day. Roundings are no movements.
///
/// Anybody can ask: `sqlite3 bank.db 'SELECT * FROM movements_by_purpose'`.
#[derive(Projection)]
#[projection(
    name = "movements",
    version = 1,
    rows = Sqlite,
    register = false,
    events(Deposited, Withdrawn)
)]
pub struct Movements;

impl RowTables<Sqlite> for Movements {
    const TABLES: &'static [&'static str] = &["movements_by_purpose", "movements_by_day"];

    fn create(rows: &mut SqliteTransaction<'_>) -> Result<(), ProjectError> {
        // A sum that does not fit would become a floating-point number: it is refused.
        rows.execute_batch(
            "CREATE TABLE {movements_by_purpose} (
                purpose TEXT PRIMARY KEY,
                credits INTEGER NOT NULL CHECK (typeof(credits) = 'integer'),
                debits INTEGER NOT NULL CHECK (typeof(debits) = 'integer'),
                count INTEGER NOT NULL
             ) WITHOUT ROWID;
             CREATE TABLE {movements_by_day} (
                day TEXT PRIMARY KEY,
                credits INTEGER NOT NULL CHECK (typeof(credits) = 'integer'),
                debits INTEGER NOT NULL CHECK (typeof(debits) = 'integer'),
                count INTEGER NOT NULL
             ) WITHOUT ROWID;",
        )?;
        Ok(())
    }
}

impl Movements {
    fn add(
        rows: &mut SqliteTransaction<'_>,
        recorded: &Recorded<'_>,
        purpose: Option<Purpose>,
        credit: u64,
        debit: u64,
    ) -> Result<(), ProjectError> {
        let (credit, debit) = (i64::try_from(credit)?, i64::try_from(debit)?);
        rows.execute(
            "INSERT INTO {movements_by_purpose} VALUES (?1, ?2, ?3, 1)
             ON CONFLICT (purpose) DO UPDATE
             SET credits = credits + ?2, debits = debits + ?3, count = count + 1",
            params![purpose.map_or("", |purpose| purpose.as_str()), credit, debit],
        )?;
        let day = business_day(recorded.happened_at()).to_string();
        rows.execute(
            "INSERT INTO {movements_by_day} VALUES (?1, ?2, ?3, 1)
             ON CONFLICT (day) DO UPDATE
             SET credits = credits + ?2, debits = debits + ?3, count = count + 1",
            params![day, credit, debit],
        )?;
        Ok(())
    }

    /// Reads both tables in one snapshot.
    ///
    /// # Errors
    /// When they can not be read.
    pub async fn read(store: &SqliteStore) -> Result<Sums, ReadError> {
        store
            .read_rows(|connection| {
                Ok(Sums {
                    purposes: totals(
                        connection,
                        "SELECT * FROM movements_by_purpose ORDER BY purpose",
                    )?,
                    days: totals(connection, "SELECT * FROM movements_by_day ORDER BY day")?,
                })
            })
            .await
    }
}

fn totals(connection: &rusqlite::Connection, sql: &str) -> rusqlite::Result<Vec<(String, Totals)>> {
    let number = |row: &rusqlite::Row<'_>, index| {
        let number: rusqlite::Result<i64> = row.get(index);
        number.map(i64::unsigned_abs)
    };
    let mut rows = connection.prepare(sql)?;
    let rows = rows.query_map([], |row| {
        let (credits, debits) = (number(row, 1)?.into(), number(row, 2)?.into());
        Ok((row.get(0)?, Totals { credits, debits, count: number(row, 3)? }))
    })?;
    rows.collect()
}

impl ProjectRows<Sqlite, Deposited> for Movements {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Deposited,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        Self::add(rows, recorded, event.purpose, event.amount, 0)
    }
}

impl ProjectRows<Sqlite, Withdrawn> for Movements {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Withdrawn,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        Self::add(rows, recorded, event.purpose, 0, event.amount)
    }
}
