//! `cargo bench -p es-benches --bench time`: state over time, both sides of each ratio in one run.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails has nothing to say")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use es_benches::measure::{compare, time};
use es_core::prelude::*;
use es_core::{EventStore, Metadata, Query, Registry, Runtime, SnapshotPolicy};
use es_memory_store::MemoryStore;
use es_sqlite_store::SqliteStore;
use es_transfer::{Copy, Format, digest, export, import};
use tokio::runtime::Runtime as Tokio;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited")]
struct Deposited {
    amount: u64,
}

#[derive(Aggregate, Default, Serialize, Deserialize)]
#[aggregate(name = "account", id = u64, events(Deposited), register = false)]
struct Account {
    balance: u64,
    last: Vec<u64>,
}

impl Apply<Deposited> for Account {
    fn apply(&mut self, event: &Deposited) {
        self.balance += event.amount;
        if self.last.len() == 20 {
            self.last.clear();
        }
        self.last.push(event.amount);
    }
}

#[derive(Command)]
#[command(aggregate = Account)]
struct Deposit {
    #[command(id)]
    account: u64,
    amount: u64,
    times: u64,
}

impl Handle<Deposit> for Account {
    type Error = std::convert::Infallible;

    fn handle(&self, command: &Deposit, _: &Context) -> Result<impl IntoEvents<Self>, Self::Error> {
        let deposited = |_| Deposited { amount: command.amount };
        Ok((0..command.times).map(deposited).collect::<Vec<_>>())
    }
}

fn main() {
    // Cargo adds `--bench`.
    let wanted = std::env::args().skip(1).find(|argument| argument != "--bench");
    let wanted = wanted.unwrap_or_default();
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    println!("{:<46} {:>9} {:>9}   {:<11} {:>8} {:>8}", "", "this", "that", "", "ratio", "target");
    type Benchmark = (&'static str, fn(&Tokio));
    let benchmarks: [Benchmark; 6] = [
        ("warm", warm),
        ("snapshot", snapshot),
        ("metadata", metadata),
        ("command id", command_id),
        ("hash chain", hash_chain),
        ("moving", moving),
    ];
    for (name, benchmark) in benchmarks {
        if name.contains(&wanted) {
            benchmark(&tokio);
        }
    }
}

fn start(tokio: &Tokio, policy: SnapshotPolicy<Account>) -> Runtime<MemoryStore> {
    over(tokio, Arc::new(MemoryStore::new()), policy)
}

fn over<S: EventStore + es_core::StateStore>(
    tokio: &Tokio,
    store: Arc<S>,
    policy: SnapshotPolicy<Account>,
) -> Runtime<S> {
    let registry = Registry::builder().build().unwrap();
    let builder = Runtime::builder_shared(store).registry(registry).snapshot(policy);
    tokio.block_on(builder.start()).unwrap()
}

fn deposit<S: EventStore>(tokio: &Tokio, runtime: &Runtime<S>, account: u64, times: u64) {
    tokio.block_on(async {
        runtime.execute(Deposit { account, amount: 1, times }).await.unwrap();
    });
}

/// A command on an aggregate with a long history, beside one with a short one.
fn warm(tokio: &Tokio) {
    const COMMANDS: u64 = 50_000;
    let runtime = start(tokio, SnapshotPolicy::never());
    let commands = |account: u64| {
        time(|| {
            tokio.block_on(async {
                for _ in 0..COMMANDS {
                    let command = Deposit { account, amount: 1, times: 1 };
                    black_box(runtime.execute(command).await.unwrap());
                }
            });
        })
    };
    let mut number = 0;
    let mut fresh = |events: u64| {
        number += 1;
        deposit(tokio, &runtime, number, events);
        commands(number)
    };
    let fresh = std::cell::RefCell::new(&mut fresh);
    compare(
        "command, 10,000 events behind it / 10, warm",
        "commands/s",
        COMMANDS,
        ">= 0.83",
        |_| fresh.borrow_mut()(10_000),
        |_| fresh.borrow_mut()(10),
    );
}

/// Loading from a snapshot taken every 100 events, beside loading 100 events.
fn snapshot(tokio: &Tokio) {
    let directory = tempfile::tempdir().unwrap();
    let memory = Arc::new(MemoryStore::new());
    let sqlite = Arc::new(SqliteStore::open(directory.path().join("bench.db")).unwrap());
    loads(tokio, &memory, "load, 10,050 events, snapshot / 100 events");
    loads(tokio, &sqlite, "the same on SQLite");
}

fn loads<S: EventStore + es_core::StateStore>(tokio: &Tokio, store: &Arc<S>, what: &'static str) {
    const LOADS: u64 = 2_000;
    let runtime = over(tokio, Arc::clone(store), SnapshotPolicy::every(100));
    deposit(tokio, &runtime, 1, 10_000);
    tokio.block_on(async {
        while runtime.snapshots().written == 0 {
            tokio::task::yield_now().await;
        }
    });
    deposit(tokio, &runtime, 1, 50);
    deposit(tokio, &runtime, 2, 99);
    let load = |account: u64| {
        time(|| {
            tokio.block_on(async {
                for _ in 0..LOADS {
                    black_box(runtime.load::<Account>(&account).await.unwrap());
                }
            });
        })
    };
    compare(what, "loads/s", LOADS, ">= 0.33", |_| load(1), |_| load(2));
    let whole = || {
        time(|| {
            tokio.block_on(async {
                let history = runtime.history::<Account>(&1).unwrap();
                black_box(history.at_version(Version::MAX).await.unwrap());
            });
        }) * LOADS as u32
    };
    compare("   the same snapshot / a full replay", "loads/s", LOADS, "", |_| load(1), |_| whole());
}

/// What the identity of a command and what is known of its request cost.
fn metadata(tokio: &Tokio) {
    const COMMANDS: u64 = 20_000;
    let runtime = start(tokio, SnapshotPolicy::never());
    let known = Metadata::default().with_actor("teller 7");
    let in_request = runtime.with_metadata(known);
    let commands = |runtime: &Runtime<MemoryStore>, account: u64| {
        time(|| {
            tokio.block_on(async {
                for _ in 0..COMMANDS {
                    let command = Deposit { account, amount: 1, times: 1 };
                    black_box(runtime.execute(command).await.unwrap());
                }
            });
        })
    };
    compare(
        "command with actor and name recorded / without",
        "commands/s",
        COMMANDS,
        "",
        |_| commands(&in_request, 1),
        |_| commands(&runtime, 2),
    );
}

/// What it costs to look whether a command with an id was carried out before.
fn command_id(tokio: &Tokio) {
    const COMMANDS: u64 = 20_000;
    let directory = tempfile::tempdir().unwrap();
    let sqlite = Arc::new(SqliteStore::open(directory.path().join("bench.db")).unwrap());
    ids(tokio, &start(tokio, SnapshotPolicy::never()), COMMANDS, "command with an id / without");
    let sqlite = over(tokio, sqlite, SnapshotPolicy::never());
    ids(tokio, &sqlite, COMMANDS / 20, "the same on SQLite");
}

fn ids<S: EventStore>(tokio: &Tokio, runtime: &Runtime<S>, count: u64, what: &'static str) {
    let commands = |account: u64, with_id: bool| {
        time(|| {
            tokio.block_on(async {
                for _ in 0..count {
                    let deposit = runtime.execute(Deposit { account, amount: 1, times: 1 });
                    let receipt = if with_id {
                        deposit.command_id(CommandId::generate()).await
                    } else {
                        deposit.await
                    };
                    black_box(receipt.unwrap());
                }
            });
        })
    };
    compare(what, "commands/s", count, "", |_| commands(1, true), |_| commands(2, false));
}

/// What linking events costs, and how fast a chain is checked.
fn hash_chain(tokio: &Tokio) {
    const COMMANDS: u64 = 20_000;
    let plain = start(tokio, SnapshotPolicy::never());
    let registry = Registry::builder().build().unwrap();
    let builder = Runtime::builder(MemoryStore::new()).registry(registry).hash_chain();
    let linked = tokio.block_on(builder.start()).unwrap();
    let commands = |runtime: &Runtime<MemoryStore>| {
        time(|| {
            tokio.block_on(async {
                for _ in 0..COMMANDS {
                    let command = Deposit { account: 1, amount: 1, times: 1 };
                    black_box(runtime.execute(command).await.unwrap());
                }
            });
        })
    };
    compare(
        "command whose event is linked / not linked",
        "commands/s",
        COMMANDS,
        "",
        |_| commands(&linked),
        |_| commands(&plain),
    );
    let events = tokio.block_on(linked.store().head()).unwrap().get();
    let stream = Account::stream(&1).unwrap();
    let check = || {
        time(|| {
            tokio.block_on(linked.verify_chain(&stream, None)).unwrap();
        })
    };
    let read = || {
        time(|| {
            let history = plain.history::<Account>(&1).unwrap();
            black_box(tokio.block_on(history.at_version(Version::MAX)).unwrap());
        })
    };
    compare("chain verified / stream replayed", "events/s", events, "", |_| check(), |_| read());
}

/// Copies, exports and imports, beside reading the source alone.
fn moving(tokio: &Tokio) {
    const EVENTS: u64 = 100_000;
    let runtime = start(tokio, SnapshotPolicy::never());
    for account in 0..EVENTS / 100 {
        deposit(tokio, &runtime, account, 100);
    }
    let source = runtime.store();
    let read = || {
        time(|| {
            black_box(tokio.block_on(digest(&**source)).unwrap());
        })
    };
    let directory = tempfile::tempdir().unwrap();
    let run = |what: &'static str, work: &mut dyn FnMut(usize) -> Duration| {
        compare(what, "events/s", EVENTS, "", work, |_| read());
    };
    run("copy to memory / digest of the source", &mut |_| {
        let target = MemoryStore::new();
        time(|| {
            tokio.block_on(Copy::new(&**source, &target).run(|_| {})).unwrap();
        })
    });
    run("copy to SQLite / the same", &mut |round| {
        let target = SqliteStore::open(directory.path().join(format!("{round}.db"))).unwrap();
        time(|| {
            tokio.block_on(Copy::new(&**source, &target).run(|_| {})).unwrap();
        })
    });
    for (format, out, back) in [
        (Format::JsonLines, "export as JSON Lines / the same", "import of it / the same"),
        (Format::CloudEvents, "export as CloudEvents / the same", "import of it / the same"),
    ] {
        let mut file = Vec::new();
        run(out, &mut |_| {
            file.clear();
            time(|| {
                let all = Query::all();
                let export = export(&**source, &all, format, &mut file, |_| {});
                tokio.block_on(export).unwrap();
            })
        });
        run(back, &mut |_| {
            let target = MemoryStore::new();
            time(|| {
                tokio.block_on(import(&mut file.as_slice(), format, &target, |_| {})).unwrap();
            })
        });
    }
}
