//! `cargo bench -p es-benches`: es-core beside code written by hand, in one run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark that fails has nothing to say")]

use std::hint::black_box;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::SystemTime;

use es_benches::domain::{Account, Balances, Deposit, Deposited, Withdraw};
use es_benches::measure::{compare, from_core_to_core, resident_bytes, time};
use es_benches::{by_hand, naive};
use es_core::bytes::Bytes;
use es_core::prelude::*;
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Registry, Runtime,
    SchemaVersion, StreamId, Tags,
};
use es_memory_store::MemoryStore;
use tokio::runtime::Runtime as Tokio;
use uuid::Uuid;

type Bank = Runtime<MemoryStore>;

/// `cargo bench -p es-benches -- load` measures only what has `load` in its name.
fn main() {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--memory"), Some(side)) => memory(&side),
        (Some("--commands"), Some(count)) => commands(count.parse().unwrap()),
        (Some("--commands-by-hand"), Some(count)) => {
            let bank = by_hand::Bank::default();
            deposit_and_withdraw_by_hand(&bank, 1, count.parse().unwrap());
        }
        (Some("--tasks"), Some(rounds)) => tasks(rounds.parse().unwrap()),
        (Some("--loads"), Some(count)) => loads(count.parse().unwrap()),
        (Some("--projections"), Some(count)) => projections(count.parse().unwrap()),
        (Some("--projections-by-hand"), Some(count)) => {
            projections_by_hand(count.parse().unwrap());
        }
        (wanted, _) => ratios(wanted.unwrap_or_default()),
    }
}

fn ratios(wanted: &str) {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    println!(
        "{:<46} {:>9} {:>9}   {:<11} {:>8} {:>8}",
        "", "ours", "by hand", "", "ratio", "target"
    );
    type Benchmark = (&'static str, fn(&Tokio));
    let benchmarks: [Benchmark; 11] = [
        ("one task", one_task),
        ("one task guarded", one_task_guarded),
        ("many aggregates", many_aggregates),
        ("many aggregates guarded", many_aggregates_guarded),
        ("many aggregates ordered", many_aggregates_ordered),
        ("order", what_an_order_costs),
        ("one aggregate", one_aggregate),
        ("load", load),
        ("load lean", load_lean),
        ("projection", projection),
        ("memory", both_memories),
    ];
    for (name, benchmark) in benchmarks {
        if name.contains(wanted) {
            benchmark(&tokio);
        }
    }
}

fn both_memories(_: &Tokio) {
    for side in ["es-memory-store", "by-hand"] {
        let myself = std::env::current_exe().unwrap();
        let output = Process::new(myself).args(["--memory", side]).output().unwrap();
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }
}

async fn bank(store: MemoryStore) -> Bank {
    Runtime::builder(store).registry(Registry::builder().build().unwrap()).start().await.unwrap()
}

fn one_task(tokio: &Tokio) {
    const COMMANDS: u64 = 200_000;
    let (ours, theirs) = (tokio.block_on(bank(MemoryStore::new())), by_hand::Bank::default());
    compare(
        "execute, 1 task",
        "commands/s",
        COMMANDS,
        ">= 0.8",
        |round| time(|| tokio.block_on(deposit_and_withdraw(&ours, round as u64, COMMANDS))),
        |round| time(|| deposit_and_withdraw_by_hand(&theirs, round as u64, COMMANDS)),
    );
}

fn one_task_guarded(tokio: &Tokio) {
    const COMMANDS: u64 = 200_000;
    let ours = tokio.block_on(bank(MemoryStore::new()));
    let theirs = by_hand::guarded::Bank::default();
    compare(
        "execute, 1 task, to a log by hand",
        "commands/s",
        COMMANDS,
        ">= 0.8",
        |round| time(|| tokio.block_on(deposit_and_withdraw(&ours, round as u64, COMMANDS))),
        |round| time(|| deposit_and_withdraw_by_hand(&theirs, round as u64, COMMANDS)),
    );
}

const TASKS: u64 = 64;
const COMMANDS_OF_A_TASK: u64 = 5_000;

/// Many tasks, each on an account of its own.
fn many_tasks<B: ManyTasks>(tokio: &Tokio, round: usize, bank: &B) -> std::time::Duration {
    in_tasks(tokio, TASKS, |task| bank.clone().work(round as u64 * TASKS + task))
}

trait ManyTasks: Clone {
    fn work(self, account: u64) -> impl Future<Output = ()> + Send + 'static;
}

impl ManyTasks for Bank {
    async fn work(self, account: u64) {
        deposit_and_withdraw(&self, account, COMMANDS_OF_A_TASK).await;
    }
}

impl<B: ByHand> ManyTasks for Arc<B> {
    async fn work(self, account: u64) {
        deposit_and_withdraw_by_hand(&*self, account, COMMANDS_OF_A_TASK);
    }
}

fn many_aggregates(tokio: &Tokio) {
    println!("a line of memory, from core to core: {} ns", from_core_to_core().as_nanos());
    let ours = tokio.block_on(bank(MemoryStore::new()));
    let theirs = Arc::new(by_hand::Bank::default());
    compare(
        "execute, 64 tasks on 64 aggregates",
        "commands/s",
        TASKS * COMMANDS_OF_A_TASK,
        ">= 0.8",
        |round| many_tasks(tokio, round, &ours),
        |round| many_tasks(tokio, round, &theirs),
    );
}

fn many_aggregates_guarded(tokio: &Tokio) {
    let ours = tokio.block_on(bank(MemoryStore::new()));
    let theirs = Arc::new(by_hand::guarded::Bank::default());
    compare(
        "execute, 64 tasks, to a log by hand",
        "commands/s",
        TASKS * COMMANDS_OF_A_TASK,
        ">= 0.8",
        |round| many_tasks(tokio, round, &ours),
        |round| many_tasks(tokio, round, &theirs),
    );
}

fn many_aggregates_ordered(tokio: &Tokio) {
    let ours = tokio.block_on(bank(MemoryStore::new()));
    let theirs = Arc::new(by_hand::Ordered::default());
    compare(
        "execute, 64 tasks, to a bare global order",
        "commands/s",
        TASKS * COMMANDS_OF_A_TASK,
        "",
        |round| many_tasks(tokio, round, &ours),
        |round| many_tasks(tokio, round, &theirs),
    );
}

/// By hand on both sides: what no store with one order can get around.
fn what_an_order_costs(tokio: &Tokio) {
    let ordered = Arc::new(by_hand::Ordered::default());
    let theirs = Arc::new(by_hand::Bank::default());
    compare(
        "by hand: bare global order, to none, 64 tasks",
        "commands/s",
        TASKS * COMMANDS_OF_A_TASK,
        "",
        |round| many_tasks(tokio, round, &ordered),
        |round| many_tasks(tokio, round, &theirs),
    );
}

fn one_aggregate(tokio: &Tokio) {
    const TASKS: u64 = 16;
    const MANY: u64 = 20_000;
    let (ours, theirs) =
        (tokio.block_on(bank(MemoryStore::new())), Arc::new(by_hand::Bank::default()));
    compare(
        "execute, 16 tasks on one aggregate (lock)",
        "commands/s",
        TASKS * MANY,
        "",
        |round| {
            in_tasks(tokio, TASKS, |_| {
                let bank = ours.clone();
                async move { deposit_and_withdraw(&bank, round as u64, MANY).await }
            })
        },
        |round| {
            in_tasks(tokio, TASKS, |_| {
                let bank = Arc::clone(&theirs);
                async move { deposit_and_withdraw_by_hand(&*bank, round as u64, MANY) }
            })
        },
    );
    const FEW: u64 = 125;
    compare(
        "execute, 16 tasks on one aggregate (naive)",
        "commands/s",
        TASKS * FEW,
        ">= 50",
        |round| {
            in_tasks(tokio, TASKS, |_| {
                let bank = ours.clone();
                async move { deposit_and_withdraw(&bank, 1000 + round as u64, FEW).await }
            })
        },
        |round| {
            in_tasks(tokio, TASKS, |_| {
                let bank = ours.clone();
                async move {
                    for _ in 0..FEW {
                        naive::deposit(&bank, 2000 + round as u64, 1).await.unwrap();
                    }
                }
            })
        },
    );
}

fn load(tokio: &Tokio) {
    const EVENTS: u64 = 10_000;
    const LOADS: u64 = 20;
    let (ours, theirs) = (tokio.block_on(bank(MemoryStore::new())), by_hand::Bank::default());
    tokio.block_on(deposit_and_withdraw(&ours, 1, EVENTS));
    deposit_and_withdraw_by_hand(&theirs, 1, EVENTS);
    let history = theirs.instance(1);
    let history = history.lock().unwrap();
    compare(
        "load 10,000 events of one stream",
        "events/s",
        EVENTS * LOADS,
        ">= 0.9",
        |_| {
            time(|| {
                for _ in 0..LOADS {
                    let loaded = tokio.block_on(ours.load::<Account>(&1)).unwrap();
                    assert_eq!(black_box(loaded).version, Version::new(EVENTS));
                }
            })
        },
        |_| {
            time(|| {
                for _ in 0..LOADS {
                    black_box(by_hand::Account::replay(&history.history).unwrap());
                }
            })
        },
    );
}

fn load_lean(tokio: &Tokio) {
    const EVENTS: u64 = 10_000;
    const LOADS: u64 = 20;
    let ours = tokio.block_on(bank(MemoryStore::new()));
    tokio.block_on(deposit_and_withdraw(&ours, 1, EVENTS));
    let event = |index| match index % 2 {
        0 => by_hand::Event::Deposited { amount: 100 },
        _ => by_hand::Event::Withdrawn { amount: 100 },
    };
    let named = |index| by_hand::lean::Named::of(&event(index)).unwrap();
    let history: Vec<_> = (0..EVENTS).map(named).collect();
    compare(
        "load 10,000 events of one stream (lean)",
        "events/s",
        EVENTS * LOADS,
        "",
        |_| {
            time(|| {
                for _ in 0..LOADS {
                    black_box(tokio.block_on(ours.load::<Account>(&1)).unwrap());
                }
            })
        },
        |_| {
            time(|| {
                for _ in 0..LOADS {
                    black_box(by_hand::lean::replay(&history).unwrap());
                }
            })
        },
    );
}

fn projection(tokio: &Tokio) {
    const EVENTS: u64 = 1_000_000;
    let store = Arc::new(MemoryStore::new());
    tokio.block_on(fill(&store, EVENTS));
    let log = log_by_hand(EVENTS);
    let expected = by_hand::project(&log).unwrap();
    compare(
        "projection over 1,000,000 events",
        "events/s",
        EVENTS,
        ">= 0.9",
        |_| {
            let mut by_account = std::collections::BTreeMap::new();
            let time = time(|| by_account = tokio.block_on(project(&store)));
            assert_eq!(by_account, expected);
            time
        },
        |_| time(|| assert_eq!(black_box(by_hand::project(&log).unwrap()), expected)),
    );
}

const ACCOUNTS: u64 = 1_000;

/// Fills a store with deposits, one commit each, as commands would.
async fn fill(store: &MemoryStore, events: u64) {
    for index in 0..events {
        let stream = StreamId::new("account", index % ACCOUNTS).unwrap();
        let event = NewEvent {
            id: EventId::generate(),
            name: Deposited::NAME.into(),
            schema_version: SchemaVersion::FIRST,
            payload: Bytes::from(serde_json::to_vec(&Deposited { amount: index }).unwrap()),
            tags: Tags::new(),
            occurred_at: None,
            metadata: Metadata::EMPTY,
        };
        let commit = Commit::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
        store.append(&commit).await.unwrap();
    }
}

/// The same deposits as they lie in a log by hand.
fn log_by_hand(events: u64) -> Vec<by_hand::Logged> {
    let logged = |index| {
        let event = by_hand::Event::Deposited { amount: index };
        let (id, recorded_at) = (Uuid::now_v7(), SystemTime::now());
        let record = by_hand::Record { id, recorded_at, payload: event.encode().unwrap() };
        by_hand::Logged { account: index % ACCOUNTS, record }
    };
    (0..events).map(logged).collect()
}

/// Carries out so many commands and does nothing else, for a tool that counts instructions.
fn commands(count: u64) {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let bank = tokio.block_on(bank(MemoryStore::new()));
    tokio.block_on(deposit_and_withdraw(&bank, 1, count));
}

/// Carries out the commands of many tasks so many times and does nothing else, for a profiler.
fn tasks(rounds: usize) {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let bank = tokio.block_on(bank(MemoryStore::new()));
    for round in 0..rounds {
        many_tasks(&tokio, round, &bank);
    }
}

/// Loads an aggregate with 1,000 events so many times, for a tool that counts instructions.
fn loads(count: u64) {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let bank = tokio.block_on(bank(MemoryStore::new()));
    tokio.block_on(deposit_and_withdraw(&bank, 1, 1_000));
    for _ in 0..count {
        black_box(tokio.block_on(bank.load::<Account>(&1)).unwrap());
    }
}

/// So many events are projected at a time when instructions are counted. Starting a runtime and making
/// the states of all accounts is little beside them.
const PROJECTED: u64 = 50_000;

/// Projects so many times, for a tool that counts instructions.
fn projections(count: u64) {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let store = Arc::new(MemoryStore::new());
    tokio.block_on(fill(&store, PROJECTED));
    for _ in 0..count {
        tokio.block_on(project(&store));
    }
}

fn projections_by_hand(count: u64) {
    let log = log_by_hand(PROJECTED);
    for _ in 0..count {
        black_box(by_hand::project(&log).unwrap());
    }
}

async fn project(store: &Arc<MemoryStore>) -> std::collections::BTreeMap<u64, u64> {
    let registry = Registry::builder().projection::<Balances>().build().unwrap();
    let builder = Runtime::builder_shared(Arc::clone(store)).registry(registry);
    let runtime = builder.start().await.unwrap();
    runtime.wait_until_current::<Balances>().await.unwrap();
    runtime.projection::<Balances>().unwrap().read(|balances| balances.by_account.clone())
}

/// Prints how many bytes an event takes; in a process of its own, so that nothing else counts.
fn memory(side: &str) {
    const EVENTS: u64 = 1_000_000;
    let before = resident_bytes();
    match side {
        "by-hand" => {
            let bank = by_hand::Bank::default();
            for index in 0..EVENTS {
                bank.deposit(index % ACCOUNTS, index).unwrap();
            }
            report(side, EVENTS, before);
            drop(bank);
        }
        _ => {
            let tokio =
                tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let store = MemoryStore::new();
            tokio.block_on(fill(&store, EVENTS));
            report(side, EVENTS, before);
            drop(store);
        }
    }
}

fn report(side: &str, events: u64, before: Option<u64>) {
    match (before, resident_bytes()) {
        (Some(before), Some(after)) => {
            let each = (after.saturating_sub(before)) as f64 / events as f64;
            println!(
                "memory of 1,000,000 events, {side:<18} {each:>9.1} bytes/event (target <= 100)"
            );
        }
        _ => println!("memory: this system does not tell"),
    }
}

async fn deposit_and_withdraw(bank: &Bank, account: u64, commands: u64) {
    for _ in 0..commands / 2 {
        bank.execute(Deposit { account, amount: 100 }).await.unwrap();
        bank.execute(Withdraw { account, amount: 100 }).await.unwrap();
    }
}

/// A bank by hand.
trait ByHand: Send + Sync + 'static {
    fn deposit(&self, account: u64, amount: u64);
    fn withdraw(&self, account: u64, amount: u64);
}

macro_rules! by_hand {
    ($($bank:ty),*) => {$(
        impl ByHand for $bank {
            fn deposit(&self, account: u64, amount: u64) {
                self.deposit(account, amount).unwrap();
            }

            fn withdraw(&self, account: u64, amount: u64) {
                self.withdraw(account, amount).unwrap();
            }
        }
    )*};
}

by_hand!(by_hand::Bank, by_hand::Ordered, by_hand::guarded::Bank);

fn deposit_and_withdraw_by_hand(bank: &impl ByHand, account: u64, commands: u64) {
    for _ in 0..commands / 2 {
        bank.deposit(account, 100);
        bank.withdraw(account, 100);
    }
}

/// Runs a future in each of many tasks, and says how long all of them took.
fn in_tasks<F: Future<Output = ()> + Send + 'static>(
    tokio: &Tokio,
    tasks: u64,
    work: impl Fn(u64) -> F,
) -> std::time::Duration {
    time(|| {
        tokio.block_on(async {
            let tasks: Vec<_> = (0..tasks).map(|task| tokio::spawn(work(task))).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    })
}
