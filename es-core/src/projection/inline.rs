//! Inline projections: changed in the step that appends their events, so that they are never behind.
//!
//! The worker of the live generation brings it up to the head as it does with any projection, and
//! then enlists it with the store. From there on the step of every append applies the events, writes
//! documents and rows, and moves the checkpoint. Whoever appends past it, as a program that does not
//! have the projection, is noticed by the checkpoint: the next step, or the worker when it hears of
//! the events, applies those first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use crate::commit::Commit;
use crate::error::{StoreFailure, ignore_poison};
use crate::projection::batch::{Batch, panic_message};
use crate::projection::generation::{
    Checkpoint, Generations, document_key, document_space, read, written,
};
use crate::projection::host::{Host, Start};
use crate::projection::partition::Partition;
use crate::projection::row::Slot;
use crate::projection::session::{Failure, KeySet, Part};
use crate::query::Query;
use crate::recorded::{Page, PageBuilder, Payload, Recorded};
use crate::store::{
    AnyStep, AppendError, ExpectedRevision, InlineRefusal, QueryRange, ReadError, Revision,
    StateCommit, StateError, StateKey,
};
use crate::telemetry::TARGET;
use crate::telemetry::metrics::{self, Stopwatch};
use crate::version::{Position, Version};

/// The most events of others that a step applies beside its own. More are left to the worker, which
/// does not keep others from appending meanwhile.
const MOST_OF_OTHERS: usize = 4_096;

/// Where the events of a commit are about to be stored.
#[derive(Clone, Copy, Debug)]
pub struct InlinePlace<'a> {
    /// The commit.
    pub commit: &'a Commit,
    /// The position of the last event before those of the commit, which follow without a gap.
    pub before: Position,
    /// The version of each of the commit's streams before it, in the order of the commit.
    pub versions: &'a [Version],
    /// The time that its events are stamped with.
    pub recorded_at: Timestamp,
}

impl InlinePlace<'_> {
    /// The position of the commit's last event.
    fn last(&self) -> Position {
        Position::new(self.before.get().saturating_add(self.commit.event_count() as u64))
    }

    /// The events that the query matches, just as they will be read.
    fn matching(&self, query: &Query) -> Page {
        let mut page = PageBuilder::default();
        let mut position = self.before;
        for (append, version) in self.commit.streams().zip(self.versions) {
            let mut version = *version;
            for event in &append.events {
                (position, version) = (position.next(), version.next());
                if !query.matches(&event.name, event.tags.as_slice()) {
                    continue;
                }
                page.push(Recorded {
                    position,
                    stream: append.stream.borrowed(),
                    version,
                    event_id: event.id,
                    name: &event.name,
                    schema_version: event.schema_version,
                    payload: Payload::from(&event.payload[..]),
                    tags: event.tags.as_slice(),
                    recorded_at: self.recorded_at,
                    occurred_at: event.occurred_at,
                    metadata: &event.metadata,
                });
            }
        }
        page.build()
    }
}

/// An inline projection as it takes part in the appends of a store; see
/// [`InlineStore`](crate::InlineStore).
#[derive(Clone)]
pub struct Inline(Arc<dyn Member>);

/// Who takes part in the steps of a store: an inline projection, and what the conformance suite has in
/// the place of one.
pub(crate) trait Member: Send + Sync {
    /// See [`Inline::bring_up`].
    fn bring_up(&self, step: &mut dyn AnyStep, head: Position) -> Result<(), StateError>;
    /// See [`Inline::append`].
    fn append(&self, step: &mut dyn AnyStep, place: &InlinePlace<'_>) -> Result<(), AppendError>;
    /// See [`Inline::keep`].
    fn keep(&self);
    /// See [`Inline::undo`].
    fn undo(&self);
    /// See [`Inline::committed`].
    fn committed(&self);
    /// See [`Inline::rolled_back`].
    fn rolled_back(&self);
    /// See [`Inline::has_fallen`].
    fn has_fallen(&self) -> bool;
    /// See [`Inline::is_over`].
    fn is_over(&self) -> bool;
    /// See [`Inline::end`].
    fn end(&self);
}

struct Projecting {
    host: Arc<dyn Host>,
    query: Query,
    /// Instead of taking part, a generation that was built becomes live.
    swap: Option<Swap>,
    /// It takes part no more.
    over: AtomicBool,
    known: Mutex<Knowledge>,
}

/// A generation that becomes live in a step, once it is at the head.
pub(crate) struct Swap {
    pub(crate) generation: u64,
    /// The generations as they will be, and as they are expected to be.
    pub(crate) generations: Generations,
    pub(crate) expected: ExpectedRevision,
    /// The generation of this version that is served until then.
    pub(crate) live: Option<u64>,
    /// What went wrong with its tables.
    pub(crate) failure: Slot<String>,
}

/// What is known of the read model, as far as it is certain.
#[derive(Default)]
struct Knowledge {
    /// When the last transaction was stored.
    stored: Known,
    /// In the open transaction, after the last commit that was taken.
    open: Known,
    /// After the commit that is being looked at.
    tried: Known,
}

#[derive(Clone, Default, PartialEq)]
struct Known {
    is: Is,
    /// The revision of the list of generations.
    generations: Option<Revision>,
    /// The generation that is served.
    generation: u64,
    /// Events up to here are a replay.
    replay_until: Position,
    /// Every event up to here is applied or not wanted.
    seen: Position,
    applied_until: Option<Timestamp>,
}

#[derive(Clone, Default, PartialEq)]
enum Is {
    /// The worker keeps it.
    #[default]
    Out,
    /// It is changed in the step of every append.
    In,
    /// It was, and something was met that the worker must see to.
    Fallen(String),
}

/// How far an inline projection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    pub(crate) position: Position,
    pub(crate) generation: u64,
    pub(crate) applied_until: Option<Timestamp>,
}

/// Why a step does not go on with a projection.
enum Halt {
    /// The worker must see to it first.
    Fallen(String),
    /// An event of the commit can not be applied.
    Refused(Box<Failure>),
    Failed(StateError),
}

impl From<StateError> for Halt {
    fn from(error: StateError) -> Self {
        Self::Failed(error)
    }
}

impl From<ReadError> for Halt {
    fn from(error: ReadError) -> Self {
        Self::Failed(match error {
            ReadError::Transient(failure) => StateError::Transient(failure),
            ReadError::Permanent(failure) => StateError::Permanent(failure),
            ReadError::Archived(_) => StateError::Permanent(StoreFailure::caused_by(
                "an inline projection can not be brought up to the head",
                error,
            )),
        })
    }
}

/// For the runtime.
impl Inline {
    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        Self::with(host, None)
    }

    /// What makes a generation live.
    pub(crate) fn swapping(host: Arc<dyn Host>, swap: Swap) -> Self {
        Self::with(host, Some(swap))
    }

    fn with(host: Arc<dyn Host>, swap: Option<Swap>) -> Self {
        let query = host.query();
        let (over, known) = (AtomicBool::new(false), Mutex::default());
        Self(Arc::new(Projecting { host, query, swap, over, known }))
    }

    /// Whether it could not be brought up to the head.
    pub(crate) fn has_fallen(&self) -> bool {
        self.0.has_fallen()
    }

    /// It takes part no more.
    pub(crate) fn end(&self) {
        self.0.end();
    }
}

/// For the suite.
#[cfg(feature = "conformance")]
impl From<Arc<dyn Member>> for Inline {
    fn from(member: Arc<dyn Member>) -> Self {
        Self(member)
    }
}

/// For the set of a store.
impl Inline {
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// Applies what lies between the checkpoint and the head.
    pub(crate) fn bring_up(
        &self,
        step: &mut dyn AnyStep,
        head: Position,
    ) -> Result<(), StateError> {
        self.0.bring_up(step, head)
    }

    /// Applies the events of a commit.
    pub(crate) fn append(
        &self,
        step: &mut dyn AnyStep,
        place: &InlinePlace<'_>,
    ) -> Result<(), AppendError> {
        self.0.append(step, place)
    }

    /// The commit is taken.
    pub(crate) fn keep(&self) {
        self.0.keep();
    }

    /// The commit is refused.
    pub(crate) fn undo(&self) {
        self.0.undo();
    }

    /// The step is stored.
    pub(crate) fn committed(&self) {
        self.0.committed();
    }

    /// Nothing of the step is stored.
    pub(crate) fn rolled_back(&self) {
        self.0.rolled_back();
    }
}

impl Member for Projecting {
    fn bring_up(&self, step: &mut dyn AnyStep, head: Position) -> Result<(), StateError> {
        let mut known = ignore_poison(self.known.lock());
        let mut now = known.open.clone();
        now.is = Is::In;
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.go_on(step, &mut now, head, None)?;
            match &self.swap {
                Some(swap) => self.swap(step, swap),
                None => Ok(()),
            }
        }));
        match done {
            Ok(Ok(())) => now.seen = now.seen.max(head),
            Ok(Err(Halt::Failed(error))) => return Err(error),
            Ok(Err(Halt::Fallen(why))) => now.is = Is::Fallen(why),
            Ok(Err(Halt::Refused(failure))) => now.is = Is::Fallen(failure.error),
            Err(panic) => return Err(StateError::Permanent(self.panicked(&*panic))),
        }
        known.open = now;
        Ok(())
    }

    fn append(&self, step: &mut dyn AnyStep, place: &InlinePlace<'_>) -> Result<(), AppendError> {
        let mut known = ignore_poison(self.known.lock());
        let mut now = known.open.clone();
        if now.is == Is::In {
            let page = place.matching(&self.query);
            if page.is_empty() {
                // Events of others before it are still to be looked at.
                if now.seen == place.before {
                    now.seen = place.last();
                }
            } else {
                let done = catch_unwind(AssertUnwindSafe(|| {
                    self.go_on(step, &mut now, place.before, Some(page))
                }));
                match done {
                    Ok(Ok(())) => now.seen = place.last(),
                    Ok(Err(Halt::Fallen(why))) => now.is = Is::Fallen(why),
                    Ok(Err(Halt::Refused(failure))) => {
                        return Err(self.refusal(*failure, place));
                    }
                    Ok(Err(Halt::Failed(error))) => return Err(failed(error)),
                    Err(panic) => return Err(AppendError::Permanent(self.panicked(&*panic))),
                }
            }
        }
        known.tried = now;
        Ok(())
    }

    fn keep(&self) {
        let mut known = ignore_poison(self.known.lock());
        known.open = known.tried.clone();
    }

    fn undo(&self) {
        let mut known = ignore_poison(self.known.lock());
        known.tried = known.open.clone();
    }

    fn committed(&self) {
        let mut known = ignore_poison(self.known.lock());
        if known.stored == known.open {
            return;
        }
        known.stored = known.open.clone();
        let board = self.host.board();
        match &known.stored.is {
            Is::In => board.set_inline(Some(Standing {
                position: known.stored.seen,
                generation: known.stored.generation,
                applied_until: known.stored.applied_until,
            })),
            Is::Fallen(error) => {
                let projection = self.host.projection().name;
                tracing::warn!(target: TARGET, projection, %error, "inline projection is left to its worker");
                board.set_inline(None);
                board.ring();
            }
            Is::Out => {}
        }
        if self.is_over() {
            board.set_inline(None);
        }
    }

    fn rolled_back(&self) {
        let mut known = ignore_poison(self.known.lock());
        known.open = known.stored.clone();
    }

    fn has_fallen(&self) -> bool {
        matches!(ignore_poison(self.known.lock()).open.is, Is::Fallen(_))
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.host.board().set_inline(None);
    }
}

impl Projecting {
    /// Applies what others have appended up to `before`, and then the events of the commit.
    fn go_on(
        &self,
        step: &mut dyn AnyStep,
        known: &mut Known,
        before: Position,
        own: Option<Page>,
    ) -> Result<(), Halt> {
        self.find_generation(step, known)?;
        let name = self.host.projection().name;
        let key = Checkpoint::key(name, known.generation, Partition::ONLY);
        let Some(record) = step.get(&key)? else {
            return Err(Halt::Fallen("its generation has no checkpoint".to_owned()));
        };
        let mut checkpoint: Checkpoint = read(&key, &record)?;
        if checkpoint.stuck {
            return Err(Halt::Fallen("something of it is parked".to_owned()));
        }
        known.seen = known.seen.max(checkpoint.position);
        if known.seen < before {
            let after = QueryRange::after(known.seen);
            let range = QueryRange { up_to: before, limit: MOST_OF_OTHERS, ..after };
            let of_others = step.read(&self.query, range)?;
            if of_others.more {
                return Err(Halt::Fallen("others have appended many events past it".to_owned()));
            }
            if !of_others.events.is_empty() {
                let applied = self.apply(step, known, &mut checkpoint, of_others.events);
                applied.map_err(|halt| match halt {
                    Halt::Refused(failure) => Halt::Fallen(failure.error),
                    halt => halt,
                })?;
            }
            known.seen = before;
        }
        match own {
            // Another runtime of this process may have applied them in this very step.
            Some(own) if own.last().is_some_and(|last| last.position > checkpoint.position) => {
                self.apply(step, known, &mut checkpoint, own)
            }
            _ => Ok(()),
        }
    }

    /// Finds the generation that is served, or is about to be, if that may have changed.
    fn find_generation(&self, step: &mut dyn AnyStep, known: &mut Known) -> Result<(), Halt> {
        let projection = self.host.projection();
        if let Some(swap) = &self.swap {
            known.generation = swap.generation;
            let begun_at = swap.generations.begun_at(swap.generation).unwrap_or(Position::ZERO);
            known.replay_until = begun_at.max(self.served(step, swap)?);
            return Ok(());
        }
        let key = Generations::key(projection.name);
        let record = step.get(&key)?;
        let revision = record.as_ref().map(|record| record.revision);
        if revision.is_some() && revision == known.generations {
            return Ok(());
        }
        let generations: Option<Generations> =
            record.map(|record| read(&key, &record)).transpose()?;
        let Some((live, begun_at)) = generations.and_then(|generations| {
            let live = generations.live(&projection)?;
            Some((live, generations.begun_at(live)))
        }) else {
            return Err(Halt::Fallen("no generation of this version is served".to_owned()));
        };
        known.replay_until = begun_at.unwrap_or(Position::ZERO);
        if live != known.generation {
            (known.generation, known.seen) = (live, Position::ZERO);
        }
        known.generations = revision;
        Ok(())
    }

    /// How far the generation is that is served until another one becomes live.
    fn served(&self, step: &mut dyn AnyStep, swap: &Swap) -> Result<Position, Halt> {
        let Some(live) = swap.live else { return Ok(Position::ZERO) };
        let key = Checkpoint::key(self.host.projection().name, live, Partition::ONLY);
        let checkpoint = step.get(&key)?.map(|record| read::<Checkpoint>(&key, &record));
        Ok(checkpoint.transpose()?.map_or(Position::ZERO, |checkpoint| checkpoint.position))
    }

    /// Applies events, and moves the checkpoint.
    fn apply(
        &self,
        step: &mut dyn AnyStep,
        known: &mut Known,
        checkpoint: &mut Checkpoint,
        page: Page,
    ) -> Result<(), Halt> {
        let (name, generation) = (self.host.projection().name, known.generation);
        let events = page.len();
        if let Some(last) = page.last() {
            checkpoint.position = last.position;
            checkpoint.applied_until = Some(last.recorded_at);
        }
        let began = Stopwatch::start();
        let chunk = self.host.decode(&page, 0..events);
        let batch = Arc::new(Batch::new(Arc::new(page), 0..events, vec![chunk]));
        let part = Part {
            end: events,
            skips: self.host.board().skips(),
            keys: KeySet::default(),
            partition: Partition::ONLY,
            replay_until: known.replay_until,
        };
        let mut session = Arc::clone(&self.host).session(Start::Generation(generation));
        let mut documents = Vec::new();
        for key in session.missing(&batch, &part) {
            let record = step.get(&document_key(name, generation, &key))?;
            documents.push((key, record.map(|record| record.value)));
        }
        session.load(documents);
        let refused = |failure| Halt::Refused(Box::new(failure));
        let changes = session.apply(&batch, &part).map_err(refused)?;
        checkpoint.events += changes.events;
        let mut commit = StateCommit::default();
        let key = Checkpoint::key(name, generation, Partition::ONLY);
        commit.put(key, written(checkpoint)?, ExpectedRevision::Any);
        let space: Arc<str> = document_space(name, generation).into();
        for (key, value) in changes.documents {
            let key = StateKey::new(Arc::clone(&space), key);
            match value {
                Some(value) => commit.put(key, value, ExpectedRevision::Any),
                None => commit.remove(key, ExpectedRevision::Any),
            }
        }
        let applied = changes.events;
        match step.commit(commit, changes.rows) {
            Ok(_) => {}
            Err(StateError::Abandoned) => {
                let failure = session.take_failure().ok_or(StateError::Abandoned)?;
                return Err(refused(failure));
            }
            Err(error) => return Err(error.into()),
        }
        known.applied_until = checkpoint.applied_until;
        metrics::projected(name, applied, began);
        Ok(())
    }

    /// Makes the generation live.
    fn swap(&self, step: &mut dyn AnyStep, swap: &Swap) -> Result<(), Halt> {
        let mut commit = StateCommit::default();
        swap.generations.put(&mut commit, self.host.projection().name, swap.expected)?;
        let tables = self.host.tables();
        let rows = tables.map(|it| it.publish(swap.generation, Arc::clone(&swap.failure)));
        step.commit(commit, rows)?;
        Ok(())
    }

    fn refusal(&self, failure: Failure, place: &InlinePlace<'_>) -> AppendError {
        let projection = self.host.projection().name;
        let streams = place.commit.streams().map(|append| &append.stream);
        let stream = streams.into_iter().find(|stream| stream.as_str() == failure.stream());
        let stream = stream.unwrap_or(&place.commit.first().stream).clone();
        AppendError::Inline(Box::new(InlineRefusal {
            projection,
            event: failure.event().to_owned(),
            stream,
            version: failure.version(),
            transient: failure.transient,
            reason: failure.reason().to_owned(),
            key: failure.key,
        }))
    }

    fn panicked(&self, panic: &(dyn std::any::Any + Send)) -> StoreFailure {
        let name = self.host.projection().name;
        StoreFailure::new(format!("inline projection `{name}` panicked: {}", panic_message(panic)))
    }
}

/// The store failed while it did something for a projection.
fn failed(error: StateError) -> AppendError {
    match error {
        StateError::Transient(failure) => AppendError::Transient(failure),
        StateError::Permanent(failure) => AppendError::Permanent(failure),
        // The step is open still: it is rolled back, and nothing is unknown.
        error => AppendError::Transient(StoreFailure::new(error.to_string())),
    }
}
