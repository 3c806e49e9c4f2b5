//! How many commands are on their way: a store can append sooner for one that is alone.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::runtime::Shared;
use crate::store::{EventStore, InPlaceAppend};

/// The commands that have been made and are not answered, also those that nobody polls yet: they are
/// about to append. Nobody counts where the store makes nothing of it.
pub(crate) struct InFlight(Option<AtomicUsize>);

impl InFlight {
    pub(crate) fn of(store: &impl EventStore) -> Self {
        Self(store.in_place().map(|_| AtomicUsize::new(0)))
    }

    pub(crate) fn enter(&self) -> OnItsWay<'_> {
        // A hint: what it is about is guarded elsewhere.
        if let Some(count) = &self.0 {
            count.fetch_add(1, Ordering::Relaxed);
        }
        OnItsWay(self.0.as_ref())
    }
}

impl<S: EventStore> Shared<S> {
    /// The store's way to append in place, if no other command is on its way.
    pub(crate) fn in_place(&self) -> Option<&dyn InPlaceAppend> {
        let count = self.in_flight.0.as_ref()?;
        if count.load(Ordering::Relaxed) <= 1 { self.store.in_place() } else { None }
    }
}

/// One command of them.
pub(crate) struct OnItsWay<'a>(Option<&'a AtomicUsize>);

impl OnItsWay<'_> {
    /// It is answered.
    pub(crate) fn arrive(&mut self) {
        if let Some(count) = self.0.take() {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.arrive();
    }
}
