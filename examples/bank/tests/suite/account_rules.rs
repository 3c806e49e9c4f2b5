//! The rules of an account, one by one.

use bank::account::{
    Account, AccountError, AccountEvent, AccountId, Close, Closed, Deposit, Deposited, OpenAccount,
    Opened, Overdraft, Purpose, Reconcile, RoundingPosted, Status, Withdraw, Withdrawn,
};
use es_core::{Command, ExecuteError, Handle, Runtime};
use es_memory_store::MemoryStore;

use crate::books::empty_bank;

const ACCOUNT: AccountId = AccountId(42);

/// A runtime with one account to ask.
struct Asked(Runtime<MemoryStore>);

impl Asked {
    async fn unopened() -> Self {
        Self(empty_bank().await)
    }

    async fn open(overdraft: Overdraft, deposit: u64) -> Self {
        let asked = Self::unopened().await;
        asked
            .says(OpenAccount { account: ACCOUNT, overdraft }, &[Opened { overdraft }.into()])
            .await;
        if deposit > 0 {
            asked
                .says(deposit_of(deposit), &[Deposited { amount: deposit, purpose: None }.into()])
                .await;
        }
        asked
    }

    async fn history(&self) -> Vec<AccountEvent> {
        let mut events = Vec::new();
        let history = self.0.history::<Account>(&ACCOUNT).unwrap();
        history.for_each(|_, event, _| events.push(event.clone())).await.unwrap();
        events
    }

    /// The account answers the command with these events.
    async fn says<C: Command<Aggregate = Account>>(&self, command: C, events: &[AccountEvent])
    where
        Account: Handle<C>,
    {
        let before = self.history().await.len();
        self.0.execute(command).await.unwrap();
        assert_eq!(&self.history().await[before..], events);
    }

    /// The account refuses the command and stays as it is.
    async fn refuses<C: Command<Aggregate = Account>>(&self, command: C, error: AccountError)
    where
        Account: Handle<C, Error = AccountError>,
    {
        let before = self.history().await.len();
        match self.0.execute(command).await {
            Err(ExecuteError::Rejected(refusal)) => assert_eq!(refusal, error),
            other => panic!("{other:?} instead of {error:?}"),
        }
        assert_eq!(self.history().await.len(), before);
    }
}

fn deposit_of(amount: u64) -> Deposit {
    Deposit { account: ACCOUNT, amount, purpose: None }
}

fn withdrawal_of(amount: u64) -> Withdraw {
    Withdraw { account: ACCOUNT, amount, purpose: None }
}

fn statement_of(stated_balance: i64) -> Reconcile {
    Reconcile { account: ACCOUNT, stated_balance }
}

#[tokio::test]
async fn an_account_that_was_never_opened_refuses_everything_else() {
    let account = Asked::unopened().await;
    account.refuses(deposit_of(1), AccountError::NotOpened).await;
    account.refuses(withdrawal_of(1), AccountError::NotOpened).await;
    account.refuses(statement_of(0), AccountError::NotOpened).await;
    account.refuses(Close { account: ACCOUNT }, AccountError::NotOpened).await;
}

#[tokio::test]
async fn a_movement_keeps_its_purpose() {
    let account = Asked::open(Overdraft::Allowed, 0).await;
    let purpose = Some(Purpose::LoanPayment);
    let withdraw = Withdraw { account: ACCOUNT, amount: 7, purpose };
    account.says(withdraw, &[Withdrawn { amount: 7, purpose }.into()]).await;
}

#[tokio::test]
async fn without_overdraft_all_there_is_can_be_withdrawn_and_no_more() {
    let account = Asked::open(Overdraft::Refused, 100).await;
    let error = AccountError::InsufficientFunds { balance: 100, amount: 101 };
    account.refuses(withdrawal_of(101), error).await;
    account.says(withdrawal_of(100), &[Withdrawn { amount: 100, purpose: None }.into()]).await;
}

#[tokio::test]
async fn with_overdraft_the_balance_may_go_below_zero() {
    let account = Asked::open(Overdraft::Allowed, 100).await;
    account.says(withdrawal_of(101), &[Withdrawn { amount: 101, purpose: None }.into()]).await;
    let loaded = account.0.load::<Account>(&ACCOUNT).await.unwrap();
    assert_eq!(loaded.state.balance(), -1);
}

#[tokio::test]
async fn a_statement_that_differs_by_one_step_is_a_rounding() {
    let account = Asked::open(Overdraft::Allowed, 100).await;
    account.says(statement_of(100), &[]).await;
    account.says(statement_of(110), &[RoundingPosted { delta: 10 }.into()]).await;
    account.says(statement_of(100), &[RoundingPosted { delta: -10 }.into()]).await;
}

#[tokio::test]
async fn a_statement_that_differs_by_anything_else_is_refused() {
    let account = Asked::open(Overdraft::Allowed, 100).await;
    for stated in [99, 101, 109, 111, 120, 89, 91, -100, i64::MIN, i64::MAX] {
        let error = AccountError::StatementDiffers { balance: 100, stated };
        account.refuses(statement_of(stated), error).await;
    }
}

#[tokio::test]
async fn a_balance_never_leaves_its_range() {
    let most = i64::MAX.unsigned_abs();
    let account = Asked::open(Overdraft::Allowed, most).await;
    let out_of_range = |balance, amount| AccountError::BalanceOutOfRange { balance, amount };
    account.refuses(deposit_of(1), out_of_range(i64::MAX, 1)).await;
    account.refuses(deposit_of(u64::MAX), out_of_range(i64::MAX, u64::MAX)).await;
    account
        .says(withdrawal_of(u64::MAX), &[Withdrawn { amount: u64::MAX, purpose: None }.into()])
        .await;
    account.refuses(withdrawal_of(1), out_of_range(i64::MIN, 1)).await;
    let error = AccountError::StatementDiffers { balance: i64::MIN, stated: i64::MAX };
    account.refuses(statement_of(i64::MAX), error).await;
}

#[tokio::test]
async fn only_an_empty_account_is_closed_and_then_it_stays_closed() {
    let account = Asked::open(Overdraft::Allowed, 1).await;
    account.refuses(Close { account: ACCOUNT }, AccountError::BalanceLeft { balance: 1 }).await;
    account.says(withdrawal_of(1), &[Withdrawn { amount: 1, purpose: None }.into()]).await;
    account.says(Close { account: ACCOUNT }, &[Closed.into()]).await;
    account.refuses(deposit_of(1), AccountError::Closed).await;
    account.refuses(withdrawal_of(1), AccountError::Closed).await;
    account.refuses(statement_of(0), AccountError::Closed).await;
    account.refuses(Close { account: ACCOUNT }, AccountError::Closed).await;
    let loaded = account.0.load::<Account>(&ACCOUNT).await.unwrap();
    assert_eq!(loaded.state.status(), Status::Closed);
}
