//! The rules of an account, one by one: given a history, when a command comes, then this.

use bank::account::{
    Account, AccountError, AccountEvent, AccountId, Close, Closed, Deposit, Deposited, OpenAccount,
    Opened, Overdraft, Purpose, Reconcile, RoundingPosted, Status, Withdraw, Withdrawn,
};
use es_core::testing::{Given, given};

const ACCOUNT: AccountId = AccountId(42);

fn unopened() -> Given<Account> {
    given([])
}

/// An open account that holds so much.
fn open(overdraft: Overdraft, balance: u64) -> Given<Account> {
    let deposited = Deposited { amount: balance, purpose: None };
    given((Opened { overdraft }, (balance > 0).then_some(deposited)))
}

fn closed() -> Given<Account> {
    given((Opened { overdraft: Overdraft::Allowed }, Closed))
}

fn deposit(amount: u64) -> Deposit {
    Deposit { account: ACCOUNT, amount, purpose: None }
}

fn withdraw(amount: u64) -> Withdraw {
    Withdraw { account: ACCOUNT, amount, purpose: None }
}

fn withdrawn(amount: u64) -> Withdrawn {
    Withdrawn { amount, purpose: None }
}

fn reconcile(stated_balance: i64) -> Reconcile {
    Reconcile { account: ACCOUNT, stated_balance }
}

const CLOSE: Close = Close { account: ACCOUNT };

#[test]
fn an_account_is_opened_once() {
    let command = || OpenAccount { account: ACCOUNT, overdraft: Overdraft::Refused };
    unopened().when(command()).then_events(Opened { overdraft: Overdraft::Refused });
    open(Overdraft::Allowed, 1).when(command()).then_already_exists();
}

#[test]
fn an_account_that_was_never_opened_or_is_closed_refuses_everything_else() {
    let accounts = [
        (unopened as fn() -> Given<Account>, AccountError::NotOpened),
        (closed, AccountError::Closed),
    ];
    for (account, error) in accounts {
        account().when(deposit(1)).then_error(error.clone());
        account().when(withdraw(1)).then_error(error.clone());
        account().when(reconcile(0)).then_error(error.clone());
        account().when(CLOSE).then_error(error);
    }
}

#[test]
fn a_movement_keeps_its_purpose() {
    let purpose = Some(Purpose::LoanPayment);
    open(Overdraft::Allowed, 0)
        .when(Withdraw { account: ACCOUNT, amount: 7, purpose })
        .then_events(Withdrawn { amount: 7, purpose });
}

#[test]
fn without_overdraft_all_there_is_can_be_withdrawn_and_no_more() {
    open(Overdraft::Refused, 100)
        .when(withdraw(101))
        .then_error(AccountError::InsufficientFunds { balance: 100, amount: 101 });
    open(Overdraft::Refused, 100).when(withdraw(100)).then_events(withdrawn(100));
}

#[test]
fn with_overdraft_the_balance_may_go_below_zero() {
    let after = open(Overdraft::Allowed, 100).when(withdraw(101)).then_events(withdrawn(101));
    assert_eq!(after.state().balance(), -1);
}

#[test]
fn a_statement_that_differs_by_one_step_is_a_rounding() {
    let account = || open(Overdraft::Allowed, 100);
    account().when(reconcile(100)).then_nothing();
    account().when(reconcile(110)).then_events(RoundingPosted { delta: 10 });
    account().when(reconcile(90)).then_events(RoundingPosted { delta: -10 });
}

#[test]
fn a_statement_that_differs_by_anything_else_is_refused() {
    for stated in [99, 101, 109, 111, 120, 89, 91, -100, i64::MIN, i64::MAX] {
        open(Overdraft::Allowed, 100)
            .when(reconcile(stated))
            .then_error(AccountError::StatementDiffers { balance: 100, stated });
    }
}

#[test]
fn a_balance_never_leaves_its_range() {
    let out_of_range = |balance, amount| AccountError::BalanceOutOfRange { balance, amount };
    let fullest = || open(Overdraft::Allowed, i64::MAX.unsigned_abs());
    fullest().when(deposit(1)).then_error(out_of_range(i64::MAX, 1));
    fullest().when(deposit(u64::MAX)).then_error(out_of_range(i64::MAX, u64::MAX));
    let after = fullest().when(withdraw(u64::MAX)).then_events(withdrawn(u64::MAX));
    assert_eq!(after.state().balance(), i64::MIN);

    let deposited = Deposited { amount: i64::MAX.unsigned_abs(), purpose: None };
    let emptiest = || {
        let opened = Opened { overdraft: Overdraft::Allowed };
        given::<Account>([opened.into(), deposited.clone().into(), withdrawn(u64::MAX).into()])
    };
    emptiest().when(withdraw(1)).then_error(out_of_range(i64::MIN, 1));
    emptiest()
        .when(reconcile(i64::MAX))
        .then_error(AccountError::StatementDiffers { balance: i64::MIN, stated: i64::MAX });
}

#[test]
fn only_an_empty_account_is_closed() {
    open(Overdraft::Allowed, 1).when(CLOSE).then_error(AccountError::BalanceLeft { balance: 1 });
    let after = open(Overdraft::Allowed, 0).when(CLOSE).then_events(AccountEvent::from(Closed));
    assert_eq!(after.state().status(), Status::Closed);
}
