//! Programs of several tasks that call one store, and what they record.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use fastrand::Rng;
use tokio::sync::Barrier;

use crate::commit::{AppendCondition, Appended, Commit, NewEvent};
use crate::conformance::history::{Answer, Call, Operation};
use crate::conformance::sample::{exact, stream, tagged};
use crate::conformance::subject::joined;
use crate::identity::EventId;
use crate::query::{Query, QueryItem};
use crate::store::{
    AppendError, ConditionalAppend, Direction, EventStore, QueryRange, StreamRange,
};
use crate::stream::StreamId;
use crate::version::{ExpectedVersion, Position, Version};

const STREAMS: [&str; 3] = ["a", "b", "ab"];
const NAMES: [&str; 2] = ["opened", "open"];
const TAGS: [&str; 3] = ["user:1", "user:10", "seat"];

/// What each of several tasks does, one step after another.
#[derive(Clone, Debug)]
pub(in crate::conformance) struct Program {
    pub(in crate::conformance) tasks: Vec<Vec<Step>>,
}

/// A call, of which some is filled in from what the task has seen.
#[derive(Clone, Debug)]
pub(in crate::conformance) enum Step {
    Append { streams: Vec<(StreamId, Expect, Vec<NewEvent>)>, conditions: Vec<(Query, After)> },
    ReadStream(StreamId, StreamRange),
    Read(Query, QueryRange),
    Find(EventId),
    Head,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::conformance) enum Expect {
    Is(ExpectedVersion),
    /// The version that the task saw last.
    Seen,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::conformance) enum After {
    Is(Option<Position>),
    /// The head that the task saw last.
    Seen,
}

impl Program {
    /// A program that a seed stands for. With `conditions` some appends have them.
    pub(in crate::conformance) fn of(
        seed: u64,
        tasks: usize,
        steps: usize,
        conditions: bool,
    ) -> Self {
        let mut random = Rng::with_seed(seed);
        // Commits that several tasks append: retries, and ids that are used twice.
        let shared: Vec<_> = (0..3).map(|_| append(&mut random, conditions)).collect();
        let ids: Vec<_> = shared
            .iter()
            .filter_map(|step| match step {
                Step::Append { streams, .. } => Some(streams[0].2[0].id),
                _ => None,
            })
            .collect();
        let mut step = || match random.u8(0..20) {
            0..8 => append(&mut random, conditions),
            8..10 => shared[random.usize(..shared.len())].clone(),
            10 => reuse(&shared[random.usize(..shared.len())], &mut random),
            11..14 => {
                let (id, range) =
                    (random.choice(STREAMS).unwrap_or("a"), stream_range(&mut random));
                Step::ReadStream(stream(id), range)
            }
            14..17 => Step::Read(query(&mut random), query_range(&mut random)),
            17 => Step::Find(ids[random.usize(..ids.len())]),
            _ => Step::Head,
        };
        Self { tasks: (0..tasks).map(|_| (0..steps).map(|_| step()).collect()).collect() }
    }
}

fn event(random: &mut Rng) -> NewEvent {
    let name = NAMES[random.usize(..NAMES.len())];
    let tags: Vec<_> = TAGS.into_iter().filter(|_| random.u8(0..3) == 0).collect();
    let id = EventId::from_uuid(uuid::Uuid::from_u128(random.u128(..)));
    NewEvent { id, payload: Bytes::from_static(b"{}"), ..tagged(name, &tags) }
}

fn append(random: &mut Rng, conditions: bool) -> Step {
    let count = if random.u8(0..4) == 0 { 2 } else { 1 };
    let mut ids = STREAMS;
    random.shuffle(&mut ids);
    let streams = ids[..count]
        .iter()
        .map(|id| {
            let expected = match random.u8(0..8) {
                0..3 => Expect::Seen,
                3..5 => Expect::Is(ExpectedVersion::Any),
                5 => Expect::Is(ExpectedVersion::NoStream),
                6 => Expect::Is(ExpectedVersion::Exists),
                _ => Expect::Is(exact(random.u64(0..5))),
            };
            let events = (0..random.usize(1..3)).map(|_| event(random)).collect();
            (stream(id), expected, events)
        })
        .collect();
    let guards = if conditions && random.bool() { random.usize(1..3) } else { 0 };
    let conditions = (0..guards)
        .map(|_| {
            let after = match random.u8(0..4) {
                0..2 => After::Seen,
                2 => After::Is(Some(Position::new(random.u64(0..20)))),
                _ => After::Is(None),
            };
            (query(random), after)
        })
        .collect();
    Step::Append { streams, conditions }
}

/// A commit with an event id of another one.
fn reuse(other: &Step, random: &mut Rng) -> Step {
    let mut step = append(random, false);
    if let (Step::Append { streams: other, .. }, Step::Append { streams, .. }) = (other, &mut step)
    {
        let id = other[0].2[0].id;
        if let Some(event) = streams.last_mut().and_then(|(.., events)| events.last_mut()) {
            event.id = id;
        }
    }
    step
}

fn query(random: &mut Rng) -> Query {
    let mut item = || {
        let names: Vec<_> = NAMES.into_iter().filter(|_| random.u8(0..3) == 0).collect();
        let tags: Vec<_> = TAGS.into_iter().filter(|_| random.u8(0..3) == 0).collect();
        QueryItem::named(names).and_tagged(tags)
    };
    let (first, second) = (item(), item());
    if random.bool() { Query::from(first) } else { Query::from(first).or(second) }
}

fn direction(random: &mut Rng) -> Direction {
    if random.u8(0..3) == 0 { Direction::Backward } else { Direction::Forward }
}

fn limit(random: &mut Rng) -> usize {
    if random.bool() { usize::MAX } else { random.usize(0..4) }
}

fn stream_range(random: &mut Rng) -> StreamRange {
    let whole = random.bool();
    StreamRange {
        from: if whole { Version::new(1) } else { Version::new(random.u64(0..6)) },
        to: if whole { Version::MAX } else { Version::new(random.u64(0..8)) },
        direction: direction(random),
        limit: limit(random),
    }
}

fn query_range(random: &mut Rng) -> QueryRange {
    let whole = random.bool();
    QueryRange {
        after: if whole { Position::ZERO } else { Position::new(random.u64(0..20)) },
        up_to: if whole { Position::MAX } else { Position::new(random.u64(0..30)) },
        direction: direction(random),
        limit: limit(random),
    }
}

/// How commits are appended.
pub(in crate::conformance) trait Appending<S>:
    Send + Sync + 'static
{
    fn append(
        store: &S,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> impl Future<Output = Result<Appended, AppendError>> + Send;
}

/// Without conditions.
pub(in crate::conformance) struct Plain;

/// With conditions.
pub(in crate::conformance) struct Guarded;

impl<S: EventStore> Appending<S> for Plain {
    async fn append(
        store: &S,
        commit: &Commit,
        _: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        store.append(commit).await
    }
}

impl<S: ConditionalAppend> Appending<S> for Guarded {
    async fn append(
        store: &S,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        store.append_if(commit, conditions).await
    }
}

/// Runs a program on an empty store, and records it. The last call reads everything.
pub(in crate::conformance) async fn record<S: EventStore, A: Appending<S>>(
    store: Arc<S>,
    program: &Program,
) -> Vec<Operation> {
    let clock = Arc::new(AtomicU64::new(0));
    let barrier = Arc::new(Barrier::new(program.tasks.len()));
    let tasks: Vec<_> = program
        .tasks
        .iter()
        .enumerate()
        .map(|(number, steps)| {
            let task = Task { number, seen: HashMap::new(), head: Position::ZERO };
            let (store, clock, steps) = (Arc::clone(&store), Arc::clone(&clock), steps.clone());
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                task.run::<S, A>(&*store, &clock, steps).await
            })
        })
        .collect();
    let mut history = Vec::new();
    for task in tasks {
        history.extend(joined(task.await));
    }
    let last = Task { number: program.tasks.len(), seen: HashMap::new(), head: Position::ZERO };
    let everything = QueryRange { limit: usize::MAX, ..QueryRange::all() };
    let step = Step::Read(Query::all(), everything);
    history.extend(last.run::<S, A>(&*store, &clock, vec![step]).await);
    settle(&mut history);
    history.sort_by_key(|operation| operation.begun);
    history
}

struct Task {
    number: usize,
    seen: HashMap<StreamId, Version>,
    head: Position,
}

impl Task {
    async fn run<S: EventStore, A: Appending<S>>(
        mut self,
        store: &S,
        clock: &AtomicU64,
        steps: Vec<Step>,
    ) -> Vec<Operation> {
        let mut operations = Vec::with_capacity(steps.len());
        for step in steps {
            let Some(call) = self.fill_in(step) else { continue };
            let begun = clock.fetch_add(1, Ordering::SeqCst);
            let answer = answer::<S, A>(store, &call).await;
            let ended = clock.fetch_add(1, Ordering::SeqCst);
            self.look(&call, &answer);
            operations.push(Operation { task: self.number, call, answer, begun, ended });
            tokio::task::yield_now().await;
        }
        operations
    }

    fn fill_in(&self, step: Step) -> Option<Call> {
        Some(match step {
            Step::Append { streams, conditions } => {
                let mut streams = streams.into_iter().map(|(stream, expected, events)| {
                    let expected = match expected {
                        Expect::Is(expected) => expected,
                        Expect::Seen => ExpectedVersion::Exact(
                            self.seen.get(&stream).copied().unwrap_or_default(),
                        ),
                    };
                    (stream, expected, events)
                });
                let (stream, expected, events) = streams.next()?;
                let first = Commit::new(stream, expected, events).ok()?;
                let commit = streams.try_fold(first, |commit, (stream, expected, events)| {
                    commit.and(stream, expected, events).ok()
                })?;
                let conditions = conditions
                    .into_iter()
                    .map(|(query, after)| {
                        let after = match after {
                            After::Is(after) => after,
                            After::Seen => Some(self.head),
                        };
                        AppendCondition { query, after }
                    })
                    .collect();
                Call::Append(commit, conditions)
            }
            Step::ReadStream(stream, range) => Call::ReadStream(stream, range),
            Step::Read(query, range) => Call::Read(query, range),
            Step::Find(id) => Call::Find(id),
            Step::Head => Call::Head,
        })
    }

    /// Keeps what an answer says of streams and head.
    fn look(&mut self, call: &Call, answer: &Answer) {
        match (call, answer) {
            (Call::ReadStream(stream, _), Answer::Stream(_, version, _)) => {
                self.seen.insert(stream.clone(), *version);
            }
            (_, Answer::Conflict(stream, _, actual)) => {
                self.seen.insert(stream.clone(), *actual);
            }
            (Call::Append(commit, _), Answer::Appended(appended)) => {
                let versions = std::iter::once(&appended.version).chain(&appended.more_versions);
                for (to, version) in commit.streams().zip(versions) {
                    self.seen.insert(to.stream.clone(), *version);
                }
                self.head = appended.last_position;
            }
            (_, Answer::Events(_, head, _) | Answer::Head(head)) => self.head = *head,
            _ => {}
        }
    }
}

async fn answer<S: EventStore, A: Appending<S>>(store: &S, call: &Call) -> Answer {
    match call {
        Call::Append(commit, conditions) => A::append(store, commit, conditions).await.into(),
        Call::ReadStream(stream, range) => match store.read_stream(stream, *range).await {
            Ok(page) => {
                let events = page.events.iter().map(|recorded| recorded.to_event()).collect();
                Answer::Stream(events, page.version, page.next)
            }
            Err(error) => Answer::Failed(error.to_string()),
        },
        Call::Read(query, range) => match store.read(query, *range).await {
            Ok(page) => {
                let events = page.events.iter().map(|recorded| recorded.to_event()).collect();
                Answer::Events(events, page.head, page.more)
            }
            Err(error) => Answer::Failed(error.to_string()),
        },
        Call::Find(id) => match store.find(*id).await {
            Ok(found) => Answer::Found(found),
            Err(error) => Answer::Failed(error.to_string()),
        },
        Call::Head => match store.head().await {
            Ok(head) => Answer::Head(head),
            Err(error) => Answer::Failed(error.to_string()),
        },
    }
}

/// Finds out by the last call, which read everything, what became of appends whose answers were
/// lost: they took effect at some time after they began, or never.
fn settle(history: &mut Vec<Operation>) {
    let stored = match history.last().map(|last| &last.answer) {
        Some(Answer::Events(events, _, false)) => events.clone(),
        _ => return,
    };
    history.retain_mut(|operation| {
        let (Call::Append(commit, _), Answer::Unknown(_)) = (&operation.call, &operation.answer)
        else {
            return true;
        };
        let of = |id: EventId| stored.iter().find(|event| event.event_id == id);
        let Some(first) = of(commit.first().events[0].id) else { return false };
        let mut versions = commit.streams().map(|to| {
            let last = to.events.last().and_then(|event| of(event.id));
            last.map_or(Version::ZERO, |event| event.version)
        });
        operation.answer = Answer::Appended(Appended {
            first_position: first.position,
            last_position: first.position.plus(commit.event_count() as u64 - 1),
            version: versions.next().unwrap_or_default(),
            more_versions: versions.collect(),
            repeated: false,
        });
        operation.ended = u64::MAX;
        true
    });
}
