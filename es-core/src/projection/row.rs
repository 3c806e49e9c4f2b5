//! Projections that are kept in rows: tables that the projection's own SQL writes.

use std::any::Any;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use crate::error::ignore_poison;
use crate::event::Event;
use crate::event_set::EventSet;
use crate::projection::batch::{self, Batch, panic_message};
use crate::projection::board::Board;
use crate::projection::chunk::Chunk;
use crate::projection::host::{Host, Needs, ProjectionType, Start};
use crate::projection::partition::Partition;
use crate::projection::session::{Changes, Failure, Part, Session, guarded};
use crate::projection::{Keys, ProjectError, Projection, ProjectionHome};
use crate::query::Query;
use crate::recorded::{Page, Recorded};
use crate::store::{AnyRowFamily, AnyRowWork, GaveUp, RowFamily, RowScope, RowWork};

type Transaction<'t, R> = <R as RowFamily>::Transaction<'t>;

/// A projection that is kept in rows. `#[projection(rows = Family)]` generates it.
pub trait RowProjection: Projection + RowTables<Self::Family> {
    /// The stores that it can live in.
    type Family: RowFamily;

    /// Changes the rows as the event says, by the `ProjectRows` of that event: by its `replay` if this
    /// is a replay, else by its `project`.
    ///
    /// # Errors
    /// When that `ProjectRows` fails.
    fn project_event<const REPLAY: bool>(
        rows: &mut Transaction<'_, Self::Family>,
        event: &Self::Event,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError>;
}

/// What one event changes in the rows of a projection.
#[diagnostic::on_unimplemented(
    message = "projection `{Self}` does not say what event `{E}` changes in its rows",
    label = "missing `impl ProjectRows<{R}, {E}> for {Self}`",
    note = "write `impl ProjectRows<{R}, {E}> for {Self} {{ fn project(rows: &mut <{R} as RowFamily>::Transaction<'_>, event: &{E}, recorded: &Recorded) -> Result<(), ProjectError> {{ .. }} }}`"
)]
pub trait ProjectRows<R: RowFamily, E: Event> {
    /// Changes the rows, inside the transaction that moves the checkpoint.
    ///
    /// # Errors
    /// A failure rolls the transaction back and parks the projection at this event. One of the
    /// store that may pass is tried again.
    fn project(
        rows: &mut R::Transaction<'_>,
        event: &E,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError>;

    /// Changes the rows in a replay: instead of [`project`](Self::project), and in the same way
    /// unless you write another one. Both must leave the same rows behind; see
    /// [`Project::replay`](crate::Project::replay).
    ///
    /// # Errors
    /// As [`project`](Self::project).
    fn replay(
        rows: &mut R::Transaction<'_>,
        event: &E,
        recorded: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        Self::project(rows, event, recorded)
    }
}

/// The tables of a projection that is kept in rows.
#[diagnostic::on_unimplemented(
    message = "projection `{Self}` does not say which tables it has",
    label = "missing `impl RowTables<{R}> for {Self}`",
    note = "write `impl RowTables<{R}> for {Self} {{ const TABLES: &'static [&'static str] = &[\"..\"]; fn create(rows: &mut <{R} as RowFamily>::Transaction<'_>) -> Result<(), ProjectError> {{ .. }} }}`"
)]
pub trait RowTables<R: RowFamily> {
    /// Their plain names, under which they are read. Every generation has its own.
    const TABLES: &'static [&'static str];

    /// Creates the tables of a new generation.
    ///
    /// # Errors
    /// When the SQL is refused.
    fn create(rows: &mut R::Transaction<'_>) -> Result<(), ProjectError>;
}

/// Work on the tables of whole generations. What goes wrong is left in `failure`.
pub(crate) trait TableWork {
    /// Creates the tables, and shows them to readers at once if `publish`.
    fn create(&self, generation: u64, publish: bool, failure: Slot<String>) -> AnyRowWork;
    /// Shows the tables to readers.
    fn publish(&self, generation: u64, failure: Slot<String>) -> AnyRowWork;
    /// Drops the tables.
    fn discard(&self, generation: u64, failure: Slot<String>) -> AnyRowWork;
    /// Counts the rows that are in one generation only.
    fn differences(
        &self,
        generations: (u64, u64),
        found: Slot<u64>,
        failure: Slot<String>,
    ) -> AnyRowWork;
}

/// Where work inside a commit leaves what it found.
pub(crate) type Slot<T> = Arc<Mutex<Option<T>>>;

/// A projection in rows, in this process.
pub(crate) struct RowHost<P> {
    board: Board,
    inline: bool,
    projection: PhantomData<fn() -> P>,
}

impl<P: RowProjection> RowHost<P> {
    pub(crate) fn new(inline: bool) -> Self {
        Self {
            board: Board::new(&ProjectionType::of::<P>(), ProjectionHome::Rows),
            inline,
            projection: PhantomData,
        }
    }
}

fn scope<P: RowProjection>(generation: u64) -> RowScope {
    RowScope { tables: P::TABLES, generation }
}

fn work<P: RowProjection>(
    generation: u64,
    run: impl for<'t> Fn(&mut Transaction<'t, P::Family>) -> Result<(), GaveUp> + Send + 'static,
) -> AnyRowWork {
    Box::new(RowWork::<P::Family>::new(scope::<P>(generation), run))
}

impl<P: RowProjection> Host for RowHost<P> {
    fn projection(&self) -> ProjectionType {
        ProjectionType::of::<P>()
    }

    fn board(&self) -> &Board {
        &self.board
    }

    fn query(&self) -> Query {
        P::Event::query()
    }

    fn decode(&self, page: &Page, part: Range<usize>) -> Chunk {
        batch::decode::<P::Event>(page, part)
    }

    fn session(self: Arc<Self>, start: Start) -> Box<dyn Session> {
        let generation = match start {
            Start::Generation(generation) => generation,
            Start::Shown | Start::Empty => 0,
        };
        Box::new(RowSession::<P> { generation, failure: Slot::default(), projection: PhantomData })
    }

    fn concerns(&self, batch: &Batch, partition: Partition) -> bool {
        batch
            .events::<P::Event>()
            .any(|(_, recorded, event)| partition.takes::<P>(&recorded, event))
    }

    fn needs(&self) -> Needs {
        Needs::Rows(AnyRowFamily::of::<P::Family>())
    }

    fn is_inline(&self) -> bool {
        self.inline
    }

    fn tables(&self) -> Option<&dyn TableWork> {
        Some(self)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

impl<P: RowProjection> TableWork for RowHost<P> {
    fn create(&self, generation: u64, publish: bool, failure: Slot<String>) -> AnyRowWork {
        work::<P>(generation, move |rows| {
            // A panic of the user's must not end the thread that writes.
            let created = catch_unwind(AssertUnwindSafe(|| P::create(rows)));
            let created =
                created.unwrap_or_else(|panic| Err(ProjectError::new(panic_message(&*panic))));
            leave(&failure, created)?;
            if publish { leave(&failure, P::Family::publish(rows)) } else { Ok(()) }
        })
    }

    fn publish(&self, generation: u64, failure: Slot<String>) -> AnyRowWork {
        work::<P>(generation, move |rows| leave(&failure, P::Family::publish(rows)))
    }

    fn discard(&self, generation: u64, failure: Slot<String>) -> AnyRowWork {
        work::<P>(generation, move |rows| leave(&failure, P::Family::discard(rows)))
    }

    fn differences(
        &self,
        (generation, other): (u64, u64),
        found: Slot<u64>,
        failure: Slot<String>,
    ) -> AnyRowWork {
        work::<P>(generation, move |rows| {
            let differences = leave(&failure, P::Family::differences(rows, other))?;
            *ignore_poison(found.lock()) = Some(differences);
            Ok(())
        })
    }
}

fn leave<T, E: std::fmt::Display>(
    failure: &Slot<String>,
    result: Result<T, E>,
) -> Result<T, GaveUp> {
    result.map_err(|error| {
        *ignore_poison(failure.lock()) = Some(error.to_string());
        GaveUp
    })
}

struct RowSession<P> {
    generation: u64,
    failure: Slot<Failure>,
    projection: PhantomData<fn() -> P>,
}

impl<P: RowProjection> Session for RowSession<P> {
    fn apply(&mut self, batch: &Arc<Batch>, part: &Part) -> Result<Changes, Failure> {
        let (batch, part, failure) = (Arc::clone(batch), part.clone(), Arc::clone(&self.failure));
        let events = if part.partition.is_only() {
            batch.len().min(part.end)
        } else {
            let of_it = batch.events::<P::Event>().filter(|(index, recorded, event)| {
                *index < part.end && part.partition.takes::<P>(recorded, event)
            });
            of_it.count()
        };
        let rows = work::<P>(self.generation, move |rows| {
            project::<P>(rows, &batch, &part).map_err(|failed| {
                *ignore_poison(failure.lock()) = Some(failed);
                GaveUp
            })
        });
        // Nothing to do is no work, so that a checkpoint that only moves costs little.
        let rows = (events > 0).then_some(rows);
        Ok(Changes { documents: Vec::new(), rows, events: events as u64 })
    }

    fn take_failure(&mut self) -> Option<Failure> {
        ignore_poison(self.failure.lock()).take()
    }
}

fn project<P: RowProjection>(
    rows: &mut Transaction<'_, P::Family>,
    batch: &Batch,
    part: &Part,
) -> Result<(), Failure> {
    for (index, recorded, event) in batch.events::<P::Event>() {
        if !part.holds(index, &recorded) || !part.partition.takes::<P>(&recorded, event) {
            continue;
        }
        let event = event.as_ref().map_err(|error| Failure::unread(index, &recorded, error))?;
        for event in event.as_slice() {
            if !P::PARTITIONED_BY_STREAM && !part.partition.is_only() {
                let mut keys = Keys::default();
                guarded(index, &recorded, || {
                    P::partition_key(event, &recorded, &mut keys);
                    Ok(())
                })?;
                if !keys.iter().all(|key| part.partition.holds(key)) {
                    continue;
                }
            }
            guarded(index, &recorded, || match part.replays(&recorded) {
                true => P::project_event::<true>(rows, event, &recorded),
                false => P::project_event::<false>(rows, event, &recorded),
            })?;
        }
    }
    Ok(())
}
