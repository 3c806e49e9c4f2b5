//! `cargo bench -p es-benches --bench inline`: commands with inline projections on SQLite, beside
//! rusqlite by hand that writes the row in the transaction of the event, in one run.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails has nothing to say")]

use std::future::IntoFuture;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use es_benches::by_hand_sqlite::{Grouped, Single};
use es_benches::domain::{Account, Deposit, Withdraw};
use es_benches::durable::{InlineBalanceDocument, InlineBalanceRows};
use es_benches::measure::{compare, processor_time, time};
use es_core::{Registry, RegistryBuilder, Runtime};
use es_sqlite_store::SqliteStore;
use tokio::runtime::Runtime as Tokio;

type Bank = Runtime<SqliteStore>;
/// What is registered, and whether a row is written by hand.
type Case = (&'static str, &'static str, fn(RegistryBuilder) -> RegistryBuilder, bool);

const CASES: [Case; 4] = [
    ("1 task, no projection", "64 tasks, no projection", |registry| registry, false),
    (
        "1 task, inline rows",
        "64 tasks, inline rows",
        RegistryBuilder::projection::<InlineBalanceRows>,
        true,
    ),
    (
        "1 task, inline document",
        "64 tasks, inline document",
        RegistryBuilder::projection::<InlineBalanceDocument>,
        true,
    ),
    (
        "1 task, inline document and rows",
        "64 tasks, inline document and rows",
        |registry| registry.projection::<InlineBalanceRows>().projection::<InlineBalanceDocument>(),
        true,
    ),
];

fn main() {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    println!(
        "{:<46} {:>9} {:>9}   {:<11} {:>8} {:>8}",
        "", "ours", "by hand", "", "ratio", "target"
    );
    for case in CASES {
        let directory = tempfile::tempdir().unwrap();
        one_task(&tokio, directory.path(), case);
    }
    for case in CASES {
        let directory = tempfile::tempdir().unwrap();
        many_tasks(&tokio, directory.path(), case);
    }
}

fn ours(tokio: &Tokio, directory: &Path, register: fn(RegistryBuilder) -> RegistryBuilder) -> Bank {
    let store = SqliteStore::open(directory.join("ours.db")).unwrap();
    let registry = register(Registry::builder().aggregate::<Account>()).build().unwrap();
    tokio.block_on(async { Runtime::builder(store).registry(registry).start().await.unwrap() })
}

/// The processor time of both sides, a command.
#[derive(Default)]
struct Processor {
    ours: Duration,
    theirs: Duration,
    commands: u32,
}

impl Processor {
    fn count(side: &mut Duration, work: impl FnOnce() -> Duration) -> Duration {
        let before = processor_time();
        let took = work();
        *side += processor_time() - before;
        took
    }

    fn say(&self) {
        let Self { ours, theirs, commands } = self;
        println!(
            "{:<46} {:>9.1?} {:>9.1?}   processor time a command",
            "",
            *ours / *commands,
            *theirs / *commands
        );
    }
}

fn one_task(tokio: &Tokio, directory: &Path, (name, _, register, keeps): Case) {
    const COMMANDS: u64 = 1_000;
    let bank = ours(tokio, directory, register);
    let single = Single::open(&directory.join("by-hand.db")).unwrap();
    let mut single = if keeps { single.keeping_balances() } else { single };
    let mut processor = Processor::default();
    let Processor { ours, theirs, commands } = &mut processor;
    compare(
        name,
        "commands/s",
        COMMANDS,
        ">= 0.8",
        |round| {
            *commands += COMMANDS as u32;
            Processor::count(ours, || {
                time(|| tokio.block_on(deposit_and_withdraw(&bank, round as u64, COMMANDS)))
            })
        },
        |round| {
            Processor::count(theirs, || {
                time(|| {
                    for _ in 0..COMMANDS / 2 {
                        single.deposit(round as u64, 100).unwrap();
                        single.withdraw(round as u64, 100).unwrap();
                    }
                })
            })
        },
    );
    processor.say();
    tokio.block_on(bank.shutdown());
}

fn many_tasks(tokio: &Tokio, directory: &Path, (_, name, register, keeps): Case) {
    const TASKS: u64 = 64;
    const COMMANDS: u64 = 300;
    let bank = ours(tokio, directory, register);
    let grouped = Grouped::open(&directory.join("by-hand.db")).unwrap();
    let grouped = Arc::new(if keeps { grouped.keeping_balances() } else { grouped });
    let mut processor = Processor::default();
    let Processor { ours, theirs, commands } = &mut processor;
    compare(
        name,
        "commands/s",
        TASKS * COMMANDS,
        ">= 0.8",
        |round| {
            *commands += (TASKS * COMMANDS) as u32;
            Processor::count(ours, || {
                in_tasks(tokio, TASKS, |task| {
                    let (bank, account) = (bank.clone(), round as u64 * TASKS + task);
                    async move { deposit_and_withdraw(&bank, account, COMMANDS).await }
                })
            })
        },
        |round| {
            Processor::count(theirs, || {
                in_tasks(tokio, TASKS, |task| {
                    let (bank, account) = (Arc::clone(&grouped), round as u64 * TASKS + task);
                    async move {
                        for _ in 0..COMMANDS / 2 {
                            bank.deposit(account, 100).await.unwrap();
                            bank.withdraw(account, 100).await.unwrap();
                        }
                    }
                })
            })
        },
    );
    processor.say();
    tokio.block_on(bank.shutdown());
}

async fn deposit_and_withdraw(bank: &Bank, account: u64, commands: u64) {
    for _ in 0..commands / 2 {
        bank.execute(Deposit { account, amount: 100 }).into_future().await.unwrap();
        bank.execute(Withdraw { account, amount: 100 }).into_future().await.unwrap();
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
