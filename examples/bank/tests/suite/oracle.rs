//! Every row and every sum of the bank's own books comes out.

use bank::account::{Account, AccountEvent, AccountId};
use bank::business_day;
use es_core::Version;

use es_core::Runtime;
use es_memory_store::MemoryStore;

use crate::books::{bank_of_the_sample, expected, rows_by_account};
use crate::earlier_years::bank_of_earlier_years;

/// An event as the books would put it: what it changes, when, what for, and what is there after it.
#[derive(Debug, PartialEq)]
struct Entry {
    date: String,
    kind: &'static str,
    change: i64,
    purpose: String,
    balance: i64,
}

impl Entry {
    fn new(date: &str, kind: &'static str, change: i64, purpose: &str, balance: i64) -> Self {
        Self { date: date.to_owned(), kind, change, purpose: purpose.to_owned(), balance }
    }
}

#[tokio::test]
async fn every_row_of_the_books_is_in_the_history_with_its_balance() {
    let (runtime, imported) = bank_of_the_sample().await;
    assert_eq!((imported.accounts, imported.movements), (30, 2771));
    every_row_has_its_balance(&runtime).await;
}

#[tokio::test]
async fn every_row_that_an_earlier_program_recorded_has_its_balance_too() {
    every_row_has_its_balance(&bank_of_earlier_years().await).await;
}

async fn every_row_has_its_balance(runtime: &Runtime<MemoryStore>) {
    let mut checked = 0;
    for (account, rows) in rows_by_account() {
        let mut wanted = vec![Entry::new(&rows[0].date, "opened", 0, "", 0)];
        for row in &rows {
            let (kind, change) = match row.direction.as_str() {
                "credit" => ("deposited", row.amount),
                "debit" => ("withdrawn", -row.amount),
                other => panic!("direction {other}"),
            };
            let before = row.balance - row.rounding;
            wanted.push(Entry::new(&row.date, kind, change, &row.purpose, before));
            if row.rounding != 0 {
                wanted.push(Entry::new(&row.date, "rounding", row.rounding, "", row.balance));
            }
            checked += 1;
        }
        let mut found = Vec::new();
        let history = runtime.history::<Account>(&AccountId(account)).unwrap();
        let last = history
            .for_each(|state, event, recorded| {
                let (kind, change, purpose) = match event {
                    AccountEvent::Opened(_) => ("opened", 0, None),
                    AccountEvent::Deposited(event) => {
                        ("deposited", event.amount.cast_signed(), event.purpose)
                    }
                    AccountEvent::Withdrawn(event) => {
                        ("withdrawn", -event.amount.cast_signed(), event.purpose)
                    }
                    AccountEvent::RoundingPosted(event) => ("rounding", event.delta, None),
                    AccountEvent::Closed(_) => ("closed", 0, None),
                };
                let date = business_day(recorded.occurred_at.unwrap()).to_string();
                let purpose = purpose.map_or_else(String::new, |purpose| purpose.to_string());
                found.push(Entry::new(&date, kind, change, &purpose, state.balance()));
            })
            .await
            .unwrap();
        assert_eq!(found, wanted, "account {account}");
        let loaded = runtime.load::<Account>(&AccountId(account)).await.unwrap();
        assert_eq!(loaded, last);
        assert_eq!(loaded.version, Version::new(wanted.len() as u64));
    }
    assert_eq!(checked, 2771);
}

#[tokio::test]
async fn every_account_has_the_sums_that_are_expected_of_it() {
    let (runtime, imported) = bank_of_the_sample().await;
    every_account_has_its_sums(&runtime).await;
    let roundings: usize = expected().iter().map(|account| account.roundings).sum();
    assert_eq!(imported.roundings, roundings);
    assert_eq!(imported.rejected, []);
}

#[tokio::test]
async fn every_account_that_an_earlier_program_began_has_its_sums_too() {
    every_account_has_its_sums(&bank_of_earlier_years().await).await;
}

async fn every_account_has_its_sums(runtime: &Runtime<MemoryStore>) {
    let expected = expected();
    assert_eq!(expected.len(), 30);
    for account in &expected {
        let (mut credits, mut debits, mut roundings) = ((0, 0), (0, 0), (0, 0));
        let (mut sanctions, mut lowest, mut opened) = (0, i64::MAX, String::new());
        let count = |(count, sum): &mut (usize, i64), amount| {
            *count += 1;
            *sum += amount;
        };
        // The books show the balance after a row, so that one before its rounding counts for none.
        let mut after_row = None;
        let history = runtime.history::<Account>(&AccountId(account.account_id)).unwrap();
        let last = history
            .for_each(|state, event, recorded| {
                if !matches!(event, AccountEvent::RoundingPosted(_)) {
                    lowest = after_row.take().map_or(lowest, |balance| lowest.min(balance));
                }
                match event {
                    AccountEvent::Opened(_) => {
                        opened = business_day(recorded.happened_at()).to_string();
                        return;
                    }
                    AccountEvent::Deposited(event) => {
                        count(&mut credits, event.amount.cast_signed());
                    }
                    AccountEvent::Withdrawn(event) => {
                        let purpose = event.purpose.map(|purpose| purpose.as_str());
                        sanctions += usize::from(purpose == Some("sanction_interest"));
                        count(&mut debits, event.amount.cast_signed());
                    }
                    AccountEvent::RoundingPosted(event) => count(&mut roundings, event.delta),
                    AccountEvent::Closed(_) => panic!("nobody closes an account in the sample"),
                }
                after_row = Some(state.balance());
            })
            .await
            .unwrap();
        lowest = lowest.min(after_row.unwrap());
        let id = account.account_id;
        assert_eq!(opened, account.opened, "account {id}");
        assert_eq!(credits.0 + debits.0, account.transactions, "account {id}");
        assert_eq!(credits, (account.credits, account.sum_credit), "account {id}");
        assert_eq!(debits, (account.debits, account.sum_debit), "account {id}");
        assert_eq!(roundings, (account.roundings, account.sum_rounding), "account {id}");
        assert_eq!(sanctions, account.sanctions, "account {id}");
        assert_eq!(lowest, account.min_balance, "account {id}");
        assert_eq!(last.state.balance(), account.final_balance, "account {id}");
    }
}

#[tokio::test]
async fn the_state_at_any_version_is_the_one_the_history_shows_there() {
    let (runtime, _) = bank_of_the_sample().await;
    let history = runtime.history::<Account>(&AccountId(37)).unwrap();
    let mut balances = vec![0];
    history.for_each(|state, _, _| balances.push(state.balance())).await.unwrap();
    for (version, balance) in (0..).zip(balances) {
        let then = history.at_version(Version::new(version)).await.unwrap();
        assert_eq!((then.version, then.state.balance()), (Version::new(version), balance));
    }
}
