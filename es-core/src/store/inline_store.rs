//! The port of inline projections: read models that are changed in the step that appends.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;

use crate::error::{ErrorCategory, StoreFailure};
use crate::projection::inline::{Inline, InlinePlace};
use crate::query::Query;
use crate::store::error::{AppendError, ReadError, StateError};
use crate::store::event_store::{QueryPage, QueryRange};
use crate::store::projection_store::{
    AnyRowWork, ProjectionStore, RowFamily, RowWork, StateCommit,
};
use crate::store::state_store::{Revision, StateKey, StateRecord};
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// A store that can change projections in the very step that appends their events.
///
/// Keep an [`InlineSet`] where appends are made, and call it inside their atomic step. Override
/// [`ProjectionStore::inline_store`] with `Some(self)`, so that a runtime finds it.
///
/// # Contract
/// 1. From the answer to [`enlist`](Self::enlist) with `stay` on, every append through this store
///    runs [`InlineSet::append`], whichever method makes it: after everything about the commit is
///    checked, in the same atomic step, and once for each commit that is stored. A commit that is
///    stored already runs nothing, and neither does one that is refused for another reason.
/// 2. When that fails the commit is refused with what it failed with. Nothing of it is stored,
///    nor of what inline projections did for it; commits that share its transaction are not touched.
/// 3. What inline projections change, records and rows, is stored with the events of the commit, or
///    not at all: who finds the one finds the other, also when the append was dropped halfway.
/// 4. Steps come one after another: what a step reads is what all before it have stored, and nothing
///    of its own commit.
/// 5. [`InlineSet::committed`] is called when the step is stored, before the append is answered and
///    before anybody hears of its events; [`InlineSet::rolled_back`] when nothing of it is.
/// 6. The [`InlinePlace`] of a step is where the events are read later: their positions, their
///    versions and their time.
/// 7. [`enlist`](Self::enlist) runs [`InlineSet::enlist`] in a step of its own, between two appends,
///    with the head that is there. When that fails nothing of it is stored, and no append runs it;
///    without `stay` no append runs it either.
/// 8. [`ProjectionStore::inline_store`] gives this store.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not change a projection in the step that appends its events",
    label = "keeps no inline projections",
    note = "remove `inline` from the projection, or use a store that implements `InlineStore`, such as `MemoryStore` or `SqliteStore`"
)]
pub trait InlineStore: ProjectionStore {
    /// Brings an inline projection up to the head in a step of its own, with
    /// [`InlineSet::enlist`]; and lets it take part in every append from then on, if it is to `stay`.
    fn enlist(
        &self,
        inline: Inline,
        stay: bool,
    ) -> impl Future<Output = Result<(), StateError>> + Send;
}

/// A family of row transactions whose stores are [`InlineStore`]s.
#[diagnostic::on_unimplemented(
    message = "the stores of `{Self}` can not change rows in the step that appends their events",
    label = "rows of `{Self}` can not be inline",
    note = "remove `inline` from the projection, or keep it in rows of a family that implements `InlineRows`, such as `Sqlite`"
)]
pub trait InlineRows: RowFamily {}

/// The open step of a store, as inline projections see it.
pub trait InlineStep<R: RowFamily> {
    /// The record, as it is inside the step.
    ///
    /// # Errors
    /// When the store fails.
    fn get(&mut self, key: &StateKey) -> Result<Option<StateRecord>, StateError>;

    /// The events before those of the commit that is being appended.
    ///
    /// # Errors
    /// When the store fails.
    fn read(&mut self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError>;

    /// Changes records and does the rows' work, or nothing, as
    /// [`ProjectionStore::commit`] does it, as a part of the step.
    ///
    /// # Errors
    /// As [`ProjectionStore::commit`].
    fn commit(
        &mut self,
        commit: StateCommit,
        rows: Option<&RowWork<R>>,
    ) -> Result<Revision, StateError>;
}

/// The inline projections that take part in the appends of a store.
#[derive(Default)]
pub struct InlineSet(Vec<Inline>);

impl InlineSet {
    /// Whether there are none, so that appends cost nothing more.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Brings a projection up to the `head` inside a step, and keeps it if it is to `stay`.
    ///
    /// # Errors
    /// When the store fails, and the step must leave nothing behind.
    pub fn enlist<R: RowFamily>(
        &mut self,
        step: &mut dyn InlineStep<R>,
        inline: &Inline,
        stay: bool,
        head: Position,
    ) -> Result<(), StateError> {
        inline.bring_up(&mut Erased(step), head)?;
        self.0.retain(|kept| !kept.is_over() && !kept.is(inline));
        if stay {
            self.0.push(inline.clone());
        }
        Ok(())
    }

    /// Changes the projections as the events of a commit say, which are about to be stored at
    /// `place`.
    ///
    /// # Errors
    /// When the commit must be refused, and all that this did be undone.
    pub fn append<R: RowFamily>(
        &mut self,
        step: &mut dyn InlineStep<R>,
        place: &InlinePlace<'_>,
    ) -> Result<(), AppendError> {
        self.0.retain(|inline| !inline.is_over());
        let step = &mut Erased(step);
        for (index, inline) in self.0.iter().enumerate() {
            if let Err(error) = inline.append(step, place) {
                // What those before it did is undone with it.
                self.0[..=index].iter().for_each(Inline::undo);
                return Err(error);
            }
        }
        self.0.iter().for_each(Inline::keep);
        Ok(())
    }

    /// The step is stored.
    pub fn committed(&mut self) {
        self.0.iter().for_each(Inline::committed);
    }

    /// Nothing of the step is stored.
    pub fn rolled_back(&mut self) {
        self.0.iter().for_each(Inline::rolled_back);
    }
}

/// A step whose family of rows is forgotten.
pub(crate) trait AnyStep {
    fn get(&mut self, key: &StateKey) -> Result<Option<StateRecord>, StateError>;
    fn read(&mut self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError>;
    fn commit(
        &mut self,
        commit: StateCommit,
        rows: Option<AnyRowWork>,
    ) -> Result<Revision, StateError>;
}

struct Erased<'a, R: RowFamily>(&'a mut dyn InlineStep<R>);

impl<R: RowFamily> AnyStep for Erased<'_, R> {
    fn get(&mut self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
        self.0.get(key)
    }

    fn read(&mut self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        self.0.read(query, range)
    }

    fn commit(
        &mut self,
        commit: StateCommit,
        rows: Option<AnyRowWork>,
    ) -> Result<Revision, StateError> {
        let rows = rows.map(|rows| rows.downcast::<RowWork<R>>()).transpose();
        let other = |_: Box<dyn Any + Send>| {
            StateError::Permanent(StoreFailure::new("the rows belong to another kind of store"))
        };
        self.0.commit(commit, rows.map_err(other)?.as_deref())
    }
}

/// A commit that was not stored because an inline projection can not apply one of its events.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "projection `{projection}` is changed in the step that appends, and can not apply event `{event}` for version {version} of stream `{stream}`: {reason}; nothing was stored"
)]
pub struct InlineRefusal {
    /// The stored name of the projection.
    pub projection: &'static str,
    /// The stored name of the event.
    pub event: String,
    /// The stream that the event was for.
    pub stream: StreamId,
    /// The version that it would have had.
    pub version: Version,
    /// The document that it is about, if it is about one.
    pub key: Option<String>,
    /// What the projection said.
    pub reason: String,
    /// Whether it may pass by itself: then the append is tried again.
    pub transient: bool,
}

impl InlineRefusal {
    pub(crate) fn category(&self) -> ErrorCategory {
        if self.transient { ErrorCategory::Transient } else { ErrorCategory::Rejected }
    }
}

/// An [`InlineStore`] whose type is forgotten; every one is such a store. The runtime finds it with
/// [`ProjectionStore::inline_store`], and nobody else needs it.
pub trait DynInlineStore: sealed::Sealed + Send + Sync {
    #[doc(hidden)]
    fn dyn_enlist(&self, inline: Inline, stay: bool) -> Enlisting<'_>;
}

type Enlisting<'a> = Pin<Box<dyn Future<Output = Result<(), StateError>> + Send + 'a>>;

mod sealed {
    pub trait Sealed {}
    impl<S: super::InlineStore> Sealed for S {}
}

impl<S: InlineStore> DynInlineStore for S {
    fn dyn_enlist(&self, inline: Inline, stay: bool) -> Enlisting<'_> {
        Box::pin(self.enlist(inline, stay))
    }
}
