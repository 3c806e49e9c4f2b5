//! The import: every row of a file becomes commands.
//!
//! Every command has an id that is made of the bank's own numbers. That makes an import repeatable:
//! what was done before is answered with its first receipt. Kill an import anywhere, run it again,
//! and the accounts are as after one clean run.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use es_core::{
    CommandId, EventStore, ExecuteError, LoadError, Metadata, Receipt, Runtime, Version,
};
use tokio::task::{JoinError, JoinSet};

use crate::account::{
    Account, AccountError, AccountId, Deposit, OpenAccount, Overdraft, Reconcile, Withdraw,
    rounding_between,
};
use crate::movements::{Direction, Movement, Movements};

/// What an import has done.
#[derive(Debug, Default)]
pub struct Imported {
    /// How many accounts the file is about.
    pub accounts: usize,
    /// How many deposits and withdrawals the accounts took, now or in an import before.
    pub movements: usize,
    /// How many roundings were posted for them.
    pub roundings: usize,
    /// The rows that an account refused, in the order of the file.
    pub rejected: Vec<Rejection>,
    /// The receipt of the last command: wait for it to see the import in a projection. `None` if
    /// there was nothing to import.
    pub receipt: Option<Receipt>,
}

/// A row that an account refused in part or as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column `{column}`: refused by account {account}: {reason}")]
pub struct Rejection {
    /// The line of the file.
    pub line: u64,
    /// `amount` if the movement was refused, so that nothing of the row was done; `balance` if the
    /// movement was made but leads to another balance than the row says.
    pub column: &'static str,
    /// The account.
    pub account: AccountId,
    /// Why.
    pub reason: AccountError,
}

/// Why an import ended early. Run it again when the cause is gone.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A command could not be carried out.
    #[error("line {line}: {error}")]
    Execute {
        /// The line of the file.
        line: u64,
        /// Why not.
        error: Box<ExecuteError<AccountError>>,
    },
    /// What an earlier import did could not be read.
    #[error("line {line}: {error}")]
    Load {
        /// The line of the file.
        line: u64,
        /// Why not.
        error: Box<LoadError>,
    },
    /// A task of the import ended early.
    #[error("a task of the import ended early: {0}")]
    Task(#[from] JoinError),
}

/// The id of the command that opens an account.
pub fn opening_id(account: AccountId) -> CommandId {
    CommandId::from_name(&format!("berka/open/{account}"))
}

/// The id of the command that moves the money of a transaction.
pub fn movement_id(transaction: u64) -> CommandId {
    CommandId::from_name(&format!("berka/{transaction}"))
}

/// The id of the command that reconciles the account after a transaction.
pub fn reconciling_id(transaction: u64) -> CommandId {
    CommandId::from_name(&format!("berka/{transaction}/reconcile"))
}

/// Who did what an import did.
pub const ACTOR: &str = "import";

/// Carries out every row in `tasks` tasks at once, over disjoint accounts: rows of one account stay
/// in their order. With one task the whole store has the order of the file. `done` is called after
/// every row.
///
/// A row that an account refuses is counted and does not stop the import.
///
/// # Errors
/// When the store fails. The rows before it are imported; running it again goes on there.
pub async fn import<S: EventStore>(
    runtime: &Runtime<S>,
    movements: &Movements,
    tasks: usize,
    done: impl Fn() + Send + Sync + 'static,
) -> Result<Imported, ImportError> {
    let done = Arc::new(done);
    let mut running = JoinSet::new();
    for rows in share_out(&movements.rows, tasks) {
        let metadata = Metadata::default().with_actor(ACTOR);
        let mut importer = Importer::new(runtime.with_metadata(metadata));
        let done = Arc::clone(&done);
        running.spawn(async move {
            for movement in &rows {
                importer.import(movement).await?;
                done();
            }
            Ok::<_, ImportError>(importer.finish())
        });
    }
    let mut imported = Imported::default();
    while let Some(task) = running.join_next().await {
        imported.add(task??);
    }
    imported.rejected.sort_by_key(|rejection| rejection.line);
    Ok(imported)
}

/// Gives every account to one of at most so many tasks, in turn.
fn share_out(rows: &[Movement], tasks: usize) -> Vec<Vec<Movement>> {
    let mut shares = Vec::<Vec<_>>::new();
    let mut share_of = HashMap::new();
    for row in rows {
        let next = share_of.len() % tasks.max(1);
        let share = *share_of.entry(row.account).or_insert(next);
        if share == shares.len() {
            shares.push(Vec::new());
        }
        shares[share].push(*row);
    }
    shares
}

impl Imported {
    fn add(&mut self, other: Self) {
        self.accounts += other.accounts;
        self.movements += other.movements;
        self.roundings += other.roundings;
        self.rejected.extend(other.rejected);
        self.keep_last(other.receipt);
    }

    fn keep_last(&mut self, receipt: Option<Receipt>) {
        let position = |receipt: &Option<Receipt>| receipt.as_ref().and_then(|it| it.position);
        if position(&receipt) > position(&self.receipt) {
            self.receipt = receipt;
        }
    }
}

/// Carries out the rows of some accounts.
struct Importer<S> {
    runtime: Runtime<S>,
    /// The accounts that were seen.
    accounts: HashSet<AccountId>,
    /// The balances of accounts that an earlier import has changed, one after each version.
    past_balances: HashMap<AccountId, Vec<i64>>,
    imported: Imported,
}

/// Why the rest of a row is not carried out.
enum Stop {
    /// An account said no: the import goes on with the next row.
    Refused(Rejection),
    /// The store failed: the import ends.
    Failed(ImportError),
}

impl Stop {
    fn new(row: &Movement, column: &'static str, error: ExecuteError<AccountError>) -> Self {
        match error {
            ExecuteError::Rejected(reason) => Self::refused(row, column, reason),
            error => Self::Failed(ImportError::Execute { line: row.line, error: Box::new(error) }),
        }
    }

    fn refused(row: &Movement, column: &'static str, reason: AccountError) -> Self {
        Self::Refused(Rejection { line: row.line, column, account: row.account, reason })
    }

    fn unreadable(row: &Movement, error: LoadError) -> Self {
        Self::Failed(ImportError::Load { line: row.line, error: Box::new(error) })
    }
}

impl<S: EventStore> Importer<S> {
    fn new(runtime: Runtime<S>) -> Self {
        Self {
            runtime,
            accounts: HashSet::new(),
            past_balances: HashMap::new(),
            imported: Imported::default(),
        }
    }

    fn finish(self) -> Imported {
        Imported { accounts: self.accounts.len(), ..self.imported }
    }

    async fn import(&mut self, row: &Movement) -> Result<(), ImportError> {
        match self.carry_out(row).await {
            Ok(()) => Ok(()),
            Err(Stop::Refused(rejection)) => {
                self.imported.rejected.push(rejection);
                Ok(())
            }
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Opens the account at first sight, moves the money, reconciles.
    async fn carry_out(&mut self, row: &Movement) -> Result<(), Stop> {
        if self.accounts.insert(row.account) {
            self.open(row).await?;
        }
        let moved = self.move_money(row).await?;
        self.imported.movements += 1;
        if !moved.repeated {
            match self.reconcile(row).await {
                Err(Stop::Refused(_)) => {}
                outcome => return outcome,
            }
        }
        // Another import, an earlier one or one that runs just now, may have gone on with the
        // account: what it held right after this movement is what the row is about. A command that
        // led to no event has left no trace, so that it can not simply be sent again.
        if self.differed(row, &moved).await? {
            self.reconcile(row).await?;
        }
        Ok(())
    }

    async fn open(&mut self, row: &Movement) -> Result<(), Stop> {
        let &Movement { account, occurred_at, .. } = row;
        let opened = self
            .runtime
            .execute(OpenAccount { account, overdraft: Overdraft::Allowed })
            .command_id(opening_id(account))
            .occurred_at(occurred_at)
            .await;
        match opened {
            // Somebody has opened it otherwise: that will do.
            Err(ExecuteError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(Stop::new(row, "account_id", error)),
            Ok(receipt) => {
                self.imported.keep_last(Some(receipt));
                Ok(())
            }
        }
    }

    async fn move_money(&mut self, row: &Movement) -> Result<Receipt, Stop> {
        let &Movement { account, occurred_at, amount, purpose, transaction, .. } = row;
        let id = movement_id(transaction);
        // A row is a request: what it leads to has the id of its first command in common.
        let request = *id.as_uuid();
        let runtime = &self.runtime;
        let moved = match row.direction {
            Direction::Credit => {
                let deposit = runtime.execute(Deposit { account, amount, purpose });
                deposit.command_id(id).correlation_id(request).occurred_at(occurred_at).await
            }
            Direction::Debit => {
                let withdraw = runtime.execute(Withdraw { account, amount, purpose });
                withdraw.command_id(id).correlation_id(request).occurred_at(occurred_at).await
            }
        };
        let receipt = moved.map_err(|error| Stop::new(row, "amount", error))?;
        self.imported.keep_last(Some(receipt.clone()));
        Ok(receipt)
    }

    /// Whether the account held something else than the row says, right after the movement.
    async fn differed(&mut self, row: &Movement, moved: &Receipt) -> Result<bool, Stop> {
        let balance = self.past_balance(row.account, moved.version).await;
        let balance = balance.map_err(|error| Stop::unreadable(row, error))?;
        match rounding_between(balance, row.balance) {
            Ok(rounding) => Ok(rounding.is_some()),
            Err(reason) => Err(Stop::refused(row, "balance", reason)),
        }
    }

    /// What an account held at a version. Its history is read once.
    async fn past_balance(
        &mut self,
        account: AccountId,
        version: Version,
    ) -> Result<i64, LoadError> {
        let place = usize::try_from(version.get().saturating_sub(1)).unwrap_or(usize::MAX);
        let balances = self.past_balances.entry(account).or_default();
        if let Some(balance) = balances.get(place) {
            return Ok(*balance);
        }
        balances.clear();
        let history = self.runtime.history::<Account>(&account)?;
        let now = history.for_each(|state, _, _| balances.push(state.balance())).await?;
        Ok(balances.get(place).copied().unwrap_or(now.state.balance()))
    }

    async fn reconcile(&mut self, row: &Movement) -> Result<(), Stop> {
        let &Movement { account, occurred_at, transaction, balance, .. } = row;
        let request = *movement_id(transaction).as_uuid();
        let receipt = self
            .runtime
            .execute(Reconcile { account, stated_balance: balance })
            .command_id(reconciling_id(transaction))
            .correlation_id(request)
            .causation_id(request)
            .occurred_at(occurred_at)
            .await
            .map_err(|error| Stop::new(row, "balance", error))?;
        self.imported.roundings += usize::from(receipt.events > 0);
        self.imported.keep_last(Some(receipt));
        Ok(())
    }
}
