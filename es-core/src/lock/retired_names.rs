//! The names that aggregates retire without being registered.

use crate::aggregate::Aggregate;
use crate::event_set::EventSet;

/// The retired names of an aggregate with `register = false`, for the test of its crate.
pub struct RetiredNames(&'static [&'static str]);

inventory::collect!(RetiredNames);

impl RetiredNames {
    /// Those of `A`.
    pub const fn of<A: Aggregate>() -> Self {
        Self(<A::Event as EventSet>::RETIRED)
    }

    /// Those of all.
    pub(super) fn all() -> impl Iterator<Item = &'static str> {
        inventory::iter::<Self>.into_iter().flat_map(|names| names.0).copied()
    }
}
