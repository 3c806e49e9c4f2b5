//! Where the checks get their stores from.

use std::future::Future;

use crate::store::{ProjectionStore, RowFamily, StateError};

/// Where the checks of [`store_tests!`](crate::conformance::store_tests) get their stores from. Every
/// check has a fixture of its own.
///
/// A closure is one: `|| async { MyStore::new() }`. Implement the trait for a type when there is
/// something to keep, such as a directory that goes away with the fixture.
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no stores for the checks",
    label = "makes no stores",
    note = "write `|| async {{ MyStore::new() }}`, or implement `Fixture`"
)]
pub trait Fixture: Send + Sync + 'static {
    /// The store to check.
    type Store: Send + Sync + 'static;

    /// A new, empty store. What was put into another one is not in it.
    ///
    /// # Panics
    /// When it can not be made: a test fails by panicking.
    fn empty(&self) -> impl Future<Output = Self::Store> + Send;
}

/// A [`Fixture`] of a store that outlives its process.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not open a store again",
    label = "can not open a store again",
    note = "the checks of durable stores close a store and open it again: implement `Reopen` for your fixture"
)]
pub trait Reopen: Fixture {
    /// Closes a store and opens it again, as the next run of a program would.
    ///
    /// # Panics
    /// When it can not be opened.
    fn reopen(&self, store: Self::Store) -> impl Future<Output = Self::Store> + Send;
}

impl<F, Opening> Fixture for F
where
    F: Fn() -> Opening + Send + Sync + 'static,
    Opening: Future<Output: Send + Sync + 'static> + Send,
{
    type Store = Opening::Output;

    fn empty(&self) -> impl Future<Output = Self::Store> + Send {
        self()
    }
}

/// An open transaction of the rows of a fixture's store.
pub type RowsOf<'t, F> =
    <<<F as Fixture>::Store as ProjectionStore>::Rows as RowFamily>::Transaction<'t>;

/// A [`Fixture`] of a store that runs a user's own rows' work: it says how rows are written there,
/// which the suite can not know.
///
/// It has two tables, each of whole numbers. All of its methods but the last one work inside a
/// transaction, on the tables of the transaction's generation.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how rows are written to its store",
    label = "writes no rows",
    note = "the checks of rows need two tables to write to: implement `RowFixture` for your fixture"
)]
pub trait RowFixture: Fixture<Store: ProjectionStore> {
    /// The plain names of the two tables.
    const TABLES: &'static [&'static str; 2];

    /// Makes both tables, if they are not there.
    ///
    /// # Errors
    /// When the store fails.
    fn create(rows: &mut RowsOf<'_, Self>) -> Result<(), StateError>;

    /// Adds a row with this number to both tables.
    ///
    /// # Errors
    /// When the store fails.
    fn insert(rows: &mut RowsOf<'_, Self>, number: i64) -> Result<(), StateError>;

    /// The numbers of each table, sorted.
    ///
    /// # Errors
    /// When the store fails.
    fn numbers(rows: &mut RowsOf<'_, Self>) -> Result<[Vec<i64>; 2], StateError>;

    /// The numbers of each table, sorted, as a reader finds them under the plain names. It is asked
    /// only after a generation was published.
    ///
    /// # Panics
    /// When they can not be read.
    fn served(&self, store: &Self::Store) -> impl Future<Output = [Vec<i64>; 2]> + Send;
}
