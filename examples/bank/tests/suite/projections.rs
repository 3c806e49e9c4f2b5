//! The read models against plain sums over the file.

use std::collections::BTreeMap;

use bank::account::{AccountId, Close, OpenAccount, Overdraft};
use bank::projections::{Balances, Days, Purposes, Totals};
use es_core::{Runtime, Version};
use es_memory_store::MemoryStore;

use crate::books::{Row, bank_of_the_sample, empty_bank, rows, rows_by_account};
use crate::earlier_years::bank_of_earlier_years;

/// Sums over the rows, by what `key` makes of them.
fn sums(key: impl Fn(&Row) -> String) -> BTreeMap<String, Totals> {
    let mut sums = BTreeMap::<_, Totals>::new();
    for row in rows() {
        let totals = sums.entry(key(&row)).or_default();
        let amount = u128::try_from(row.amount).unwrap();
        match row.direction.as_str() {
            "credit" => totals.credits += amount,
            "debit" => totals.debits += amount,
            other => panic!("direction {other}"),
        }
        totals.count += 1;
    }
    sums
}

#[tokio::test]
async fn balances_are_the_last_ones_of_the_books() {
    let (runtime, imported) = bank_of_the_sample().await;
    runtime.wait_for::<Balances>(imported.receipt.unwrap()).await.unwrap();
    has_the_balances_of_the_books(&runtime);
    let runtime = bank_of_earlier_years().await;
    runtime.wait_until_current::<Balances>().await.unwrap();
    has_the_balances_of_the_books(&runtime);
}

fn has_the_balances_of_the_books(runtime: &Runtime<MemoryStore>) {
    let found: Vec<_> = runtime.projection::<Balances>().unwrap().read(|balances| {
        balances.iter().map(|(account, it)| (account.0, it.balance, it.version)).collect()
    });
    let wanted: Vec<_> = rows_by_account()
        .into_iter()
        .map(|(account, rows)| {
            let roundings = rows.iter().filter(|row| row.rounding != 0).count();
            let version = Version::new((1 + rows.len() + roundings) as u64);
            (account, rows.last().unwrap().balance, version)
        })
        .collect();
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn purposes_are_the_sums_over_the_file() {
    let (runtime, imported) = bank_of_the_sample().await;
    runtime.wait_for::<Purposes>(imported.receipt.unwrap()).await.unwrap();
    has_the_purposes_of_the_books(&runtime);
    let runtime = bank_of_earlier_years().await;
    runtime.wait_until_current::<Purposes>().await.unwrap();
    has_the_purposes_of_the_books(&runtime);
}

fn has_the_purposes_of_the_books(runtime: &Runtime<MemoryStore>) {
    let found = runtime.projection::<Purposes>().unwrap().read(|purposes| {
        let name = |purpose: Option<_>| purpose.map_or_else(String::new, |it| format!("{it}"));
        purposes.iter().map(|(purpose, totals)| (name(purpose), totals)).collect::<BTreeMap<_, _>>()
    });
    assert_eq!(found, sums(|row| row.purpose.clone()));
    assert_eq!(found.len(), 8, "all seven purposes, and none");
}

#[tokio::test]
async fn days_are_the_sums_over_the_file() {
    let (runtime, imported) = bank_of_the_sample().await;
    runtime.wait_for::<Days>(imported.receipt.unwrap()).await.unwrap();
    has_the_days_of_the_books(&runtime);
    let runtime = bank_of_earlier_years().await;
    runtime.wait_until_current::<Days>().await.unwrap();
    has_the_days_of_the_books(&runtime);
}

fn has_the_days_of_the_books(runtime: &Runtime<MemoryStore>) {
    let found = runtime.projection::<Days>().unwrap().read(|days| {
        days.iter().map(|(day, totals)| (day.to_string(), totals)).collect::<BTreeMap<_, _>>()
    });
    assert_eq!(found, sums(|row| row.date.clone()));
}

#[tokio::test]
async fn a_command_is_seen_in_a_projection_after_waiting_for_its_receipt() {
    let runtime = empty_bank().await;
    let account = AccountId(7);
    for (receipt, version) in [
        (runtime.execute(OpenAccount { account, overdraft: Overdraft::Refused }).await.unwrap(), 1),
        (runtime.execute(Close { account }).await.unwrap(), 2),
    ] {
        runtime.wait_for::<Balances>(&receipt).await.unwrap();
        let balance = runtime.projection::<Balances>().unwrap().read(|it| it.get(account)).unwrap();
        assert_eq!(receipt.version, Version::new(version));
        assert!(balance.version >= receipt.version);
    }
}
