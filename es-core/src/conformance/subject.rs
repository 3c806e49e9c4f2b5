//! A store under a check: calls it, and turns whatever a rule forbids into a breach.

use std::fmt::{Debug, Display};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::commit::{AppendCondition, Appended, Commit, NewEvent};
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::fixture::{Fixture, Reopen};
use crate::conformance::rule::{Contract, Rule};
use crate::identity::EventId;
use crate::query::Query;
use crate::recorded::{Page, RecordedEvent};
use crate::store::{
    AppendError, ConditionalAppend, Direction, EventStore, QueryPage, QueryRange, ReadError,
    StreamPage, StreamRange,
};
use crate::stream::StreamId;
use crate::version::{ExpectedVersion, Position, Version};

/// How long a store may take for what it must do at once, before a check gives it up.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A store, and the rule that it is held to.
pub(super) struct Subject<S> {
    pub(super) store: Arc<S>,
    rule: Rule,
}

impl<S> Clone for Subject<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), rule: self.rule }
    }
}

/// What had to be, and what was.
impl<S> Subject<S> {
    pub(super) fn new(store: S, rule: Rule) -> Self {
        Self { store: Arc::new(store), rule }
    }

    /// The store, to be closed.
    pub(super) fn into_parts(self) -> (S, Rule) {
        match Arc::into_inner(self.store) {
            Some(store) => (store, self.rule),
            None => unreachable!("a check closes a store after all its tasks have ended"),
        }
    }

    /// The same store, held to another rule of the same contract.
    pub(super) fn under(&self, number: u8) -> Self {
        let rule = Rule { number, ..self.rule };
        Self { store: Arc::clone(&self.store), rule }
    }

    /// The same store, held to a rule of the event store.
    pub(super) fn as_event_store(&self, number: u8) -> Self {
        let rule = Rule { contract: Contract::Log, number };
        Self { store: Arc::clone(&self.store), rule }
    }

    pub(super) fn breach(&self, expected: impl Display, found: impl Display) -> Breach {
        let (expected, found) = (expected.to_string(), found.to_string());
        Breach { rule: self.rule, expected, found }
    }

    pub(super) fn require(
        &self,
        holds: bool,
        expected: impl Display,
        found: impl Display,
    ) -> Verdict {
        if holds { Ok(()) } else { Err(self.breach(expected, found)) }
    }

    pub(super) fn same<T: PartialEq + Debug>(
        &self,
        what: impl Display,
        expected: T,
        found: T,
    ) -> Verdict {
        let holds = expected == found;
        self.require(holds, format_args!("{what} to be {expected:?}"), format_args!("{found:?}"))
    }

    /// Waits for what must come soon.
    pub(super) async fn soon<T>(
        &self,
        what: impl Display,
        future: impl Future<Output = T>,
    ) -> Result<T, Breach> {
        let answer = tokio::time::timeout(PATIENCE, future).await;
        answer.map_err(|_| self.breach(what, format_args!("nothing for {PATIENCE:?}")))
    }
}

/// A new store, held to a rule.
pub(super) async fn open<F: Fixture>(fixture: &F, rule: Rule) -> Subject<F::Store> {
    Subject::new(fixture.empty().await, rule)
}

/// The same store after it was closed and opened again.
pub(super) async fn again<F: Reopen>(fixture: &F, subject: Subject<F::Store>) -> Subject<F::Store> {
    let (store, rule) = subject.into_parts();
    Subject::new(fixture.reopen(store).await, rule)
}

/// Runs tasks on threads of the runtime, all at once, and waits for all.
pub(super) async fn together<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = Result<T, Breach>> + Send + 'static>,
) -> Result<Vec<T>, Breach> {
    let handles: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut results = Vec::with_capacity(handles.len());
    for handle in handles {
        results.push(joined(handle.await));
    }
    results.into_iter().collect()
}

/// What a task answered. A panic of the store goes on here.
pub(super) fn joined<T>(outcome: Result<T, tokio::task::JoinError>) -> T {
    match outcome {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unreachable!("no task of a check is cancelled"),
        },
    }
}

/// Polls a future once, as somebody does who then drops it.
pub(super) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Appending.
impl<S: EventStore> Subject<S> {
    /// Appends a commit that must be accepted as new.
    pub(super) async fn append(&self, commit: &Commit) -> Result<Appended, Breach> {
        let appended = self.accepted(commit, self.store.append(commit).await)?;
        self.require(
            !appended.repeated,
            format_args!("{} to be stored as new", describe(commit)),
            "an answer that says `repeated`",
        )?;
        Ok(appended)
    }

    /// Appends a commit again; it must be answered as `first`.
    pub(super) async fn repeat(&self, commit: &Commit, first: &Appended) -> Verdict {
        let appended = self.accepted(commit, self.store.append(commit).await)?;
        let expected = Appended { repeated: true, ..first.clone() };
        self.same(format_args!("the answer to {} again", describe(commit)), expected, appended)
    }

    pub(super) fn accepted(
        &self,
        commit: &Commit,
        answer: Result<Appended, AppendError>,
    ) -> Result<Appended, Breach> {
        answer.map_err(|error| {
            self.breach(format_args!("{} to be accepted", describe(commit)), shown(&error))
        })
    }

    /// Appends a commit that must be refused because `stream` is at `actual`.
    pub(super) async fn conflicts(
        &self,
        commit: &Commit,
        stream: &StreamId,
        expected: ExpectedVersion,
        actual: Version,
    ) -> Verdict {
        self.is_conflict(commit, self.store.append(commit).await, stream, expected, actual)
    }

    pub(super) fn is_conflict(
        &self,
        commit: &Commit,
        answer: Result<Appended, AppendError>,
        stream: &StreamId,
        expected: ExpectedVersion,
        actual: Version,
    ) -> Verdict {
        let wanted = format!(
            "{} to be refused with `AppendError::Conflict`: `{stream}` is at version {actual}, not at {expected}",
            describe(commit)
        );
        match answer {
            Err(AppendError::Conflict(conflict)) => {
                let found = (conflict.stream, conflict.expected, conflict.actual);
                let right = found == (stream.clone(), expected, actual);
                self.require(right, wanted, format_args!("a conflict with {found:?}"))
            }
            Err(other) => Err(self.breach(wanted, shown(&other))),
            Ok(appended) => Err(self.breach(wanted, format_args!("it is stored: {appended:?}"))),
        }
    }

    /// Appends a commit that must be refused because `event_id` is another event.
    pub(super) async fn is_reuse(
        &self,
        commit: &Commit,
        answer: Result<Appended, AppendError>,
        possible: &[(EventId, Position)],
    ) -> Verdict {
        let wanted = format!(
            "{} to be refused with `AppendError::EventIdReused` of one of {possible:?}",
            describe(commit)
        );
        match answer {
            Err(AppendError::EventIdReused { event_id, position }) => {
                let found = (event_id, position);
                self.require(possible.contains(&found), wanted, format_args!("that of {found:?}"))
            }
            Err(other) => Err(self.breach(wanted, shown(&other))),
            Ok(appended) => Err(self.breach(wanted, format_args!("an answer {appended:?}"))),
        }
    }
}

/// Reading.
impl<S: EventStore> Subject<S> {
    pub(super) fn read<T>(&self, what: &str, answer: Result<T, ReadError>) -> Result<T, Breach> {
        answer.map_err(|error| self.breach(format_args!("{what} to be answered"), error))
    }

    pub(super) async fn head(&self) -> Result<Position, Breach> {
        self.read("`head`", self.store.head().await)
    }

    pub(super) async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, Breach> {
        self.read("`find`", self.store.find(id).await)
    }

    pub(super) async fn stream_page(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, Breach> {
        let answer = self.store.read_stream(stream, range).await;
        let page = self.read("`read_stream`", answer)?;
        self.as_event_store(8).is_page(&page.events, range.limit, page.next.is_some())?;
        Ok(page)
    }

    pub(super) async fn page(&self, query: &Query, range: QueryRange) -> Result<QueryPage, Breach> {
        let page = self.read("`read`", self.store.read(query, range).await)?;
        self.as_event_store(8).is_page(&page.events, range.limit, page.more)?;
        Ok(page)
    }

    fn is_page(&self, events: &Page, limit: usize, more: bool) -> Verdict {
        let found = events.len();
        self.require(
            found <= limit,
            format_args!("a page of at most {limit} events"),
            format_args!("{found} events"),
        )?;
        self.require(
            limit == 0 || !events.is_empty() || !more,
            "a page that says that there is more to hold at least one event",
            "an empty page that says that there is more",
        )
    }

    /// All events of a stream, page by page.
    pub(super) async fn stream(&self, stream: &StreamId) -> Result<Vec<RecordedEvent>, Breach> {
        let mut range = StreamRange::all();
        let mut events = Vec::new();
        loop {
            let page = self.stream_page(stream, range).await?;
            events.extend(page.events.iter().map(|recorded| recorded.to_event()));
            match page.next {
                Some(next) => {
                    let expected = range.from.plus(page.events.len() as u64);
                    self.as_event_store(8).same("the version to go on with", expected, next)?;
                    range = range.continued(next);
                }
                None => return Ok(events),
            }
        }
    }

    /// All events that match a query, page by page.
    pub(super) async fn events(&self, query: &Query) -> Result<Vec<RecordedEvent>, Breach> {
        self.events_after(query, Position::ZERO).await
    }

    pub(super) async fn events_after(
        &self,
        query: &Query,
        after: Position,
    ) -> Result<Vec<RecordedEvent>, Breach> {
        let mut range = QueryRange::after(after);
        let mut events: Vec<RecordedEvent> = Vec::new();
        loop {
            let page = self.page(query, range).await?;
            for recorded in page.events.iter() {
                let last = events.last().map_or(after, |last| last.position);
                self.as_event_store(10).require(
                    recorded.position > last,
                    format_args!("an event above position {last}"),
                    format_args!("one at position {}", recorded.position),
                )?;
                events.push(recorded.to_event());
            }
            if !page.more {
                return Ok(events);
            }
            range.after = page.token(&range);
        }
    }

    /// Everything there is.
    pub(super) async fn everything(&self) -> Result<Vec<RecordedEvent>, Breach> {
        self.events(&Query::all()).await
    }

    /// Checks that a stream holds these events and no others, in this order.
    pub(super) async fn holds(&self, stream: &StreamId, events: &[NewEvent]) -> Verdict {
        let expected: Vec<_> = events.iter().map(|event| event.id).collect();
        let stored = self.stream(stream).await?;
        let found: Vec<_> = stored.iter().map(|event| event.event_id).collect();
        self.same(format_args!("the events of `{stream}`"), expected, found)
    }
}

/// Conditions.
impl<S: ConditionalAppend> Subject<S> {
    /// Appends a commit whose conditions hold.
    pub(super) async fn append_if(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, Breach> {
        let answer = self.store.append_if(commit, conditions).await;
        let appended = answer.map_err(|error| {
            self.breach(
                format_args!("{} to be accepted under {conditions:?}", describe(commit)),
                shown(&error),
            )
        })?;
        self.require(
            !appended.repeated,
            format_args!("{} to be stored as new", describe(commit)),
            "an answer that says `repeated`",
        )?;
        Ok(appended)
    }

    /// Appends a commit that must be refused by the condition `index`, because of the event at
    /// `position`.
    pub(super) async fn fails(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
        index: usize,
        position: Position,
    ) -> Verdict {
        let wanted = format!(
            "{} to be refused with `AppendError::Condition`: the event at position {position} matches condition {index} of {conditions:?}",
            describe(commit)
        );
        match self.store.append_if(commit, conditions).await {
            Err(AppendError::Condition(failed)) => {
                let found = (failed.index, failed.position, Some(&failed.condition));
                let right = found == (index, position, conditions.get(index));
                self.require(right, wanted, format_args!("a refusal with {failed:?}"))
            }
            Err(other) => Err(self.breach(wanted, shown(&other))),
            Ok(appended) => Err(self.breach(wanted, format_args!("it is stored: {appended:?}"))),
        }
    }
}

/// The whole range of a read in one direction.
pub(super) fn backward(range: QueryRange) -> QueryRange {
    QueryRange { direction: Direction::Backward, ..range }
}

/// A commit in a few words.
pub(super) fn describe(commit: &Commit) -> String {
    let streams: Vec<_> = commit
        .streams()
        .map(|to| format!("{} to `{}` at {}", to.events.len(), to.stream, to.expected))
        .collect();
    format!("a commit of {}", streams.join(" and "))
}

/// An error with its kind, which a user matches on.
pub(super) fn shown(error: &AppendError) -> String {
    format!("{error} ({error:?})")
}
