//! What takes part in appends in the place of an inline projection, and keeps a record of all events.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::commit::{Appended, Commit, NewEvent};
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::fixture::RowFixture;
use crate::conformance::sample::{event, tagged};
use crate::conformance::subject::{Subject, backward, describe, shown};
use crate::error::StoreFailure;
use crate::identity::EventId;
use crate::projection::inline::{Inline, InlinePlace, Member};
use crate::query::{Query, QueryItem};
use crate::recorded::RecordedEvent;
use crate::store::{
    AnyRowWork, AnyStep, AppendError, ExpectedRevision, GaveUp, InlineRefusal, InlineStore,
    ProjectionStore, QueryPage, QueryRange, RowScope, RowWork, StateCommit, StateError, StateKey,
};
use crate::version::{Position, Version};

/// The name of the events that it refuses.
const UNWANTED: &str = "thing.unwanted";

/// An event that is refused, and not before all that is done for it is done.
pub(super) fn unwanted() -> NewEvent {
    tagged(UNWANTED, &[])
}

/// It has a record for each event, with the position, and counts them in another one.
pub(super) struct Probe {
    space: &'static str,
    /// What it also does to rows, for an event at a position.
    rows: Option<Box<dyn Fn(Position) -> AnyRowWork + Send + Sync>>,
    /// It takes what the others refuse.
    lenient: bool,
    /// It can not be brought up to the head.
    fails: bool,
    over: AtomicBool,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    /// Up to where it was brought.
    brought_up_to: Position,
    /// The steps that are stored, in their order; those of the open transaction; and the one that is
    /// looked at.
    stored: Vec<Ran>,
    open: Vec<Ran>,
    tried: Option<Ran>,
}

/// A step as it was run.
#[derive(Clone, Debug)]
struct Ran {
    /// Its events: each with its position and its version.
    events: Vec<(EventId, Position, Version)>,
    recorded_at: Timestamp,
    before: Position,
    /// The last event that it could read, and the head that it was told.
    last_read: Position,
    head: Position,
}

impl Probe {
    pub(super) fn new(space: &'static str) -> Arc<Self> {
        Arc::new(Self::plain(space))
    }

    fn plain(space: &'static str) -> Self {
        let (over, notes) = (AtomicBool::new(false), Mutex::default());
        Self { space, rows: None, lenient: false, fails: false, over, notes }
    }

    /// One that refuses nothing.
    pub(super) fn lenient(space: &'static str) -> Arc<Self> {
        Arc::new(Self { lenient: true, ..Self::plain(space) })
    }

    /// One that writes what it can, and then fails to be brought up to the head.
    pub(super) fn failing(space: &'static str) -> Arc<Self> {
        Arc::new(Self { fails: true, ..Self::plain(space) })
    }

    /// One that also writes the position of each event to the tables of generation 1.
    pub(super) fn with_rows<F: RowFixture>(space: &'static str) -> Arc<Self> {
        let rows = |position: Position| -> AnyRowWork {
            let scope = RowScope { tables: F::TABLES, generation: 1 };
            type Family<F> = <<F as crate::conformance::Fixture>::Store as ProjectionStore>::Rows;
            Box::new(RowWork::<Family<F>>::new(scope, move |rows| {
                F::create(rows).map_err(|_| GaveUp)?;
                F::insert(rows, position.get().cast_signed()).map_err(|_| GaveUp)
            }))
        };
        Arc::new(Self { rows: Some(Box::new(rows)), ..Self::plain(space) })
    }

    pub(super) fn inline(self: &Arc<Self>) -> Inline {
        let member: Arc<dyn Member> = Arc::clone(self) as _;
        Inline::from(member)
    }

    pub(super) fn key(&self, name: impl std::fmt::Display) -> StateKey {
        StateKey::new(self.space, name.to_string())
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position of the last event that it was told is stored.
    pub(super) fn told_up_to(&self) -> Position {
        let notes = self.notes();
        let last = notes.stored.last().and_then(|ran| ran.events.last());
        last.map_or(notes.brought_up_to, |(_, position, _)| *position)
    }

    /// How many steps it was told are stored.
    pub(super) fn told(&self) -> usize {
        self.notes().stored.len()
    }

    /// Writes the records of events, and the rows.
    fn write(
        &self,
        step: &mut dyn AnyStep,
        events: &[(EventId, Position)],
    ) -> Result<(), StateError> {
        for (id, position) in events {
            let counter = step.get(&self.key("count"))?;
            let counted = counter.as_ref().map(|record| String::from_utf8_lossy(&record.value));
            let counted: u64 = counted.and_then(|text| text.parse().ok()).unwrap_or(0);
            let expected = counter.map_or(ExpectedRevision::Missing, |record| {
                ExpectedRevision::Exact(record.revision)
            });
            let mut commit = StateCommit::default();
            commit.put(self.key(id), position.to_string(), ExpectedRevision::Missing);
            commit.put(self.key("count"), (counted + 1).to_string(), expected);
            step.commit(commit, self.rows.as_ref().map(|rows| rows(*position)))?;
        }
        Ok(())
    }
}

/// Whether a step that asks for the names of the events it has read finds the same events.
fn finds_by_name(
    step: &mut dyn AnyStep,
    page: &QueryPage,
    range: QueryRange,
) -> Result<(), StoreFailure> {
    let names: BTreeSet<_> = page.events.iter().map(|event| event.name.to_owned()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let query = Query::from(QueryItem::named(names));
    let named = step
        .read(&query, range)
        .map_err(|error| StoreFailure::caused_by("a step could not read by name", error))?;
    let positions =
        |page: &QueryPage| -> Vec<_> { page.events.iter().map(|event| event.position).collect() };
    let (all, named) = (positions(page), positions(&named));
    if named.starts_with(&all) {
        return Ok(());
    }
    Err(StoreFailure::new(format!("a step reads {all:?}, and by the names of these {named:?}")))
}

impl Member for Probe {
    fn bring_up(&self, step: &mut dyn AnyStep, head: Position) -> Result<(), StateError> {
        let mut range = QueryRange { up_to: head, ..QueryRange::all() };
        loop {
            let page = step.read(&Query::all(), range).map_err(|error| {
                StateError::Permanent(StoreFailure::caused_by("a step could not read", error))
            })?;
            finds_by_name(step, &page, range).map_err(StateError::Permanent)?;
            let events: Vec<_> = page.events.iter().map(|it| (it.event_id, it.position)).collect();
            self.write(step, &events)?;
            if !page.more {
                break;
            }
            range.after = page.token(&range);
        }
        if self.fails {
            return Err(StateError::Transient(StoreFailure::new("the suite has it fail")));
        }
        self.notes().brought_up_to = head;
        Ok(())
    }

    fn append(&self, step: &mut dyn AnyStep, place: &InlinePlace<'_>) -> Result<(), AppendError> {
        let failed =
            |error: StateError| AppendError::Transient(StoreFailure::new(error.to_string()));
        let last = QueryRange { limit: 1, ..backward(QueryRange::all()) };
        let page = step.read(&Query::all(), last).map_err(|error| {
            AppendError::Transient(StoreFailure::caused_by("a step could not read", error))
        })?;
        finds_by_name(step, &page, last).map_err(AppendError::Transient)?;
        let mut events = Vec::new();
        let mut position = place.before;
        for (append, version) in place.commit.streams().zip(place.versions) {
            for (event, number) in append.events.iter().zip(1..) {
                position = position.next();
                events.push((event.id, position, version.plus(number)));
            }
        }
        let written: Vec<_> = events.iter().map(|(id, position, _)| (*id, *position)).collect();
        self.write(step, &written).map_err(failed)?;
        let mut appends = place.commit.streams();
        if !self.lenient
            && appends.any(|append| append.events.iter().any(|event| event.name == UNWANTED))
        {
            return Err(AppendError::Inline(Box::new(self.refusal(place.commit))));
        }
        self.notes().tried = Some(Ran {
            events,
            recorded_at: place.recorded_at,
            before: place.before,
            last_read: page.events.last().map_or(Position::ZERO, |event| event.position),
            head: page.head,
        });
        Ok(())
    }

    fn keep(&self) {
        let mut notes = self.notes();
        let tried = notes.tried.take();
        notes.open.extend(tried);
    }

    fn undo(&self) {
        self.notes().tried = None;
    }

    fn committed(&self) {
        let mut notes = self.notes();
        let open = std::mem::take(&mut notes.open);
        notes.stored.extend(open);
    }

    fn rolled_back(&self) {
        self.notes().open.clear();
    }

    fn has_fallen(&self) -> bool {
        false
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

impl Probe {
    fn refusal(&self, commit: &Commit) -> InlineRefusal {
        InlineRefusal {
            projection: self.space,
            event: UNWANTED.to_owned(),
            stream: commit.first().stream.clone(),
            version: Version::ZERO,
            key: None,
            reason: "the suite does not want it".to_owned(),
            transient: false,
        }
    }
}

impl<S: InlineStore> Subject<S> {
    /// Lets a probe take part from now on.
    pub(super) async fn enlist(&self, probe: &Arc<Probe>, stay: bool) -> Verdict {
        let answer = self.store.enlist(probe.inline(), stay).await;
        answer.map_err(|error| self.breach("an inline projection to be enlisted", error))
    }

    /// A store with a probe that takes part in its appends.
    pub(super) async fn probed(&self) -> Result<Arc<Probe>, Breach> {
        let probe = Probe::new("suite-inline");
        self.enlist(&probe, true).await?;
        Ok(probe)
    }

    /// A commit must be refused by the probe, in its words.
    pub(super) fn is_unwanted(
        &self,
        probe: &Probe,
        commit: &Commit,
        answer: Result<Appended, AppendError>,
    ) -> Verdict {
        let wanted = format!(
            "{} to be refused with what the step has failed with, an `AppendError::Inline`",
            describe(commit)
        );
        match answer {
            Err(AppendError::Inline(refusal)) if *refusal == probe.refusal(commit) => Ok(()),
            Err(other) => Err(self.breach(wanted, shown(&other))),
            Ok(appended) => Err(self.breach(wanted, format_args!("it is stored: {appended:?}"))),
        }
    }

    /// The records of a probe must be those of exactly the events that are stored.
    pub(super) async fn has_the_records(&self, probe: &Probe) -> Verdict {
        let events = self.everything().await?;
        let mut keys: Vec<_> = events.iter().map(|event| probe.key(event.event_id)).collect();
        keys.push(probe.key("count"));
        let records = self.get_many(&keys).await?;
        let counted = (!events.is_empty()).then(|| events.len().to_string());
        let expected = events.iter().map(|event| Some(event.position.to_string())).chain([counted]);
        for ((key, record), expected) in keys.iter().zip(records).zip(expected) {
            let found = record.map(|it| String::from_utf8_lossy(&it.value).into_owned());
            self.same(format_args!("the record `{key}` of the steps"), expected, found)?;
        }
        Ok(())
    }

    /// The steps of a probe that takes part must be those of exactly the events that are stored, and
    /// their records too.
    pub(super) async fn ran(&self, probe: &Probe) -> Verdict {
        self.has_the_records(probe).await?;
        let events = self.everything().await?;
        let (brought_up_to, ran) = {
            let notes = probe.notes();
            (notes.brought_up_to, notes.stored.clone())
        };
        let mut later = events.iter().filter(|event| event.position > brought_up_to);
        for step in ran {
            for found in &step.events {
                let place = |event: &RecordedEvent| (event.event_id, event.position, event.version);
                let stored = later.next();
                let expected = stored.map(place);
                let what = "an event of the steps that are stored, its position and its version";
                self.under(6).same(what, expected, Some(*found))?;
                let recorded_at = stored.map(|event| event.recorded_at.as_microsecond());
                let found = Some(step.recorded_at.as_microsecond());
                self.under(6).same("the time that a step was told, in µs", recorded_at, found)?;
            }
            let what = "the last event that a step reads, and the head of that read";
            self.under(4).same(what, (step.before, step.before), (step.last_read, step.head))?;
        }
        let missing = later.next().map(|event| event.position);
        self.same("the first position that is stored and whose step was not", None, missing)
    }
}

/// An event that is taken and one that is not.
pub(super) fn mixed() -> Vec<NewEvent> {
    vec![event(), unwanted()]
}
