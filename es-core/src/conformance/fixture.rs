//! Where the checks get their stores from.

use std::future::Future;

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
