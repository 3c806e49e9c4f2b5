//! The port of durable projections: several state records in one step, and a user's own rows.

use std::any::{Any, TypeId};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use uuid::Uuid;

use crate::error::StoreFailure;
use crate::store::error::StateError;
use crate::store::event_store::EventStore;
use crate::store::inline_store::DynInlineStore;
use crate::store::state_store::{
    ExpectedRevision, Revision, StateKey, StatePage, StateRecord, StateStore,
};

/// A store that can keep durable projections: it changes several state records in one step.
///
/// Documents, checkpoints, generations, leases and dead letters of projections are state records.
/// A store that also runs a user's own SQL in that step says so with [`Rows`](Self::Rows).
///
/// Override [`EventStore::projection_store`] with `Some(self)`, so that a runtime finds it.
///
/// # Contract
/// 1. A commit is stored whole or not at all, also when the process is killed or the future is
///    dropped. So is what its rows' work does.
/// 2. All revisions that it expects are checked in the same atomic step: of two commits that
///    expect one revision of a record that either changes, exactly one is stored; the other is
///    answered with [`StateError::Conflict`] and leaves nothing behind.
/// 3. All records that it writes get one revision, greater than every revision before.
/// 4. A commit is one with [`StateStore`]: what it wrote is got and listed there, what was put there
///    is expected here, and a durable store answers after it is on disk.
///    [`get_many`](Self::get_many) answers with the records of one instant, each at the place of its
///    key.
/// 5. The identity is that of the history: it never changes, and a store that begins with no
///    events has one that no other has.
/// 6. Rows' work that gives up is rolled back with everything else, and the commit is answered
///    with [`StateError::Abandoned`]. Commits of others are not touched.
/// 7. [`EventStore::projection_store`] gives this store.
/// 8. An [`opening`](Self::opening), if there is one, stays while the store is open, and no other
///    opening has it, neither of another store nor of this one later.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not keep durable projections",
    label = "changes no two state records in one step",
    note = "use a store that implements `ProjectionStore`, or keep the projection in memory"
)]
pub trait ProjectionStore: EventStore + StateStore {
    /// The transactions that a user's own rows are written through; [`NoRows`] if there are none.
    type Rows: RowFamily;

    /// What tells this history from every other (rule 5).
    fn identity(&self) -> impl Future<Output = Result<Uuid, StateError>> + Send;

    /// What tells this opening of the store from every other one, if nobody else can write to the
    /// history while it is open: leases that were taken through an earlier opening are void then,
    /// and nobody waits for their time. `None` if others can write.
    fn opening(&self) -> Option<Uuid> {
        None
    }

    /// The store itself, if it is an [`InlineStore`](crate::InlineStore): so that a runtime finds the
    /// home of the inline projections that are registered.
    fn inline_store(&self) -> Option<&dyn DynInlineStore> {
        None
    }

    /// The records with these keys, in their order.
    fn get_many(
        &self,
        keys: &[StateKey],
    ) -> impl Future<Output = Result<Vec<Option<StateRecord>>, StateError>> + Send;

    /// Changes all of the records and runs the rows' work, or does nothing (rules 1 to 4 and 6).
    /// Answers with the revision of the records that were written.
    fn commit(
        &self,
        commit: StateCommit,
        rows: Option<RowWork<Self::Rows>>,
    ) -> impl Future<Output = Result<Revision, StateError>> + Send;
}

/// Several changes of state records that are one step; see [`ProjectionStore::commit`].
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct StateCommit {
    /// What must hold of records that the commit does not change.
    pub checks: Vec<(StateKey, ExpectedRevision)>,
    /// What it changes; no record twice.
    pub changes: Vec<StateChange>,
}

impl StateCommit {
    /// Also expects this of a record.
    pub fn check(&mut self, key: StateKey, expected: ExpectedRevision) {
        self.checks.push((key, expected));
    }

    /// Also writes this record.
    pub fn put(&mut self, key: StateKey, value: impl Into<Bytes>, expected: ExpectedRevision) {
        self.changes.push(StateChange { key, value: Some(value.into()), expected });
    }

    /// Also removes this record; one that is missing is no conflict if any revision is expected.
    pub fn remove(&mut self, key: StateKey, expected: ExpectedRevision) {
        self.changes.push(StateChange { key, value: None, expected });
    }
}

/// One change of a [`StateCommit`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateChange {
    /// The record.
    pub key: StateKey,
    /// What is written; the record is removed without.
    pub value: Option<Bytes>,
    /// What must hold of the record before.
    pub expected: ExpectedRevision,
}

/// The transactions of one kind of store, as a user's own SQL sees them.
///
/// # Contract
/// 1. Rows' work sees and changes the tables of its own generation. Those of another generation, and
///    what readers find under the plain names, stay as they are.
/// 2. After [`publish`](Self::publish) readers find the rows of the generation under the plain names
///    of its tables, from the commit on and not before.
/// 3. [`discard`](Self::discard) drops the tables of its generation and no others.
/// 4. [`differences`](Self::differences) counts the rows of all tables that one of two generations
///    has and the other has not, in both directions.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a family of stores that keep rows",
    label = "no rows are kept there",
    note = "write the family that your store keeps rows for, such as `rows = es_sqlite_store::Sqlite`"
)]
pub trait RowFamily: Send + Sync + 'static {
    /// A transaction that is open.
    type Transaction<'t>;
    /// What people call it, such as `SQLite`.
    const NAME: &'static str;

    /// Lets readers find the tables of the transaction's generation under their plain names.
    ///
    /// # Errors
    /// When the store fails.
    fn publish(rows: &mut Self::Transaction<'_>) -> Result<(), StateError>;

    /// Drops the tables of the transaction's generation.
    ///
    /// # Errors
    /// When the store fails.
    fn discard(rows: &mut Self::Transaction<'_>) -> Result<(), StateError>;

    /// How many rows of the transaction's generation are not in `other`, and the other way round.
    ///
    /// # Errors
    /// When the store fails.
    fn differences(rows: &mut Self::Transaction<'_>, other: u64) -> Result<u64, StateError>;
}

/// The family of stores that have no rows of a user's own.
#[derive(Clone, Copy, Debug)]
pub struct NoRows;

impl RowFamily for NoRows {
    type Transaction<'t> = Infallible;
    const NAME: &'static str = "no rows";

    fn publish(rows: &mut Infallible) -> Result<(), StateError> {
        match *rows {}
    }

    fn discard(rows: &mut Infallible) -> Result<(), StateError> {
        match *rows {}
    }

    fn differences(rows: &mut Infallible, _: u64) -> Result<u64, StateError> {
        match *rows {}
    }
}

/// Whose rows a transaction is about: the tables that a projection declares, in one generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowScope {
    /// The plain names of the tables.
    pub tables: &'static [&'static str],
    /// The generation that the tables belong to.
    pub generation: u64,
}

/// What a projection does with its rows inside a commit.
pub struct RowWork<R: RowFamily> {
    scope: RowScope,
    run: Box<Run<R>>,
}

type Run<R> = dyn for<'t> Fn(&mut <R as RowFamily>::Transaction<'t>) -> Result<(), GaveUp> + Send;

/// Says that rows' work could not be done and that its commit must leave nothing behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GaveUp;

impl<R: RowFamily> RowWork<R> {
    /// Work on the tables of `scope`.
    pub fn new(
        scope: RowScope,
        run: impl for<'t> Fn(&mut R::Transaction<'t>) -> Result<(), GaveUp> + Send + 'static,
    ) -> Self {
        Self { scope, run: Box::new(run) }
    }

    /// Which tables it is about.
    pub fn scope(&self) -> RowScope {
        self.scope
    }

    /// Does the work in an open transaction. It is done again when that is rolled back for somebody
    /// else's fault.
    ///
    /// # Errors
    /// When the transaction must be rolled back.
    pub fn run(&self, rows: &mut R::Transaction<'_>) -> Result<(), GaveUp> {
        (self.run)(rows)
    }
}

/// [`RowWork`] of some family.
pub(crate) type AnyRowWork = Box<dyn Any + Send>;

/// A family of row transactions whose type is forgotten.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnyRowFamily {
    type_id: TypeId,
    name: &'static str,
}

impl AnyRowFamily {
    pub(crate) fn of<R: RowFamily>() -> Self {
        Self { type_id: TypeId::of::<R>(), name: R::NAME }
    }

    pub(crate) fn name(self) -> &'static str {
        self.name
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StateError>> + Send + 'a>>;

/// A [`ProjectionStore`] whose type is forgotten; every one is such a store. The runtime finds it
/// with [`EventStore::projection_store`], and nobody else needs it.
pub trait DynProjectionStore: sealed::Sealed + Send + Sync {
    #[doc(hidden)]
    fn dyn_identity(&self) -> Answer<'_, Uuid>;
    #[doc(hidden)]
    fn dyn_opening(&self) -> Option<Uuid>;
    #[doc(hidden)]
    fn dyn_get<'a>(&'a self, key: &'a StateKey) -> Answer<'a, Option<StateRecord>>;
    #[doc(hidden)]
    fn dyn_get_many<'a>(&'a self, keys: &'a [StateKey]) -> Answer<'a, Vec<Option<StateRecord>>>;
    #[doc(hidden)]
    fn dyn_list<'a>(
        &'a self,
        space: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, StatePage>;
    #[doc(hidden)]
    fn dyn_commit(
        &self,
        commit: StateCommit,
        rows: Option<Box<dyn Any + Send>>,
    ) -> Answer<'_, Revision>;
    #[doc(hidden)]
    fn dyn_inline(&self) -> Option<&dyn DynInlineStore>;
    #[doc(hidden)]
    fn dyn_row_family(&self) -> (TypeId, &'static str);
}

mod sealed {
    pub trait Sealed {}
    impl<S: super::ProjectionStore> Sealed for S {}
}

impl<S: ProjectionStore> DynProjectionStore for S {
    fn dyn_identity(&self) -> Answer<'_, Uuid> {
        Box::pin(self.identity())
    }

    fn dyn_opening(&self) -> Option<Uuid> {
        self.opening()
    }

    fn dyn_get<'a>(&'a self, key: &'a StateKey) -> Answer<'a, Option<StateRecord>> {
        Box::pin(self.get(key))
    }

    fn dyn_get_many<'a>(&'a self, keys: &'a [StateKey]) -> Answer<'a, Vec<Option<StateRecord>>> {
        Box::pin(self.get_many(keys))
    }

    fn dyn_list<'a>(
        &'a self,
        space: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, StatePage> {
        Box::pin(self.list(space, after, limit))
    }

    fn dyn_commit(&self, commit: StateCommit, rows: Option<AnyRowWork>) -> Answer<'_, Revision> {
        let rows = match rows.map(|rows| rows.downcast::<RowWork<S::Rows>>()) {
            None => None,
            Some(Ok(rows)) => Some(*rows),
            Some(Err(_)) => {
                let failure = StoreFailure::new("the rows belong to another kind of store");
                return Box::pin(std::future::ready(Err(StateError::Permanent(failure))));
            }
        };
        Box::pin(self.commit(commit, rows))
    }

    fn dyn_inline(&self) -> Option<&dyn DynInlineStore> {
        self.inline_store()
    }

    fn dyn_row_family(&self) -> (TypeId, &'static str) {
        (TypeId::of::<S::Rows>(), S::Rows::NAME)
    }
}

impl dyn DynProjectionStore + '_ {
    pub(crate) fn row_family(&self) -> AnyRowFamily {
        let (type_id, name) = self.dyn_row_family();
        AnyRowFamily { type_id, name }
    }
}
