//! Questions about the past, against the bank's own books.

use std::collections::HashMap;

use bank::account::{Account, AccountId};
use bank::end_of_business_day;
use bank::import::{ACTOR, movement_id, reconciling_id};
use bank::report::first_overdraft;
use es_core::EventStore;
use es_core::jiff::ToSpan;
use es_core::jiff::civil::Date;
use es_core::{CausalMessage, CommandId, Registry, Runtime, StateStore};
use es_memory_store::MemoryStore;

use crate::books::{Row, bank_of_the_sample, import_all, rows_by_account};
use crate::command_line::bank as run;

/// Numbers that look random and are the same in every run.
fn numbers(mut state: u64) -> impl Iterator<Item = u64> {
    std::iter::repeat_with(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    })
}

/// What the books say an account held at the end of a day.
fn stated(rows: &[Row], day: Date) -> i64 {
    let then = rows.iter().rfind(|row| row.date.parse::<Date>().unwrap() <= day);
    then.map_or(0, |row| row.balance)
}

pub(crate) async fn balances_are_those_of_the_books<S: EventStore>(runtime: &Runtime<S>) {
    let books: Vec<_> = rows_by_account().into_iter().collect();
    let mut numbers = numbers(17);
    for _ in 0..1000 {
        let mut below = |limit: usize| numbers.next().unwrap() as usize % limit;
        let (account, rows) = &books[below(books.len())];
        let first: Date = rows[0].date.parse().unwrap();
        let day = first - 30.days() + (below(2400) as i64).days();
        let history = runtime.history::<Account>(&AccountId(*account)).unwrap();
        let then = history.as_of_business(end_of_business_day(day)).await.unwrap();
        assert_eq!(then.state.balance(), stated(rows, day), "account {account} on {day}");
    }
}

#[tokio::test]
async fn a_balance_of_any_day_is_the_one_in_the_books_with_snapshots_and_without() {
    let (runtime, _) = bank_of_the_sample().await;
    balances_are_those_of_the_books(&runtime).await;
    let snapshots = runtime.snapshots();
    assert!(snapshots.written + snapshots.postponed > 0, "{snapshots:?}");

    let registry = Registry::linked().build().unwrap();
    let without = Runtime::builder(MemoryStore::new()).registry(registry).without_snapshots();
    let without = without.start().await.unwrap();
    import_all(&without, &bank::movements::Movements::sample().unwrap(), 1).await;
    balances_are_those_of_the_books(&without).await;
    for account in rows_by_account().into_keys().map(AccountId) {
        let loaded = runtime.load::<Account>(&account).await.unwrap();
        assert_eq!(loaded, without.load::<Account>(&account).await.unwrap());
    }
    assert!(without.store().list("snapshot", None, 1).await.unwrap().records.is_empty());
}

/// The first row after which an account was below zero: its date, the command, and the balance.
fn first_negative(rows: &[Row]) -> Option<(String, CommandId, &'static str, i64)> {
    rows.iter().find_map(|row| {
        let moved = row.balance - row.rounding;
        let (command, kind, balance) = if moved < 0 {
            let kind = if row.direction == "credit" { "deposited" } else { "withdrawn" };
            (movement_id(row.trans_id), kind, moved)
        } else if row.balance < 0 {
            (reconciling_id(row.trans_id), "rounding_posted", row.balance)
        } else {
            return None;
        };
        Some((row.date.clone(), command, kind, balance))
    })
}

#[tokio::test]
async fn the_first_overdraft_is_the_row_that_the_books_show() {
    let (runtime, _) = bank_of_the_sample().await;
    first_overdrafts_are_those_of_the_books(&runtime).await;
}

pub(crate) async fn first_overdrafts_are_those_of_the_books<S: EventStore>(runtime: &Runtime<S>) {
    let mut overdrawn = 0;
    for (account, rows) in rows_by_account() {
        let found = first_overdraft(runtime, AccountId(account)).await.unwrap();
        let found = found.map(|first| {
            let command = first.metadata.command().unwrap().id.unwrap();
            (first.line.date.to_string(), command, first.line.kind, first.line.balance)
        });
        assert_eq!(found, first_negative(&rows), "account {account}");
        overdrawn += usize::from(found.is_some());
    }
    assert!((1..30).contains(&overdrawn), "{overdrawn}");
}

#[tokio::test]
async fn a_row_is_a_request_and_its_rounding_is_caused_by_its_movement() {
    let (runtime, _) = bank_of_the_sample().await;
    let rows = rows_by_account();
    let rounded = rows.values().flatten().find(|row| row.rounding != 0).unwrap();
    let tree = runtime.audit().tree(*movement_id(rounded.trans_id).as_uuid()).await.unwrap();
    let outline = tree.nodes().iter().map(|node| match &node.message {
        CausalMessage::Command(command) => (node.depth, command.name.clone().unwrap()),
        CausalMessage::Event(event) => (node.depth, event.name.clone()),
    });
    let outline: Vec<_> = outline.collect();
    let movement = if rounded.direction == "credit" {
        ["Deposit", "account.deposited"]
    } else {
        ["Withdraw", "account.withdrawn"]
    };
    let expected =
        [(0, movement[0]), (1, movement[1]), (1, "Reconcile"), (2, "account.rounding_posted")];
    assert_eq!(outline, expected.map(|(depth, name)| (depth, name.to_owned())));
}

#[test]
fn a_statement_as_of_a_day_or_version_is_the_beginning_of_the_whole() {
    let whole = run(&["statement", "1539"]).out;
    let lines: Vec<_> = whole.lines().collect();
    for count in [0, 1, 40, lines.len() - 1, 10_000] {
        let then = run(&["statement", "1539", "--version", &count.to_string()]);
        let wanted = &lines[..(count + 1).min(lines.len())];
        assert_eq!((then.code, then.out.lines().collect::<Vec<_>>().as_slice()), (Some(0), wanted));
    }
    let day = lines[40].split(',').nth(1).unwrap();
    let then = run(&["statement", "1539", "--at", day]).out;
    let wanted = lines.iter().filter(|line| {
        let date = line.split(',').nth(1).unwrap();
        date == "date" || date <= day
    });
    assert_eq!(then.lines().collect::<Vec<_>>(), wanted.copied().collect::<Vec<_>>());
    assert_eq!(run(&["statement", "1539", "--at", "1900-01-01"]).out.lines().count(), 1);
    let both = run(&["statement", "1539", "--at", day, "--version", "1"]);
    assert_eq!(both.code, Some(2));
    let wrong = run(&["statement", "1539", "--at", "31.12.1998"]);
    assert!(wrong.err.contains("a day is written as 1998-12-31"), "{}", wrong.err);
}

#[test]
fn an_audit_tells_who_did_what_and_what_it_changed() {
    let printed = run(&["audit", "1539"]);
    assert_eq!((printed.code, printed.err.as_str()), (Some(0), ""));
    let mut reader = csv::Reader::from_reader(printed.out.as_bytes());
    let lines: Vec<HashMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let whole = run(&["statement", "1539"]).out;
    assert_eq!(lines.len(), whole.lines().count() - 1);
    let balances = whole.lines().skip(1).map(|line| line.rsplit(',').next().unwrap());
    for (line, balance) in lines.iter().zip(balances).skip(1) {
        assert_eq!(line["actor"], ACTOR);
        assert_ne!(line["command_id"], "");
        assert!(line["changes"].ends_with(&format!("-> {balance}")), "{line:?}");
    }
    assert_eq!(lines[0]["command"], "OpenAccount");
    assert!(lines[0]["changes"].contains("/status: \"unopened\" -> \"open\""), "{:?}", lines[0]);
    for action in ["audit", "why-negative"] {
        assert_eq!(run(&[action, "99"]).err, "error: there is no account 99\n");
    }
}
