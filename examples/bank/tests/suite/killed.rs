//! The bank is killed while it imports, projects, rebuilds and swaps. After every kill each read
//! model, in whatever home, is what a plain fold over the first rows of the books makes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bank::account::{Account, AccountId, Deposited, Opened, RoundingPosted, Withdrawn};
use bank::import::import;
use bank::projections::{Balance, Balances, Days, Movements, Purposes, Sums, Totals};
use es_core::prelude::*;
use es_core::{Occasion, ProjectRows, ProjectionState, React, Registry, RowTables};
use es_sqlite_store::rusqlite::{self, Connection, params};
use es_sqlite_store::{Durability, Sqlite, SqliteStore, SqliteTransaction};

use crate::books::{Row, rows};

/// One account as the read models of this test know it. What is applied twice shows in every field.
#[derive(Serialize, Deserialize, Default, Debug, Clone, Copy, PartialEq, Eq)]
struct Sheet {
    balance: i64,
    credits: u64,
    debits: u64,
    roundings: u64,
}

impl Sheet {
    fn credit(&mut self, amount: i64) {
        self.balance += amount;
        self.credits += 1;
    }

    fn debit(&mut self, amount: i64) {
        self.balance -= amount;
        self.debits += 1;
    }

    fn round(&mut self, delta: i64) {
        self.balance += delta;
        self.roundings += 1;
    }
}

/// Defines the same documents twice: kept by a worker, and inline.
macro_rules! sheets {
    ($ident:ident, $name:literal $(, $inline:ident)?) => {
        #[derive(Projection, Serialize, Deserialize, Default, Debug, Clone, Copy, PartialEq, Eq)]
        #[projection(
            name = $name,
            events(Opened, Deposited, Withdrawn, RoundingPosted),
            documents,
            $($inline,)?
            register = false
        )]
        struct $ident {
            sheet: Sheet,
        }

        impl Project<Opened> for $ident {
            fn project(&mut self, _: &Opened, _: &Recorded<'_>) -> Result<(), ProjectError> {
                Ok(())
            }
        }

        impl Project<Deposited> for $ident {
            fn project(&mut self, event: &Deposited, _: &Recorded<'_>) -> Result<(), ProjectError> {
                self.sheet.credit(event.amount.cast_signed());
                Ok(())
            }
        }

        impl Project<Withdrawn> for $ident {
            fn project(&mut self, event: &Withdrawn, _: &Recorded<'_>) -> Result<(), ProjectError> {
                self.sheet.debit(event.amount.cast_signed());
                Ok(())
            }
        }

        impl Project<RoundingPosted> for $ident {
            fn project(
                &mut self,
                event: &RoundingPosted,
                _: &Recorded<'_>,
            ) -> Result<(), ProjectError> {
                self.sheet.round(event.delta);
                Ok(())
            }
        }
    };
}

sheets!(LaterSheet, "sheets");
sheets!(InlineSheet, "inline-sheets", inline);

/// The journal of all movements and roundings, in rows and inline: a position that comes twice is
/// refused.
#[derive(Projection)]
#[projection(
    name = "inline-journal",
    events(Deposited, Withdrawn, RoundingPosted),
    rows = Sqlite,
    inline,
    register = false
)]
struct Journal;

impl RowTables<Sqlite> for Journal {
    const TABLES: &'static [&'static str] = &["journal"];

    fn create(rows: &mut SqliteTransaction<'_>) -> Result<(), ProjectError> {
        rows.execute_batch(
            "CREATE TABLE {journal} (position INTEGER PRIMARY KEY, account TEXT NOT NULL,
                kind TEXT NOT NULL, amount INTEGER NOT NULL)",
        )?;
        Ok(())
    }
}

fn enter(
    rows: &mut SqliteTransaction<'_>,
    recorded: &Recorded<'_>,
    kind: &str,
    amount: i64,
) -> Result<(), ProjectError> {
    rows.execute(
        "INSERT INTO {journal} VALUES (?1, ?2, ?3, ?4)",
        params![recorded.position.get().cast_signed(), recorded.stream.id(), kind, amount],
    )?;
    Ok(())
}

type Rows<'a, 't> = &'a mut SqliteTransaction<'t>;

impl ProjectRows<Sqlite, Deposited> for Journal {
    fn project(
        rows: Rows<'_, '_>,
        event: &Deposited,
        at: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        enter(rows, at, "credit", event.amount.cast_signed())
    }
}

impl ProjectRows<Sqlite, Withdrawn> for Journal {
    fn project(
        rows: Rows<'_, '_>,
        event: &Withdrawn,
        at: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        enter(rows, at, "debit", event.amount.cast_signed())
    }
}

impl ProjectRows<Sqlite, RoundingPosted> for Journal {
    fn project(
        rows: Rows<'_, '_>,
        event: &RoundingPosted,
        at: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        enter(rows, at, "rounding", event.delta)
    }
}

/// Letters to those who open an account: a file stands for the world outside.
#[derive(Projection)]
#[projection(name = "letters", events(Opened, Withdrawn), effects, register = false)]
struct Letters(PathBuf);

impl Letters {
    fn send(&self, occasion: &Occasion<'_>) -> Result<(), ProjectError> {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.0)?;
        file.write_all(format!("{}\n", occasion.recorded.position).as_bytes())?;
        Ok(())
    }
}

impl React<Opened> for Letters {
    async fn react(&self, _: &Opened, occasion: &Occasion<'_>) -> Result<(), ProjectError> {
        self.send(occasion)
    }
}

impl React<Withdrawn> for Letters {
    async fn react(&self, _: &Withdrawn, occasion: &Occasion<'_>) -> Result<(), ProjectError> {
        self.send(occasion)
    }
}

async fn start(directory: &Path) -> Runtime<SqliteStore> {
    let letters = directory.join("letters");
    // The process is killed, not the machine.
    let store = SqliteStore::builder(directory.join("bank.db")).durability(Durability::Process);
    let registry = Registry::builder()
        .aggregate::<Account>()
        .projection::<Purposes>()
        .projection::<Days>()
        .projection::<Balance>()
        .projection::<Movements>()
        .projection::<LaterSheet>()
        .projection::<InlineSheet>()
        .projection::<Journal>()
        .effects_with(move || Letters(letters.clone()))
        .build()
        .unwrap();
    let builder = Runtime::builder(store.open().unwrap()).registry(registry).snapshots();
    builder.start().await.unwrap()
}

const REBUILT: [&str; 7] =
    ["balances", "inline-sheets", "movements", "inline-journal", "sheets", "purposes", "days"];

/// Imports and rebuilds until it is killed: run by the test below, in a process of its own.
#[test]
#[ignore = "it is the process that the other test kills"]
fn the_bank_until_it_is_killed() {
    let Ok(directory) = std::env::var("BANK_TO_KILL") else { return };
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        let runtime = start(Path::new(&directory)).await;
        println!("\nstarted");
        let pause = match std::env::var("BANK_REBUILDS").as_deref() {
            Ok("often") => Duration::from_millis(1),
            // So that the import gets on.
            _ => Duration::from_millis(150),
        };
        let rebuilding = runtime.clone();
        let rebuilds = tokio::spawn(async move {
            loop {
                for name in REBUILT {
                    let handle = rebuilding.projection_handle(name).unwrap();
                    handle.rebuild().await.unwrap().finished().await.unwrap();
                    // In memory there are no others.
                    let _ = handle.discard_others().await;
                }
                tokio::time::sleep(pause).await;
            }
        });
        import_the_rest(&runtime, Path::new(&directory)).await;
        rebuilds.await.unwrap();
    });
}

/// Imports what is not there yet, in one task: so the store has the order of the file.
async fn import_the_rest(runtime: &Runtime<SqliteStore>, directory: &Path) {
    let mut sample = bank::movements::Movements::sample().unwrap();
    // The last row may lack its rounding. Those before it would only be found to be there.
    let found = look(&directory.join("bank.db"));
    sample.rows.drain(..found.map_or(0, |found| found.movements.saturating_sub(1)));
    let imported = import(runtime, &sample, 1, || {}).await.unwrap();
    assert_eq!(imported.rejected, []);
}

/// What must be held after the first movements of the books.
#[derive(Default)]
struct Fold {
    sheets: BTreeMap<u64, Sheet>,
    purposes: BTreeMap<String, Totals>,
    days: BTreeMap<String, Totals>,
    journal: Vec<(String, String, i64)>,
}

impl Fold {
    /// Of the first `movements` rows, with the first `roundings` of their roundings.
    fn of(rows: &[Row], movements: usize, mut roundings: usize) -> Self {
        let mut fold = Self::default();
        for row in &rows[..movements] {
            let sheet = fold.sheets.entry(row.account_id).or_default();
            let mut totals = [
                fold.purposes.entry(row.purpose.clone()).or_default(),
                fold.days.entry(row.date.clone()).or_default(),
            ];
            let amount = row.amount.unsigned_abs();
            if row.direction == "credit" {
                sheet.credit(row.amount);
                totals.iter_mut().for_each(|totals| totals.credit(amount));
            } else {
                sheet.debit(row.amount);
                totals.iter_mut().for_each(|totals| totals.debit(amount));
            }
            let account = row.account_id.to_string();
            fold.journal.push((account.clone(), row.direction.clone(), row.amount));
            if row.rounding != 0 && roundings > 0 {
                roundings -= 1;
                sheet.round(row.rounding);
                fold.journal.push((account, "rounding".to_owned(), row.rounding));
                assert_eq!(sheet.balance, row.balance, "the fold agrees with the books");
            }
        }
        assert_eq!(roundings, 0, "there are no other roundings");
        fold
    }
}

/// What is in the file, read without the framework.
struct Found {
    opened: Vec<i64>,
    movements: usize,
    roundings: usize,
    letters: Vec<i64>,
    journal: Vec<(String, String, i64)>,
    journal_positions: Vec<i64>,
    event_positions: Vec<i64>,
    inline_sheets: BTreeMap<u64, Sheet>,
}

fn column<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str) -> Vec<T> {
    let mut rows = connection.prepare(sql).unwrap();
    let rows = rows.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Looks into the file right after the kill, before any runtime could repair anything.
fn look(database: &Path) -> Option<Found> {
    let connection = Connection::open(database).unwrap();
    let table = "SELECT count(*) FROM sqlite_schema WHERE name = 'journal'";
    let events = "SELECT count(*) FROM sqlite_schema WHERE name = 'events'";
    let count = |sql| column::<i64>(&connection, sql)[0] as usize;
    if count(events) == 0 || count("SELECT count(*) FROM events") == 0 {
        return None;
    }
    assert_eq!(count(table), 1, "the first event was appended before the tables were there");
    let of =
        |names: &str| format!("SELECT position FROM events WHERE name IN ({names}) ORDER BY 1");
    let mut journal =
        connection.prepare("SELECT account, kind, amount FROM journal ORDER BY position").unwrap();
    let journal = journal.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let generations: Vec<u8> = connection
        .query_row(
            "SELECT value FROM state_records WHERE space = 'projection' AND name = 'inline-sheets'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let generations: serde_json::Value = serde_json::from_slice(&generations).unwrap();
    let mut all = generations["generations"].as_array().unwrap().iter();
    let live = all.find(|generation| generation["is"] == "live").unwrap()["number"].clone();
    let mut sheets =
        connection.prepare("SELECT name, value FROM state_records WHERE space = ?1").unwrap();
    let space = format!("documents/inline-sheets/{live}");
    let sheets = sheets
        .query_map([space], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .unwrap();
    let (credit, debit, rounding) =
        ("'account.deposited'", "'account.withdrawn'", "'account.rounding_posted'");
    Some(Found {
        opened: column(&connection, &of("'account.opened'")),
        movements: count(&format!("SELECT count(*) FROM events WHERE name IN ({credit}, {debit})")),
        roundings: count(&format!("SELECT count(*) FROM events WHERE name = {rounding}")),
        letters: column(&connection, &of(&format!("'account.opened', {debit}"))),
        journal: journal.collect::<Result<_, _>>().unwrap(),
        journal_positions: column(&connection, "SELECT position FROM journal ORDER BY 1"),
        event_positions: column(&connection, &of(&format!("{credit}, {debit}, {rounding}"))),
        inline_sheets: sheets
            .map(|row| {
                let (account, value) = row.unwrap();
                let sheet: InlineSheet = serde_json::from_slice(&value).unwrap();
                (account.parse().unwrap(), sheet.sheet)
            })
            .collect(),
    })
}

/// Lets everything catch up, and compares every home with the fold.
async fn check(directory: &Path, fold: &Fold, found: &Found) {
    let runtime = start(directory).await;
    let inline = runtime.projection_handle("inline-sheets").unwrap().status();
    assert_eq!(inline.state, ProjectionState::Inline);
    let patience = Duration::from_secs(60);
    runtime.wait_until_current::<Balance>().within(patience).await.unwrap();
    runtime.wait_until_current::<LaterSheet>().within(patience).await.unwrap();
    runtime.wait_until_current::<Movements>().within(patience).await.unwrap();
    runtime.wait_until_current::<Purposes>().within(patience).await.unwrap();
    runtime.wait_until_current::<Days>().within(patience).await.unwrap();
    runtime.wait_until_current::<Letters>().within(patience).await.unwrap();

    // An account may be opened and have no movement yet.
    let moved = |sheets: BTreeMap<u64, Sheet>| -> BTreeMap<u64, Sheet> {
        sheets.into_iter().filter(|(_, sheet)| *sheet != Sheet::default()).collect()
    };
    let later = runtime.documents::<LaterSheet>().unwrap().all().await.unwrap();
    let later = later.into_iter().map(|(key, it)| (key.parse().unwrap(), it.sheet)).collect();
    assert_eq!(moved(later), fold.sheets, "documents");
    let balances = Balances::read(&runtime).await.unwrap();
    assert_eq!(balances.iter().len(), found.opened.len());
    for (AccountId(account), balance) in balances.iter() {
        let sheet = fold.sheets.get(&account).copied().unwrap_or_default();
        let version = 1 + sheet.credits + sheet.debits + sheet.roundings;
        assert_eq!((balance.balance, balance.version.get()), (sheet.balance, version), "{account}");
    }
    let sums = Movements::read(runtime.store()).await.unwrap();
    let sorted = |totals: &BTreeMap<String, Totals>| -> Vec<_> {
        totals.iter().map(|(key, totals)| (key.clone(), *totals)).collect()
    };
    let expected = Sums { purposes: sorted(&fold.purposes), days: sorted(&fold.days) };
    assert_eq!(sums, expected, "rows");
    let days = runtime.projection::<Days>().unwrap().read(|days| {
        days.iter().map(|(day, totals)| (day.to_string(), totals)).collect::<BTreeMap<_, _>>()
    });
    assert_eq!(days, fold.days, "memory");
    let purposes = runtime.projection::<Purposes>().unwrap().read(|purposes| {
        let text = |purpose: Option<bank::account::Purpose>| {
            purpose.map_or_else(String::new, |purpose| purpose.as_str().to_owned())
        };
        purposes.iter().map(|(purpose, totals)| (text(purpose), totals)).collect::<BTreeMap<_, _>>()
    });
    assert_eq!(purposes, fold.purposes, "memory");

    let letters = std::fs::read_to_string(directory.join("letters")).unwrap_or_default();
    let mut letters: Vec<i64> = letters.lines().map(|line| line.parse().unwrap()).collect();
    // One is repeated at most right after itself.
    letters.dedup();
    assert_eq!(letters, found.letters, "side effects");
    runtime.shutdown().await;
}

/// Compares what was found right after a kill, and then every home, with the fold over the books.
async fn check_all(directory: &Path, rows: &[Row], found: &Found) {
    assert_eq!(found.journal_positions, found.event_positions, "inline rows = events");
    let fold = Fold::of(rows, found.movements, found.roundings);
    assert_eq!(found.journal, fold.journal, "inline rows");
    let mut sheets = fold.sheets.clone();
    for account in found.inline_sheets.keys() {
        sheets.entry(*account).or_default();
    }
    assert_eq!(found.inline_sheets, sheets, "inline documents");
    assert_eq!(found.inline_sheets.len(), found.opened.len(), "one for each account");
    check(directory, &fold, found).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_at_any_moment_every_home_is_the_fold_over_the_books() {
    let rounds = std::env::var("BANK_KILLS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds: u64 = rounds.unwrap_or(10);
    let rows = rows();
    let mut directory = tempfile::tempdir().unwrap();
    let (mut with_events, mut half_way, mut complete) = (0, 0, 0);
    let (mut repeated, mut sent_twice) = (0, 0);
    let mut generations = BTreeMap::<String, u64>::new();
    let mut moment = 0x9e37_79b9_u64;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::the_bank_until_it_is_killed", "--ignored", "--nocapture"])
            .env("BANK_TO_KILL", directory.path())
            .env("BANK_REBUILDS", if round % 2 == 0 { "seldom" } else { "often" })
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "started"));
        // Not a wait for something, but for a moment that nobody has chosen.
        moment =
            moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_micros((moment >> 33) % 400_000)).await;
        child.kill().unwrap();
        child.wait().unwrap();

        let Some(found) = look(&directory.path().join("bank.db")) else { continue };
        with_events += 1;
        check_all(directory.path(), &rows, &found).await;

        let letters = std::fs::read_to_string(directory.path().join("letters")).unwrap_or_default();
        sent_twice = letters.lines().count() - found.letters.len();
        note_generations(&directory.path().join("bank.db"), &mut generations);
        if found.movements < rows.len() {
            half_way += 1;
        } else {
            complete += 1;
            repeated += std::mem::take(&mut sent_twice);
            directory = tempfile::tempdir().unwrap();
        }
    }
    repeated += sent_twice;
    // And on to the end of the books.
    let runtime = start(directory.path()).await;
    import_the_rest(&runtime, directory.path()).await;
    runtime.shutdown().await;
    drop(runtime);
    let found = look(&directory.path().join("bank.db")).unwrap();
    assert_eq!((found.movements, found.roundings, found.opened.len()), (2771, 137, 30));
    check_all(directory.path(), &rows, &found).await;
    assert!(with_events > rounds / 2, "it was hardly killed while it worked");
    let mut figures = String::new();
    for (name, generation) in &generations {
        let _ = write!(figures, " {name}: {generation}");
    }
    println!(
        "{rounds} kills, {half_way} half way, {complete} after all rows; {repeated} letters sent twice; the most generations:{figures}"
    );
}

/// How many generations the rebuilds have come to.
fn note_generations(database: &Path, most: &mut BTreeMap<String, u64>) {
    let connection = Connection::open(database).unwrap();
    let mut records = connection
        .prepare("SELECT name, value FROM state_records WHERE space = 'projection'")
        .unwrap();
    let records = records
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .unwrap();
    for record in records {
        let (name, value) = record.unwrap();
        let value: serde_json::Value = serde_json::from_slice(&value).unwrap();
        let number = value["last_number"].as_u64().unwrap();
        let known = most.entry(name).or_default();
        *known = number.max(*known);
    }
}
