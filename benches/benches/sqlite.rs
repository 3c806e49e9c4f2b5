//! `cargo bench -p es-benches --bench sqlite`: es-core on SQLite beside rusqlite by hand, in one run.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails has nothing to say")]

use std::future::IntoFuture;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use es_benches::by_hand_sqlite::{self as by_hand, Grouped, Locked, Row, Single};
use es_benches::domain::{Account, Balances, Deposit, Deposited, Withdraw};
use es_benches::measure::{compare, time};
use es_core::bytes::Bytes;
use es_core::prelude::*;
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Registry, Runtime,
    SchemaVersion, StreamId, Tags, Version,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::SqliteStore;
use es_transfer::Copy;
use tokio::runtime::Runtime as Tokio;

type Bank = Runtime<SqliteStore>;

fn main() {
    // Cargo adds `--bench`.
    let wanted = std::env::args().skip(1).find(|argument| argument != "--bench");
    let wanted = wanted.unwrap_or_default();
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    println!(
        "{:<46} {:>9} {:>9}   {:<11} {:>8} {:>8}",
        "", "ours", "by hand", "", "ratio", "target"
    );
    type Benchmark = (&'static str, fn(&Tokio, &Path));
    let benchmarks: [Benchmark; 8] = [
        ("one task", one_task),
        ("many tasks", many_tasks),
        ("appends of many tasks", many_appends),
        ("many tasks, one transaction each", many_transactions),
        ("one aggregate", one_aggregate),
        ("load", load),
        ("projection", projection),
        ("copy", copy),
    ];
    for (name, benchmark) in benchmarks {
        if name.contains(&wanted) {
            let directory = tempfile::tempdir().unwrap();
            benchmark(&tokio, directory.path());
        }
    }
}

async fn bank(store: SqliteStore) -> Bank {
    Runtime::builder(store).registry(Registry::builder().build().unwrap()).start().await.unwrap()
}

fn both(tokio: &Tokio, directory: &Path) -> (Bank, std::path::PathBuf) {
    let ours = SqliteStore::open(directory.join("ours.db")).unwrap();
    (tokio.block_on(bank(ours)), directory.join("by-hand.db"))
}

fn one_task(tokio: &Tokio, directory: &Path) {
    const COMMANDS: u64 = 1_000;
    let (ours, path) = both(tokio, directory);
    let mut theirs = Single::open(&path).unwrap();
    compare(
        "SQLite, 1 task (one transaction per event)",
        "commands/s",
        COMMANDS,
        ">= 0.9",
        |round| time(|| tokio.block_on(deposit_and_withdraw(&ours, round as u64, COMMANDS))),
        |round| {
            time(|| {
                for _ in 0..COMMANDS / 2 {
                    theirs.deposit(round as u64, 100).unwrap();
                    theirs.withdraw(round as u64, 100).unwrap();
                }
            })
        },
    );
}

const TASKS: u64 = 64;

fn many_tasks(tokio: &Tokio, directory: &Path) {
    const COMMANDS: u64 = 300;
    let (ours, path) = both(tokio, directory);
    let theirs = Arc::new(Grouped::open(&path).unwrap());
    compare(
        "SQLite, 64 tasks (group commit by hand)",
        "commands/s",
        TASKS * COMMANDS,
        ">= 0.8",
        |round| {
            in_tasks(tokio, TASKS, |task| {
                let (bank, account) = (ours.clone(), round as u64 * TASKS + task);
                async move { deposit_and_withdraw(&bank, account, COMMANDS).await }
            })
        },
        |round| {
            in_tasks(tokio, TASKS, |task| {
                let (bank, account) = (Arc::clone(&theirs), round as u64 * TASKS + task);
                async move { deposit_and_withdraw_by_hand(&bank, account, COMMANDS).await }
            })
        },
    );
}

/// The store alone, without a runtime that decides: what is left is its own cost.
fn many_appends(tokio: &Tokio, directory: &Path) {
    const APPENDS: u64 = 300;
    let (ours, path) = both(tokio, directory);
    let theirs = Arc::new(Grouped::open(&path).unwrap());
    compare(
        "SQLite, 64 tasks, appends only",
        "appends/s",
        TASKS * APPENDS,
        "",
        |round| {
            in_tasks(tokio, TASKS, |task| {
                let (bank, account) = (ours.clone(), round as u64 * TASKS + task);
                async move {
                    for version in 0..APPENDS {
                        let commit = deposit(account, version, 100);
                        bank.store().append(&commit).await.unwrap();
                    }
                }
            })
        },
        |round| {
            in_tasks(tokio, TASKS, |task| {
                let (bank, account) = (Arc::clone(&theirs), round as u64 * TASKS + task);
                async move { deposit_and_withdraw_by_hand(&bank, account, APPENDS).await }
            })
        },
    );
}

/// A commit of one deposit to an account that is at a version.
fn deposit(account: u64, version: u64, amount: u64) -> Commit {
    let event = NewEvent {
        id: EventId::generate(),
        name: Deposited::NAME.into(),
        schema_version: SchemaVersion::FIRST,
        payload: Bytes::from(serde_json::to_vec(&Deposited { amount }).unwrap()),
        tags: Tags::new(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    let stream = StreamId::new("account", account).unwrap();
    let expected = ExpectedVersion::Exact(Version::new(version));
    Commit::new(stream, expected, vec![event]).unwrap()
}

fn many_transactions(tokio: &Tokio, directory: &Path) {
    const MANY: u64 = 100;
    let (ours, path) = both(tokio, directory);
    let theirs = Locked::open(&path).unwrap();
    compare(
        "SQLite, 64 tasks (one transaction per event)",
        "commands/s",
        TASKS * MANY,
        "",
        |round| {
            in_tasks(tokio, TASKS, |task| {
                let (bank, account) = (ours.clone(), round as u64 * TASKS + task);
                async move { deposit_and_withdraw(&bank, account, MANY).await }
            })
        },
        |round| {
            in_tasks(tokio, TASKS, |task| {
                let (bank, account) = (theirs.clone(), round as u64 * TASKS + task);
                async move {
                    for _ in 0..MANY {
                        bank.deposit(account, 100).await.unwrap();
                    }
                }
            })
        },
    );
}

fn one_aggregate(tokio: &Tokio, directory: &Path) {
    const TASKS: u64 = 16;
    const COMMANDS: u64 = 200;
    let (ours, path) = both(tokio, directory);
    let theirs = Arc::new(Grouped::open(&path).unwrap());
    compare(
        "SQLite, 16 tasks on one aggregate (lock)",
        "commands/s",
        TASKS * COMMANDS,
        "",
        |round| {
            in_tasks(tokio, TASKS, |_| {
                let bank = ours.clone();
                async move { deposit_and_withdraw(&bank, round as u64, COMMANDS).await }
            })
        },
        |round| {
            in_tasks(tokio, TASKS, |_| {
                let bank = Arc::clone(&theirs);
                async move { deposit_and_withdraw_by_hand(&bank, round as u64, COMMANDS).await }
            })
        },
    );
}

fn load(tokio: &Tokio, directory: &Path) {
    const EVENTS: u64 = 10_000;
    const LOADS: u64 = 20;
    let ours = SqliteStore::open(directory.join("ours.db")).unwrap();
    tokio.block_on(fill(&ours, 1, EVENTS));
    tokio.block_on(ours.checkpoint()).unwrap();
    let ours = tokio.block_on(bank(ours));
    let theirs = filled_by_hand(directory, 1, EVENTS);
    compare(
        "SQLite, load 10,000 events of one stream",
        "events/s",
        EVENTS * LOADS,
        ">= 0.8",
        |_| {
            time(|| {
                for _ in 0..LOADS {
                    let loaded = tokio.block_on(ours.load::<Account>(&0)).unwrap();
                    assert_eq!(black_box(loaded).version, Version::new(EVENTS));
                }
            })
        },
        |_| {
            time(|| {
                for _ in 0..LOADS {
                    black_box(by_hand::load(&theirs, 0).unwrap());
                }
            })
        },
    );
}

fn projection(tokio: &Tokio, directory: &Path) {
    const EVENTS: u64 = 1_000_000;
    const ACCOUNTS: u64 = 1_000;
    let store = Arc::new(SqliteStore::open(directory.join("ours.db")).unwrap());
    tokio.block_on(fill(&*store, ACCOUNTS, EVENTS));
    tokio.block_on(store.checkpoint()).unwrap();
    let theirs = filled_by_hand(directory, ACCOUNTS, EVENTS);
    let expected = by_hand::project(&theirs).unwrap();
    compare(
        "SQLite, projection over 1,000,000 events",
        "events/s",
        EVENTS,
        ">= 0.8",
        |_| {
            let registry = Registry::builder().projection::<Balances>().build().unwrap();
            let mut by_account = std::collections::BTreeMap::new();
            let time = time(|| {
                tokio.block_on(async {
                    let builder = Runtime::builder_shared(Arc::clone(&store)).registry(registry);
                    let runtime = builder.start().await.unwrap();
                    runtime.wait_until_current::<Balances>().await.unwrap();
                    let view = runtime.projection::<Balances>().unwrap();
                    by_account = view.read(|balances| balances.by_account.clone());
                });
            });
            assert_eq!(by_account, expected);
            time
        },
        |_| time(|| assert_eq!(black_box(by_hand::project(&theirs).unwrap()), expected)),
    );
}

/// Taking over another store's events, with their ids and times.
fn copy(tokio: &Tokio, directory: &Path) {
    const EVENTS: u64 = 200_000;
    const ACCOUNTS: u64 = 1_000;
    const TOGETHER: usize = 1_000;
    let source = MemoryStore::new();
    tokio.block_on(fill(&source, ACCOUNTS, EVENTS));
    let rows = rows(ACCOUNTS, EVENTS);
    compare(
        "SQLite, copy of 200,000 events (1,000 together)",
        "events/s",
        EVENTS,
        "",
        |round| {
            let path = directory.join(format!("ours-{round}.db"));
            let target = SqliteStore::open(&path).unwrap();
            let time = time(|| {
                let copied = tokio.block_on(Copy::new(&source, &target).run(|_| ()));
                assert_eq!(copied.unwrap().copied, EVENTS);
            });
            drop(target);
            std::fs::remove_file(path).unwrap();
            time
        },
        |round| {
            let path = directory.join(format!("by-hand-{round}.db"));
            let mut target = by_hand::open(&path).unwrap();
            let time = time(|| {
                for together in rows.chunks(TOGETHER) {
                    by_hand::insert_all(&mut target, together).unwrap();
                }
            });
            drop(target);
            std::fs::remove_file(path).unwrap();
            time
        },
    );
}

/// Fills a store with deposits, one commit each, as commands would.
async fn fill(store: &impl EventStore, accounts: u64, events: u64) {
    const CHAIN: u64 = 1_000;
    for chain in 0..events.div_ceil(CHAIN) {
        let commits: Vec<_> = (chain * CHAIN..events.min((chain + 1) * CHAIN))
            .map(|index| deposit(index % accounts, index / accounts, index))
            .collect();
        for answer in store.append_chain(&commits).await {
            answer.unwrap();
        }
    }
}

fn filled_by_hand(directory: &Path, accounts: u64, events: u64) -> rusqlite::Connection {
    let mut connection = by_hand::open(&directory.join("by-hand.db")).unwrap();
    by_hand::insert_all(&mut connection, &rows(accounts, events)).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    connection
}

fn rows(accounts: u64, events: u64) -> Vec<Row> {
    let row = |index| Row {
        account: index % accounts,
        version: index / accounts + 1,
        name: "deposited",
        payload: serde_json::to_string(&Deposited { amount: index }).unwrap(),
        balance: None,
    };
    (0..events).map(row).collect()
}

async fn deposit_and_withdraw(bank: &Bank, account: u64, commands: u64) {
    for _ in 0..commands / 2 {
        bank.execute(Deposit { account, amount: 100 }).into_future().await.unwrap();
        bank.execute(Withdraw { account, amount: 100 }).into_future().await.unwrap();
    }
}

async fn deposit_and_withdraw_by_hand(bank: &Grouped, account: u64, commands: u64) {
    for _ in 0..commands / 2 {
        bank.deposit(account, 100).await.unwrap();
        bank.withdraw(account, 100).await.unwrap();
    }
}

/// Runs a future in each of many tasks, and says how long all of them took.
fn in_tasks<F: Future<Output = ()> + Send + 'static>(
    tokio: &Tokio,
    tasks: u64,
    work: impl Fn(u64) -> F,
) -> Duration {
    time(|| {
        tokio.block_on(async {
            let tasks: Vec<_> = (0..tasks).map(|task| tokio::spawn(work(task))).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    })
}
