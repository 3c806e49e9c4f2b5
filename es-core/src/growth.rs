//! What an aggregate allows to be done with its old events: to be summarised, or to be forgotten.

use std::fmt;
use std::marker::PhantomData;

use crate::aggregate::Aggregate;
use crate::command::{Command, CommandFingerprint, Events, Handle, IntoEvents};
use crate::context::Context;

/// An aggregate whose history can be compacted: it writes its state as events that make it anew.
///
/// ```
/// use es_core::Summarize;
/// use es_core::prelude::*;
///
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "meter.counted")]
/// # pub struct Counted { pub units: u64 }
/// /// What the meter showed when older readings were put away.
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(name = "meter.summarised")]
/// pub struct Summarised {
///     pub total: u64,
/// }
///
/// #[derive(Aggregate, Default, PartialEq)]
/// #[aggregate(name = "meter", id = u64, events(Counted, Summarised))]
/// pub struct Meter {
///     total: u64,
/// }
/// # impl Apply<Counted> for Meter { fn apply(&mut self, event: &Counted) { self.total += event.units } }
///
/// impl Apply<Summarised> for Meter {
///     fn apply(&mut self, event: &Summarised) {
///         self.total = event.total;                 // not `+=`: it says what is, not what is added
///     }
/// }
///
/// impl Summarize for Meter {
///     fn summary(&self) -> impl IntoEvents<Self> {
///         Summarised { total: self.total }
///     }
/// }
/// ```
///
/// # Law
/// Applied to the initial state, and applied to this state, the summary gives this state. Both are
/// checked before a summary is recorded: [`SummaryError`] says which does not hold. The first lets the
/// events before it go; the second keeps whoever still reads them right.
///
/// A summary is an event like any other: it has a name and a schema version, and is upcast when it is old.
/// A projection that counts what the events before it added must not count it again.
#[diagnostic::on_unimplemented(
    message = "the history of `{Self}` can not be compacted: it does not say how its state is written as events",
    label = "has no summary",
    note = "write `impl Summarize for {Self} {{ fn summary(&self) -> impl IntoEvents<Self> {{ .. }} }}`, and derive `PartialEq`"
)]
pub trait Summarize: Aggregate + PartialEq {
    /// The events that make this state of the initial one.
    fn summary(&self) -> impl IntoEvents<Self>;
}

/// An aggregate whose old events may be removed when a snapshot stands behind them.
///
/// A snapshot is read only by a program in which the state is of the same type. So an aggregate of which
/// the events were removed for good can not be loaded any more after its state has changed: this is for
/// states that may be lost, such as sessions and caches. To keep what matters
/// [summarise](Summarize) it.
#[diagnostic::on_unimplemented(
    message = "the events of `{Self}` may not be removed behind a snapshot",
    label = "does not allow it",
    note = "if its state may be lost when the type of it changes, write `impl Truncate for {Self} {{}}`; if not, implement `Summarize`"
)]
pub trait Truncate: Aggregate {
    /// Whether the events before this state may go.
    fn may_truncate(&self) -> bool {
        true
    }
}

/// Records a summary of an aggregate's state, behind which older events can go; see
/// [`Summarize`]. The compaction of es-archive sends it.
pub struct WriteSummary<A: Aggregate> {
    id: A::Id,
    aggregate: PhantomData<fn() -> A>,
}

impl<A: Summarize> WriteSummary<A> {
    /// A summary of this instance.
    pub fn of(id: A::Id) -> Self {
        Self { id, aggregate: PhantomData }
    }
}

impl<A: Aggregate> fmt::Debug for WriteSummary<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("WriteSummary").field(&self.id).finish()
    }
}

#[diagnostic::do_not_recommend]
impl<A: Summarize> Command for WriteSummary<A> {
    type Aggregate = A;
    const NAME: &'static str = "es.WriteSummary";

    fn aggregate_id(&self) -> &A::Id {
        &self.id
    }

    fn fingerprint(&self, _: &mut CommandFingerprint) {}
}

#[diagnostic::do_not_recommend]
impl<A: Summarize> Handle<WriteSummary<A>> for A {
    type Error = SummaryError;

    fn handle(
        &self,
        _: &WriteSummary<A>,
        _: &Context,
    ) -> Result<impl IntoEvents<Self>, SummaryError> {
        let mut events = Events::new();
        self.summary().into_events(&mut events);
        if events.as_slice().is_empty() {
            return Err(SummaryError::Empty { aggregate: A::NAME });
        }
        let mut state = A::initial();
        events.as_slice().iter().for_each(|event| state.apply_event(event));
        if state != *self {
            return Err(SummaryError::Other { aggregate: A::NAME });
        }
        events.as_slice().iter().for_each(|event| state.apply_event(event));
        if state != *self {
            return Err(SummaryError::Twice { aggregate: A::NAME });
        }
        Ok(events)
    }
}

/// Why a summary is not one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SummaryError {
    /// It has no event.
    #[error("the summary of aggregate `{aggregate}` has no event; return at least one")]
    Empty {
        /// The stored name of the aggregate.
        aggregate: &'static str,
    },
    /// It makes another state.
    #[error(
        "the summary of aggregate `{aggregate}` makes another state of the initial one: it must say everything that the state holds"
    )]
    Other {
        /// The stored name of the aggregate.
        aggregate: &'static str,
    },
    /// It changes the state that it is a summary of.
    #[error(
        "the summary of aggregate `{aggregate}` changes the state that it is a summary of: apply it by setting fields, not by adding to them"
    )]
    Twice {
        /// The stored name of the aggregate.
        aggregate: &'static str,
    },
}
