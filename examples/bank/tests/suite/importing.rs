//! An import can be repeated, resumed and shared out without a trace of it in the accounts.

use bank::account::{Account, AccountError, AccountId, Deposit, OpenAccount, Overdraft, Withdraw};
use bank::import::{Imported, Rejection, import, movement_id};
use bank::movements::{Direction, Movement, Movements};
use bank::projections::{Balance, Balances};
use es_core::{EventStore, ExecuteError, Position, Runtime};
use es_memory_store::MemoryStore;

use crate::books::{bank_of_the_sample, empty_bank, import_all, rows};

fn sample() -> Movements {
    Movements::sample().unwrap()
}

fn part(movements: &Movements, rows: std::ops::Range<usize>) -> Movements {
    Movements { rows: movements.rows[rows].to_vec(), ..movements.clone() }
}

fn counts(imported: &Imported) -> (usize, usize, usize, usize) {
    let Imported { accounts, movements, roundings, rejected, .. } = imported;
    (*accounts, *movements, *roundings, rejected.len())
}

async fn balances(runtime: &Runtime<MemoryStore>) -> Vec<(AccountId, i64, u64)> {
    runtime.wait_until_current::<Balance>().await.unwrap();
    let balances = Balances::read(runtime).await.unwrap();
    balances.iter().map(|(id, entry)| (id, entry.balance, entry.version.get())).collect()
}

async fn head(runtime: &Runtime<MemoryStore>) -> Position {
    runtime.store().head().await.unwrap()
}

/// Moves the money of a row as an import would, and goes no further.
async fn only_move(runtime: &Runtime<MemoryStore>, row: &Movement) {
    let &Movement { account, amount, purpose, occurred_at, .. } = row;
    let id = movement_id(row.transaction);
    let receipt = match row.direction {
        Direction::Credit => {
            let deposit = runtime.execute(Deposit { account, amount, purpose });
            deposit.command_id(id).occurred_at(occurred_at).await
        }
        Direction::Debit => {
            let withdraw = runtime.execute(Withdraw { account, amount, purpose });
            withdraw.command_id(id).occurred_at(occurred_at).await
        }
    };
    assert!(!receipt.unwrap().repeated);
}

#[tokio::test]
async fn importing_a_file_twice_changes_nothing_and_counts_the_same() {
    let (runtime, first) = bank_of_the_sample().await;
    let (head_before, balances_before) = (head(&runtime).await, balances(&runtime).await);
    let second = import_all(&runtime, &sample(), 1).await;
    assert_eq!(counts(&second), counts(&first));
    assert_eq!(counts(&second), (30, 2771, 137, 0));
    assert_eq!(head(&runtime).await, head_before);
    assert_eq!(balances(&runtime).await, balances_before);
    assert_eq!(
        second.receipt.map(|receipt| receipt.position),
        first.receipt.map(|receipt| receipt.position)
    );
}

#[tokio::test]
async fn an_import_that_stopped_after_any_command_is_resumed_as_if_it_had_not() {
    let (clean, first) = bank_of_the_sample().await;
    let sample = sample();
    let rounded = rows().iter().position(|row| row.rounding != 0).unwrap();
    let unrounded = rows().iter().rposition(|row| row.rounding == 0).unwrap();
    for stop in [0, 1, rounded, 1000, unrounded] {
        let runtime = empty_bank().await;
        import_all(&runtime, &part(&sample, 0..stop), 1).await;
        // Half of the next row: the money is moved, and not yet reconciled.
        if stop > 1 {
            only_move(&runtime, &sample.rows[stop]).await;
        }
        let resumed = import_all(&runtime, &sample, 1).await;
        assert_eq!(counts(&resumed), counts(&first), "stopped at row {stop}");
        assert_eq!(balances(&runtime).await, balances(&clean).await, "stopped at row {stop}");
        assert_eq!(head(&runtime).await, head(&clean).await, "stopped at row {stop}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_over_disjoint_accounts_come_to_the_same() {
    let (clean, first) = bank_of_the_sample().await;
    for tasks in [2, 7, 30, usize::MAX] {
        let runtime = empty_bank().await;
        let imported = import_all(&runtime, &sample(), tasks).await;
        assert_eq!(counts(&imported), counts(&first));
        assert_eq!(imported.receipt.unwrap().position, Some(head(&runtime).await));
        assert_eq!(balances(&runtime).await, balances(&clean).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_imports_at_the_same_time_come_to_the_same() {
    let (clean, first) = bank_of_the_sample().await;
    let runtime = empty_bank().await;
    let other = runtime.clone();
    let at_once = tokio::spawn(async move { import_all(&other, &sample(), 4).await });
    let here = import_all(&runtime, &sample(), 3).await;
    assert_eq!(counts(&here), counts(&first));
    assert_eq!(counts(&at_once.await.unwrap()), counts(&first));
    assert_eq!(balances(&runtime).await, balances(&clean).await);
}

#[tokio::test]
async fn a_row_with_another_balance_is_rejected_alone_and_again_when_repeated() {
    let runtime = empty_bank().await;
    let mut movements = sample();
    let wrong = &mut movements.rows[100];
    wrong.balance += 500;
    let Movement { line, account, balance: stated, .. } = *wrong;
    let balance = stated - 500 - rows()[100].rounding;
    let reason = AccountError::StatementDiffers { balance, stated };
    for _ in 0..2 {
        let imported = import_all(&runtime, &movements, 1).await;
        assert_eq!(imported.movements, 2771);
        let reason = reason.clone();
        assert_eq!(imported.rejected, [Rejection { line, column: "balance", account, reason }]);
    }
}

#[tokio::test]
async fn a_movement_that_the_account_refuses_is_not_reconciled() {
    let runtime = empty_bank().await;
    let movements = part(&sample(), 0..1);
    let Movement { line, account, .. } = movements.rows[0];
    // Somebody else has opened the account, and closed it.
    runtime.execute(OpenAccount { account, overdraft: Overdraft::Refused }).await.unwrap();
    runtime.execute(bank::account::Close { account }).await.unwrap();
    let imported = import_all(&runtime, &movements, 1).await;
    assert_eq!(counts(&imported), (1, 0, 0, 1));
    let reason = AccountError::Closed;
    assert_eq!(imported.rejected, [Rejection { line, column: "amount", account, reason }]);
    assert_eq!(runtime.load::<Account>(&account).await.unwrap().version.get(), 2);
}

#[tokio::test]
async fn an_account_that_was_opened_otherwise_keeps_its_own_rules() {
    let runtime = empty_bank().await;
    let account = AccountId(1);
    runtime.execute(OpenAccount { account, overdraft: Overdraft::Refused }).await.unwrap();
    let file = "global_seq,account_id,account_seq,trans_id,date,direction,purpose,amount,balance\n\
                1,1,1,1,1993-01-01,debit,,100,-100\n";
    let movements = Movements::parse("overdrawn.csv", file.as_bytes()).unwrap();
    let imported = import_all(&runtime, &movements, 1).await;
    let reason = AccountError::InsufficientFunds { balance: 0, amount: 100 };
    assert_eq!(imported.rejected, [Rejection { line: 2, column: "amount", account, reason }]);
}

#[tokio::test]
async fn a_file_without_rows_is_imported_and_does_nothing() {
    let runtime = empty_bank().await;
    let imported = import(&runtime, &part(&sample(), 0..0), 4, || {}).await.unwrap();
    assert_eq!(counts(&imported), (0, 0, 0, 0));
    assert_eq!(imported.receipt, None);
}

#[tokio::test]
async fn an_account_is_opened_once() {
    let (runtime, _) = bank_of_the_sample().await;
    let open = OpenAccount { account: AccountId(2), overdraft: Overdraft::Allowed };
    let refused = runtime.execute(open).await;
    assert!(matches!(refused, Err(ExecuteError::AlreadyExists { .. })), "{refused:?}");
}
