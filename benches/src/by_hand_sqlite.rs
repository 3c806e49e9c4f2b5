//! The bank account by hand on SQLite: rusqlite, the same pragmas, and the state kept warm.
//!
//! It does what such a program needs: an event has an id, a time and its JSON, and a stream has no
//! version twice. It has no look-up by event id or name, no tags, no checksums, no queries, no
//! retries; the number of an account is the number of its stream.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::SystemTime;

use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::by_hand::{self, Account, Event};

#[derive(Debug)]
pub enum Error {
    Domain(by_hand::Error),
    Sqlite(rusqlite::Error),
    /// The writer could not commit.
    NotStored,
}

impl From<by_hand::Error> for Error {
    fn from(error: by_hand::Error) -> Self {
        Self::Domain(error)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// An event as it is inserted.
pub struct Row {
    pub account: u64,
    pub version: u64,
    pub name: &'static str,
    pub payload: String,
    /// The balance after it, if that is kept in a row that is written in the same transaction.
    pub balance: Option<u64>,
}

pub fn open(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = -16384;
         PRAGMA wal_autocheckpoint = 4096;
         CREATE TABLE IF NOT EXISTS events (
            position    INTEGER PRIMARY KEY,
            account     INTEGER NOT NULL,
            version     INTEGER NOT NULL,
            event_id    BLOB    NOT NULL,
            name        TEXT    NOT NULL,
            payload     TEXT    NOT NULL,
            recorded_at INTEGER NOT NULL,
            UNIQUE (account, version)
         );
         CREATE TABLE IF NOT EXISTS kept_balances (
            account INTEGER PRIMARY KEY,
            balance INTEGER NOT NULL
         );",
    )?;
    Ok(connection)
}

fn insert(connection: &Connection, row: &Row) -> Result<(), Error> {
    let recorded_at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    connection
        .prepare_cached(
            "INSERT INTO events (account, version, event_id, name, payload, recorded_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            row.account as i64,
            row.version as i64,
            Uuid::now_v7().as_bytes().as_slice(),
            row.name,
            row.payload,
            recorded_at.unwrap_or_default().as_micros() as i64,
        ])?;
    if let Some(balance) = row.balance {
        connection
            .prepare_cached(
                "INSERT INTO kept_balances (account, balance) VALUES (?1, ?2)
                 ON CONFLICT (account) DO UPDATE SET balance = ?2",
            )?
            .execute([row.account as i64, balance as i64])?;
    }
    Ok(())
}

/// Inserts rows in one transaction.
pub fn insert_all<'a>(
    connection: &mut Connection,
    rows: impl IntoIterator<Item = &'a Row>,
) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for row in rows {
        insert(&transaction, row)?;
    }
    Ok(transaction.commit()?)
}

/// What is known of an account.
#[derive(Default)]
pub struct Known {
    account: Account,
    version: u64,
    keeps_balance: bool,
}

impl Known {
    fn keeping(keeps_balance: bool) -> Self {
        Self { keeps_balance, ..Self::default() }
    }

    /// Decides on the state that is known, and applies.
    fn deposit(&mut self, account: u64, amount: u64) -> Result<Row, Error> {
        self.account.balance.checked_add(amount).ok_or(by_hand::Error::Overflow)?;
        self.row(account, &Event::Deposited { amount }, "deposited")
    }

    fn withdraw(&mut self, account: u64, amount: u64) -> Result<Row, Error> {
        if self.account.balance < amount {
            return Err(by_hand::Error::InsufficientFunds.into());
        }
        self.row(account, &Event::Withdrawn { amount }, "withdrawn")
    }

    fn row(&mut self, account: u64, event: &Event, name: &'static str) -> Result<Row, Error> {
        let (Event::Deposited { amount } | Event::Withdrawn { amount }) = event else {
            return Err(by_hand::Error::UnknownName.into());
        };
        self.account.apply(event);
        self.version += 1;
        let payload =
            serde_json::to_string(&Amount { amount: *amount }).map_err(by_hand::Error::from)?;
        let balance = self.keeps_balance.then_some(self.account.balance);
        Ok(Row { account, version: self.version, name, payload, balance })
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Amount {
    amount: u64,
}

fn decode(name: &str, payload: &str) -> Result<Event, Error> {
    let Amount { amount } = serde_json::from_str(payload).map_err(by_hand::Error::from)?;
    match name {
        "deposited" => Ok(Event::Deposited { amount }),
        "withdrawn" => Ok(Event::Withdrawn { amount }),
        _ => Err(by_hand::Error::UnknownName.into()),
    }
}

/// One client, one transaction for each event.
pub struct Single {
    connection: Connection,
    known: HashMap<u64, Known>,
    keeps_balances: bool,
}

impl Single {
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { connection: open(path)?, known: HashMap::new(), keeps_balances: false })
    }

    /// Writes the balance in the transaction of each event.
    pub fn keeping_balances(self) -> Self {
        Self { keeps_balances: true, ..self }
    }

    fn known(&mut self, account: u64) -> &mut Known {
        let keeps = self.keeps_balances;
        self.known.entry(account).or_insert_with(|| Known::keeping(keeps))
    }

    pub fn deposit(&mut self, account: u64, amount: u64) -> Result<(), Error> {
        let row = self.known(account).deposit(account, amount)?;
        insert_all(&mut self.connection, [&row])
    }

    pub fn withdraw(&mut self, account: u64, amount: u64) -> Result<(), Error> {
        let row = self.known(account).withdraw(account, amount)?;
        insert_all(&mut self.connection, [&row])
    }
}

/// Many clients: a thread commits everything that waits in one transaction.
pub struct Grouped {
    rows: mpsc::Sender<(Row, oneshot::Sender<bool>)>,
    known: Mutex<HashMap<u64, Arc<tokio::sync::Mutex<Known>>>>,
    keeps_balances: bool,
}

impl Grouped {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut connection = open(path)?;
        let (rows, waiting) = mpsc::channel::<(Row, oneshot::Sender<bool>)>();
        std::thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let batch: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
                let stored = insert_all(&mut connection, batch.iter().map(|(row, _)| row)).is_ok();
                for (_, answer) in batch {
                    let _ = answer.send(stored);
                }
            }
        });
        Ok(Self { rows, known: Mutex::default(), keeps_balances: false })
    }

    /// Writes the balance in the transaction of each event.
    pub fn keeping_balances(self) -> Self {
        Self { keeps_balances: true, ..self }
    }

    /// The account stays locked until its event is stored.
    pub async fn deposit(&self, account: u64, amount: u64) -> Result<(), Error> {
        let known = self.known(account);
        let mut known = known.lock().await;
        self.store(known.deposit(account, amount)?).await
    }

    pub async fn withdraw(&self, account: u64, amount: u64) -> Result<(), Error> {
        let known = self.known(account);
        let mut known = known.lock().await;
        self.store(known.withdraw(account, amount)?).await
    }

    async fn store(&self, row: Row) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.rows.send((row, answer)).map_err(|_| Error::NotStored)?;
        if answered.await == Ok(true) { Ok(()) } else { Err(Error::NotStored) }
    }

    fn known(&self, account: u64) -> Arc<tokio::sync::Mutex<Known>> {
        let new = || Arc::new(tokio::sync::Mutex::new(Known::keeping(self.keeps_balances)));
        Arc::clone(ignore_poison(&self.known).entry(account).or_insert_with(new))
    }
}

/// What a first attempt looks like with many clients: a connection under a lock, and a transaction
/// for each event, on the threads that may block.
#[derive(Clone)]
pub struct Locked(Arc<Mutex<Single>>);

impl Locked {
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self(Arc::new(Mutex::new(Single::open(path)?))))
    }

    pub async fn deposit(&self, account: u64, amount: u64) -> Result<(), Error> {
        let single = Arc::clone(&self.0);
        let work = move || ignore_poison(&single).deposit(account, amount);
        tokio::task::spawn_blocking(work).await.map_err(|_| Error::NotStored)?
    }
}

fn ignore_poison<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn load(connection: &Connection, account: u64) -> Result<Account, Error> {
    let mut state = Account::default();
    let mut statement = connection
        .prepare_cached("SELECT name, payload FROM events WHERE account = ?1 ORDER BY version")?;
    let mut rows = statement.query([account as i64])?;
    while let Some(row) = rows.next()? {
        let text = |index| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
        state.apply(&decode(text(0)?, text(1)?)?);
    }
    Ok(state)
}

pub fn project(connection: &Connection) -> Result<BTreeMap<u64, u64>, Error> {
    let mut balances = BTreeMap::<u64, u64>::new();
    let mut statement =
        connection.prepare_cached("SELECT account, name, payload FROM events ORDER BY position")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let text = |index| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
        let account = row.get::<_, i64>(0)? as u64;
        match decode(text(1)?, text(2)?)? {
            Event::Deposited { amount } => *balances.entry(account).or_default() += amount,
            Event::Withdrawn { amount } => *balances.entry(account).or_default() -= amount,
            Event::Opened { .. } | Event::Closed => {}
        }
    }
    Ok(balances)
}
