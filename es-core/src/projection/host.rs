//! The place where one projection lives: its state and what is known of its progress.

use std::any::{Any, TypeId};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::RwLock;

use tokio::sync::watch;

use crate::error::ignore_poison;
use crate::event::EventType;
use crate::event_set::EventSet;
use crate::projection::{Projection, ProjectionState, ProjectionStatus};
use crate::query::Query;
use crate::recorded::{Page, Recorded};
use crate::version::Position;

/// A projection whose type is forgotten, as the registry and the runner know it.
pub(crate) trait Host: Send + Sync {
    fn query(&self) -> Query;
    /// Applies the events of the page in order. At the first that fails it stops, parked.
    fn apply(&self, page: &Page) -> Result<(), Parked>;
    fn progress(&self) -> &watch::Sender<ProjectionStatus>;
    fn as_any(&self) -> &(dyn Any + Send + Sync);
}

/// The event that a projection could not apply.
pub(crate) struct Parked {
    pub(crate) position: Position,
    pub(crate) error: String,
}

/// The state of a projection `P` and its progress.
pub(crate) struct Hosted<P> {
    state: RwLock<P>,
    progress: watch::Sender<ProjectionStatus>,
}

impl<P: Projection> Hosted<P> {
    pub(crate) fn new(state: P) -> Self {
        let status = ProjectionStatus {
            name: P::NAME,
            version: P::VERSION,
            position: Position::ZERO,
            state: ProjectionState::CatchingUp,
        };
        Self { state: RwLock::new(state), progress: watch::Sender::new(status) }
    }

    pub(crate) fn read<R>(&self, look: impl FnOnce(&P) -> R) -> R {
        let state = ignore_poison(self.state.read());
        look(&state)
    }
}

impl<P: Projection> Host for Hosted<P> {
    fn query(&self) -> Query {
        P::Event::query()
    }

    fn apply(&self, page: &Page) -> Result<(), Parked> {
        let mut state = ignore_poison(self.state.write());
        for recorded in page.iter() {
            // A handler that panics must not take the runner with it: that would be a projection
            // that stands still and does not say so.
            let applied = catch_unwind(AssertUnwindSafe(|| apply_one(&mut *state, &recorded)))
                .unwrap_or_else(|panic| Err(describe(&recorded, panic_message(&*panic))));
            applied.map_err(|error| Parked { position: recorded.position, error })?;
        }
        Ok(())
    }

    fn progress(&self) -> &watch::Sender<ProjectionStatus> {
        &self.progress
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

fn apply_one<P: Projection>(state: &mut P, recorded: &Recorded<'_>) -> Result<(), String> {
    let decoded = P::Event::decode(recorded).map_err(|error| error.to_string())?;
    decoded.as_slice().iter().try_for_each(|event| {
        state.project_event(event, recorded).map_err(|error| describe(recorded, &error.to_string()))
    })
}

fn describe(recorded: &Recorded<'_>, error: &str) -> String {
    format!(
        "event `{}` at version {} of stream `{}`, position {}: {error}",
        recorded.name, recorded.version, recorded.stream, recorded.position
    )
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the handler panicked")
}

/// A projection type as it stands in a registry.
#[derive(Clone, Copy)]
pub(crate) struct ProjectionType {
    pub(crate) name: &'static str,
    pub(crate) events: &'static [EventType],
    pub(crate) type_id: fn() -> TypeId,
    pub(crate) type_name: fn() -> &'static str,
}

impl ProjectionType {
    pub(crate) const fn of<P: Projection>() -> Self {
        Self {
            name: P::NAME,
            events: P::Event::EVENTS,
            type_id: TypeId::of::<P>,
            type_name: std::any::type_name::<P>,
        }
    }
}
