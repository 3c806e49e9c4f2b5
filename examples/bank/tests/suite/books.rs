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
pub struct Row {
    pub account_id: u64,
    pub date: String,
    pub direction: String,
    pub purpose: String,
    pub amount: i64,
    pub balance: i64,
    pub rounding: i64,
}

/// What must come out for an account.
#[derive(Deserialize, Debug)]
pub struct Expected {
    pub account_id: u64,
    pub opened: String,
    pub transactions: usize,
    pub credits: usize,
    pub debits: usize,
    pub sum_credit: i64,
    pub sum_debit: i64,
    pub roundings: usize,
    pub sum_rounding: i64,
    pub min_balance: i64,
    pub final_balance: i64,
    pub sanctions: usize,
}

pub const SAMPLE: &str = include_str!("../../data/berka-sample.csv");
const EXPECTED: &str = include_str!("../../data/berka-sample-expected.csv");

pub fn rows() -> Vec<Row> {
    csv::Reader::from_reader(SAMPLE.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap()
}

pub fn rows_by_account() -> BTreeMap<u64, Vec<Row>> {
    let mut by_account = BTreeMap::<u64, Vec<Row>>::new();
    for row in rows() {
        by_account.entry(row.account_id).or_default().push(row);
    }
    by_account
}

pub fn expected() -> Vec<Expected> {
    csv::Reader::from_reader(EXPECTED.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap()
}

pub async fn empty_bank() -> Runtime<MemoryStore> {
    program::start(MemoryStore::new()).await.unwrap()
}

pub async fn import_all(
    runtime: &Runtime<MemoryStore>,
    movements: &Movements,
    tasks: usize,
) -> Imported {
    import(runtime, movements, tasks, || {}).await.unwrap()
}

/// A bank that has imported the sample.
pub async fn bank_of_the_sample() -> (Runtime<MemoryStore>, Imported) {
    let runtime = empty_bank().await;
    let imported = import_all(&runtime, &Movements::sample().unwrap(), 1).await;
    (runtime, imported)
}
