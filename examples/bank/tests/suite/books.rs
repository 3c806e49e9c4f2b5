//! The bank's books, read in the plainest way: what the program is checked against.

use std::collections::BTreeMap;

use bank::import::{Imported, import};
use bank::movements::Movements;
use bank::program;
use es_core::Runtime;
use es_memory_store::MemoryStore;
use serde::Deserialize;

/// A row of the sample.
#[derive(Deserialize, Debug, Clone)]
pub(crate) struct Row {
    pub(crate) account_id: u64,
    pub(crate) trans_id: u64,
    pub(crate) date: String,
    pub(crate) direction: String,
    pub(crate) purpose: String,
    pub(crate) amount: i64,
    pub(crate) balance: i64,
    pub(crate) rounding: i64,
}

/// What must come out for an account.
#[derive(Deserialize, Debug)]
pub(crate) struct Expected {
    pub(crate) account_id: u64,
    pub(crate) opened: String,
    pub(crate) transactions: usize,
    pub(crate) credits: usize,
    pub(crate) debits: usize,
    pub(crate) sum_credit: i64,
    pub(crate) sum_debit: i64,
    pub(crate) roundings: usize,
    pub(crate) sum_rounding: i64,
    pub(crate) min_balance: i64,
    pub(crate) final_balance: i64,
    pub(crate) sanctions: usize,
}

pub(crate) const SAMPLE: &str = include_str!("../../data/berka-sample.csv");
const EXPECTED: &str = include_str!("../../data/berka-sample-expected.csv");

pub(crate) fn rows() -> Vec<Row> {
    csv::Reader::from_reader(SAMPLE.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap()
}

pub(crate) fn rows_by_account() -> BTreeMap<u64, Vec<Row>> {
    let mut by_account = BTreeMap::<u64, Vec<Row>>::new();
    for row in rows() {
        by_account.entry(row.account_id).or_default().push(row);
    }
    by_account
}

pub(crate) fn expected() -> Vec<Expected> {
    csv::Reader::from_reader(EXPECTED.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap()
}

pub(crate) async fn empty_bank() -> Runtime<MemoryStore> {
    program::start(MemoryStore::new()).await.unwrap()
}

pub(crate) async fn import_all<S: es_core::EventStore>(
    runtime: &Runtime<S>,
    movements: &Movements,
    tasks: usize,
) -> Imported {
    import(runtime, movements, tasks, || {}).await.unwrap()
}

/// A bank that has imported the sample.
pub(crate) async fn bank_of_the_sample() -> (Runtime<MemoryStore>, Imported) {
    let runtime = empty_bank().await;
    let imported = import_all(&runtime, &Movements::sample().unwrap(), 1).await;
    (runtime, imported)
}
