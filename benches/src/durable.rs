//! Balances that are kept in the store: documents, rows, and rows by hand.

use es_core::prelude::*;
use es_core::{ProjectRows, RowTables};
use es_sqlite_store::rusqlite::{self, Connection, TransactionBehavior, params};
use es_sqlite_store::{Sqlite, SqliteTransaction};

use crate::by_hand;
use crate::domain::{Deposited, Withdrawn};

#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "balance-documents", events(Deposited, Withdrawn), documents, register = false)]
pub struct BalanceDocument {
    pub balance: u64,
}

impl Project<Deposited> for BalanceDocument {
    fn project(&mut self, event: &Deposited, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.balance += event.amount;
        Ok(())
    }
}

impl Project<Withdrawn> for BalanceDocument {
    fn project(&mut self, event: &Withdrawn, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.balance -= event.amount;
        Ok(())
    }
}

/// The same in four partitions.
#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(
    name = "balance-partitions",
    events(Deposited, Withdrawn),
    documents,
    partitions = 4,
    register = false
)]
pub struct BalancePartitions {
    pub balance: u64,
}

impl Project<Deposited> for BalancePartitions {
    fn project(&mut self, event: &Deposited, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.balance += event.amount;
        Ok(())
    }
}

impl Project<Withdrawn> for BalancePartitions {
    fn project(&mut self, event: &Withdrawn, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.balance -= event.amount;
        Ok(())
    }
}

#[derive(Projection)]
#[projection(name = "balance-rows", events(Deposited, Withdrawn), rows = Sqlite, register = false)]
pub struct BalanceRows;

impl RowTables<Sqlite> for BalanceRows {
    const TABLES: &'static [&'static str] = &["balances"];

    fn create(rows: &mut SqliteTransaction<'_>) -> Result<(), ProjectError> {
        rows.execute_batch(
            "CREATE TABLE {balances} (account INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
        )?;
        Ok(())
    }
}

/// For the rows that a worker changes.
const ADD: &str = "INSERT INTO {balances} (account, balance) VALUES (?1, ?2)
     ON CONFLICT (account) DO UPDATE SET balance = balance + ?2";

/// For those that every append changes.
const ADD_INLINE: &str = "INSERT INTO {inline_balances} (account, balance) VALUES (?1, ?2)
     ON CONFLICT (account) DO UPDATE SET balance = balance + ?2";

fn add(
    rows: &mut SqliteTransaction<'_>,
    sql: &'static str,
    recorded: &Recorded<'_>,
    change: i64,
) -> Result<(), ProjectError> {
    let account: i64 = recorded.stream.parse_id()?;
    rows.execute(sql, params![account, change])?;
    Ok(())
}

impl ProjectRows<Sqlite, Deposited> for BalanceRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Deposited,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        add(rows, ADD, recorded, event.amount.cast_signed())
    }
}

impl ProjectRows<Sqlite, Withdrawn> for BalanceRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Withdrawn,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        add(rows, ADD, recorded, -event.amount.cast_signed())
    }
}

/// [`BalanceDocument`], changed in the step that appends.
#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(
    name = "balance-documents-inline",
    events(Deposited, Withdrawn),
    documents,
    inline,
    register = false
)]
pub struct InlineBalanceDocument {
    pub balance: u64,
}

impl Project<Deposited> for InlineBalanceDocument {
    fn project(&mut self, event: &Deposited, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.balance += event.amount;
        Ok(())
    }
}

impl Project<Withdrawn> for InlineBalanceDocument {
    fn project(&mut self, event: &Withdrawn, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.balance -= event.amount;
        Ok(())
    }
}

/// [`BalanceRows`], changed in the step that appends.
#[derive(Projection)]
#[projection(
    name = "balance-rows-inline",
    events(Deposited, Withdrawn),
    rows = Sqlite,
    inline,
    register = false
)]
pub struct InlineBalanceRows;

impl RowTables<Sqlite> for InlineBalanceRows {
    const TABLES: &'static [&'static str] = &["inline_balances"];

    fn create(rows: &mut SqliteTransaction<'_>) -> Result<(), ProjectError> {
        rows.execute_batch(
            "CREATE TABLE {inline_balances} (account INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
        )?;
        Ok(())
    }
}

impl ProjectRows<Sqlite, Deposited> for InlineBalanceRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Deposited,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        add(rows, ADD_INLINE, recorded, event.amount.cast_signed())
    }
}

impl ProjectRows<Sqlite, Withdrawn> for InlineBalanceRows {
    fn project(
        rows: &mut SqliteTransaction<'_>,
        event: &Withdrawn,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        add(rows, ADD_INLINE, recorded, -event.amount.cast_signed())
    }
}

#[derive(serde::Deserialize)]
struct Amount {
    amount: u64,
}

/// What an expert writes: pages of 1,000 events, one transaction for each, prepared statements, and
/// the checkpoint in the same transaction.
///
/// # Errors
/// When the database fails or an event can not be read.
pub fn project_by_hand(connection: &mut Connection) -> Result<(), crate::by_hand_sqlite::Error> {
    connection.execute_batch(
        "DROP TABLE IF EXISTS balances; DROP TABLE IF EXISTS checkpoint;
         CREATE TABLE balances (account INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
         CREATE TABLE checkpoint (position INTEGER NOT NULL);
         INSERT INTO checkpoint VALUES (0);",
    )?;
    let mut position: i64 = 0;
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut events = 0;
        {
            let mut select = transaction.prepare_cached(
                "SELECT position, account, name, payload FROM events
                 WHERE position > ?1 ORDER BY position LIMIT 1000",
            )?;
            let mut upsert = transaction.prepare_cached(
                "INSERT INTO balances (account, balance) VALUES (?1, ?2)
                 ON CONFLICT (account) DO UPDATE SET balance = balance + ?2",
            )?;
            let mut rows = select.query([position])?;
            while let Some(row) = rows.next()? {
                let text = |index| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
                let Amount { amount } =
                    serde_json::from_str(text(3)?).map_err(by_hand::Error::from)?;
                let amount = amount.cast_signed();
                let change = match text(2)? {
                    "deposited" => amount,
                    "withdrawn" => -amount,
                    _ => return Err(by_hand::Error::UnknownName.into()),
                };
                upsert.execute(params![row.get::<_, i64>(1)?, change])?;
                position = row.get(0)?;
                events += 1;
            }
            transaction
                .prepare_cached("UPDATE checkpoint SET position = ?1")?
                .execute([position])?;
        }
        transaction.commit()?;
        if events == 0 {
            return Ok(());
        }
    }
}
