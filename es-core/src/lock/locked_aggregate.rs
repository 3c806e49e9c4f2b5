//! The aggregates of the crate under test, as their derives register them.

use crate::aggregate::Aggregate;
use crate::event::EventType;
use crate::event_set::EventSet;

/// An aggregate of the crate under test.
///
/// The derive registers it in the tests of its crate if there is a lock or one is being made.
#[derive(Clone, Copy)]
pub struct LockedAggregate {
    name: &'static str,
    events: &'static [EventType],
    retired: &'static [&'static str],
    location: &'static str,
}

inventory::collect!(LockedAggregate);

impl LockedAggregate {
    /// Describes `A`.
    pub const fn of<A: Aggregate>(location: &'static str) -> Self {
        Self {
            name: A::NAME,
            events: <A::Event as EventSet>::EVENTS,
            retired: <A::Event as EventSet>::RETIRED,
            location,
        }
    }

    /// The aggregates of the crate under test, sorted by name.
    pub(super) fn all() -> Vec<Self> {
        let mut all: Vec<_> = inventory::iter::<Self>.into_iter().copied().collect();
        all.sort_by_key(|aggregate| (aggregate.name, aggregate.location));
        all
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// File and line.
    pub(super) fn location(&self) -> &'static str {
        self.location
    }

    /// The names under which what it reads is or was stored.
    pub(super) fn reads(&self) -> impl Iterator<Item = &'static str> {
        self.events
            .iter()
            .flat_map(|event| std::iter::once(event.name()).chain(event.aliases().iter().copied()))
    }

    /// The names that it does not need any more.
    pub(super) fn retired(&self) -> &'static [&'static str] {
        self.retired
    }
}
