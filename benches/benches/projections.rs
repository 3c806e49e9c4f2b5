//! `cargo bench -p es-benches --bench projections`: durable projections on SQLite beside rusqlite by
//! hand, in one run.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails has nothing to say")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use es_benches::by_hand_sqlite::{self as by_hand, Row};
use es_benches::domain::{Account, Balances, Deposit, Deposited};
use es_benches::durable::{BalanceDocument, BalancePartitions, BalanceRows, project_by_hand};
use es_benches::measure::{resident_bytes, time};
use es_core::bytes::Bytes;
use es_core::prelude::*;
use es_core::{
    Commit, EventId, ExpectedVersion, Metadata, NewEvent, Registry, RegistryBuilder, Runtime,
    SchemaVersion, StreamId, Tags,
};
use es_sqlite_store::SqliteStore;
use es_sqlite_store::rusqlite::Connection;
use tokio::runtime::Runtime as Tokio;

const ACCOUNTS: u64 = 1_000;
const ROUNDS: usize = 3;

fn main() {
    let events = std::env::var("ES_EVENTS").ok().and_then(|events| events.parse().ok());
    let events: u64 = events.unwrap_or(1_000_000);
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(directory.path().join("ours.db")).unwrap());
    tokio.block_on(fill(&store, events));
    let mut theirs = filled_by_hand(directory.path(), events);
    println!(
        "{events} events, {ACCOUNTS} keys, {} cores",
        std::thread::available_parallelism().unwrap()
    );
    let mut rates = [const { Vec::new() }; 5];
    for _ in 0..ROUNDS {
        rates[0].push(time(|| project_by_hand(&mut theirs).unwrap()));
        rates[1].push(in_memory(&tokio, &store));
        rates[2].push(durable(&tokio, &store, "balance-documents"));
        rates[3].push(durable(&tokio, &store, "balance-rows"));
        rates[4].push(durable(&tokio, &store, "balance-partitions"));
    }
    let per_second = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        events as f64 / times[ROUNDS / 2].as_secs_f64()
    };
    let [by_hand, memory, documents, rows, parted] = rates.each_mut().map(per_second);
    println!("rows by hand        {:>8.3} M events/s", by_hand / 1e6);
    println!("in memory           {:>8.3} M events/s", memory / 1e6);
    println!(
        "documents           {:>8.3} M events/s   ratio {:.2} (target >= 0.8)",
        documents / 1e6,
        documents / by_hand
    );
    println!(
        "rows                {:>8.3} M events/s   ratio {:.2} (target >= 0.8)",
        rows / 1e6,
        rows / by_hand
    );
    println!(
        "4 partitions        {:>8.3} M events/s   to undivided documents {:.2}",
        parted / 1e6,
        parted / documents
    );
    latency(&tokio, directory.path());
}

fn commit(stream: StreamId, name: &'static str, payload: Bytes) -> Commit {
    let event = NewEvent {
        id: EventId::generate(),
        name: name.into(),
        schema_version: SchemaVersion::FIRST,
        payload,
        tags: Tags::new(),
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    Commit::new(stream, ExpectedVersion::Any, vec![event]).unwrap()
}

async fn start(store: &Arc<SqliteStore>, registry: RegistryBuilder) -> Runtime<SqliteStore> {
    let builder = Runtime::builder_shared(Arc::clone(store));
    builder.registry(registry.build().unwrap()).start().await.unwrap()
}

fn in_memory(tokio: &Tokio, store: &Arc<SqliteStore>) -> Duration {
    time(|| {
        tokio.block_on(async {
            let runtime = start(store, Registry::builder().projection::<Balances>()).await;
            runtime.wait_until_current::<Balances>().await.unwrap();
            runtime.shutdown().await;
        });
    })
}

/// A rebuild from the first event to the swap, and how much the process grew meanwhile.
fn durable(tokio: &Tokio, store: &Arc<SqliteStore>, name: &str) -> Duration {
    tokio.block_on(async {
        let registry =
            Registry::builder().projection::<BalanceDocument>().projection::<BalanceRows>();
        let registry = registry.projection::<BalancePartitions>();
        let runtime = start(store, registry).await;
        runtime.wait_until_current::<BalanceDocument>().await.unwrap();
        runtime.wait_until_current::<BalanceRows>().await.unwrap();
        runtime.wait_until_current::<BalancePartitions>().await.unwrap();
        let handle = runtime.projection_handle(name).unwrap();
        let before = resident_bytes();
        let start = Instant::now();
        handle.rebuild().await.unwrap().finished().await.unwrap();
        let took = start.elapsed();
        if let (Some(before), Some(after)) = (before, resident_bytes()) {
            let grown = after.saturating_sub(before) / 1024;
            println!("rebuild of {name}: {took:.2?}, the process grew by {grown} KiB");
        }
        handle.discard_others().await.unwrap();
        runtime.shutdown().await;
        took
    })
}

/// From the answer to a command until its document is there, with 16 tasks that write.
fn latency(tokio: &Tokio, directory: &Path) {
    const TASKS: u64 = 16;
    const COMMANDS: u64 = 200;
    let store = Arc::new(SqliteStore::open(directory.join("latency.db")).unwrap());
    let registry = Registry::builder().aggregate::<Account>().projection::<BalanceDocument>();
    let mut waits = tokio.block_on(async {
        let runtime = start(&store, registry).await;
        let tasks: Vec<_> = (0..TASKS)
            .map(|account| {
                let runtime = runtime.clone();
                tokio::spawn(async move {
                    let mut waits = Vec::new();
                    for _ in 0..COMMANDS {
                        let command = Deposit { account, amount: 1 };
                        let receipt = runtime.execute(command).await.unwrap();
                        let start = Instant::now();
                        runtime.wait_for::<BalanceDocument>(&receipt).await.unwrap();
                        waits.push(start.elapsed());
                    }
                    waits
                })
            })
            .collect();
        let mut waits = Vec::new();
        for task in tasks {
            waits.extend(task.await.unwrap());
        }
        runtime.shutdown().await;
        waits
    });
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    println!("append to visible, {TASKS} tasks: p50 {:.2?}, p99 {:.2?}", at(0.5), at(0.99));
}

async fn fill(store: &SqliteStore, events: u64) {
    const CHAIN: u64 = 1_000;
    for chain in 0..events.div_ceil(CHAIN) {
        let commits: Vec<_> = (chain * CHAIN..events.min((chain + 1) * CHAIN))
            .map(|index| {
                let stream = StreamId::new("account", index % ACCOUNTS).unwrap();
                let payload = serde_json::to_vec(&Deposited { amount: index }).unwrap();
                commit(stream, Deposited::NAME, Bytes::from(payload))
            })
            .collect();
        for answer in es_core::EventStore::append_chain(store, &commits).await {
            answer.unwrap();
        }
    }
    store.checkpoint().await.unwrap();
}

fn filled_by_hand(directory: &Path, events: u64) -> Connection {
    let mut connection = by_hand::open(&directory.join("by-hand.db")).unwrap();
    let rows: Vec<_> = (0..events)
        .map(|index| Row {
            account: index % ACCOUNTS,
            version: index / ACCOUNTS + 1,
            name: "deposited",
            payload: format!("{{\"amount\":{index}}}"),
            balance: None,
        })
        .collect();
    for chunk in rows.chunks(10_000) {
        by_hand::insert_all(&mut connection, chunk).unwrap();
    }
    connection
}
