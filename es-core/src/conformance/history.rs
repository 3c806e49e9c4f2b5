//! Histories: what was called and answered, and when.

pub(super) mod linearize;
pub(super) mod model;
pub(super) mod program;
pub(super) mod shrink;

use std::fmt;

use crate::commit::{AppendCondition, Appended, Commit};
use crate::conformance::subject::describe;
use crate::identity::EventId;
use crate::query::Query;
use crate::recorded::RecordedEvent;
use crate::store::{AppendError, Direction, QueryRange, StreamRange};
use crate::stream::StreamId;
use crate::version::{ExpectedVersion, Position, Version};

/// One call with its answer.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    /// Whose call it was. The calls of one task never overlap.
    pub(super) task: usize,
    pub(super) call: Call,
    pub(super) answer: Answer,
    /// When it was made, and when it was answered, on one clock of the whole history.
    pub(super) begun: u64,
    pub(super) ended: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Call {
    Append(Commit, Vec<AppendCondition>),
    ReadStream(StreamId, StreamRange),
    Read(Query, QueryRange),
    Find(EventId),
    Head,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Answer {
    Appended(Appended),
    Conflict(StreamId, ExpectedVersion, Version),
    Condition(usize, Position),
    Reused(EventId, Position),
    /// Nothing was stored.
    Refused(String),
    /// It was stored or not.
    Unknown(String),
    Stream(Vec<RecordedEvent>, Version, Option<Version>),
    Events(Vec<RecordedEvent>, Position, bool),
    Found(Option<RecordedEvent>),
    Head(Position),
    /// A read that failed.
    Failed(String),
}

impl From<Result<Appended, AppendError>> for Answer {
    fn from(answer: Result<Appended, AppendError>) -> Self {
        match answer {
            Ok(appended) => Self::Appended(appended),
            Err(AppendError::Conflict(conflict)) => {
                Self::Conflict(conflict.stream, conflict.expected, conflict.actual)
            }
            Err(AppendError::Condition(failed)) => Self::Condition(failed.index, failed.position),
            Err(AppendError::EventIdReused { event_id, position }) => {
                Self::Reused(event_id, position)
            }
            Err(AppendError::OutcomeUnknown(failure)) => Self::Unknown(failure.to_string()),
            Err(refused) => Self::Refused(refused.to_string()),
        }
    }
}

impl Operation {
    /// The new events that the call stored, with their positions.
    pub(super) fn stored(&self) -> Option<(&Commit, &Appended)> {
        match (&self.call, &self.answer) {
            (Call::Append(commit, _), Answer::Appended(appended)) if !appended.repeated => {
                Some((commit, appended))
            }
            _ => None,
        }
    }
}

/// A history as a list of calls in the order in which they began.
pub(super) struct Listed<'a>(pub(super) &'a [Operation]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Names::of(self.0);
        for (index, operation) in self.0.iter().enumerate() {
            let Operation { task, begun, ended, .. } = operation;
            write!(formatter, "\n  #{index} task {task}, from {begun} to {ended}: ")?;
            names.write(formatter, operation)?;
        }
        Ok(())
    }
}

/// Short names of event ids: `e1` and so on, in the order in which they appear.
struct Names(Vec<EventId>);

impl Names {
    fn of(operations: &[Operation]) -> Self {
        let mut names = Self(Vec::new());
        for operation in operations {
            match &operation.call {
                Call::Append(commit, _) => {
                    commit.streams().flat_map(|to| &to.events).for_each(|e| names.add(e.id));
                }
                Call::Find(id) => names.add(*id),
                _ => {}
            }
            match &operation.answer {
                Answer::Stream(events, ..) | Answer::Events(events, ..) => {
                    events.iter().for_each(|event| names.add(event.event_id));
                }
                _ => {}
            }
        }
        names
    }

    fn add(&mut self, id: EventId) {
        if !self.0.contains(&id) {
            self.0.push(id);
        }
    }

    fn name(&self, id: EventId) -> String {
        match self.0.iter().position(|other| *other == id) {
            Some(index) => format!("e{}", index + 1),
            None => id.to_string(),
        }
    }

    fn events(&self, events: &[RecordedEvent]) -> String {
        let shown = |event: &RecordedEvent| {
            let RecordedEvent { stream, version, position, .. } = event;
            format!("{} at {position} ({stream} v{version})", self.name(event.event_id))
        };
        format!("[{}]", events.iter().map(shown).collect::<Vec<_>>().join(", "))
    }

    fn write(&self, formatter: &mut fmt::Formatter<'_>, operation: &Operation) -> fmt::Result {
        match &operation.call {
            Call::Append(commit, conditions) => {
                let ids: Vec<_> = commit
                    .streams()
                    .flat_map(|to| &to.events)
                    .map(|event| {
                        let tags = event.tags.as_slice();
                        let tags =
                            if tags.is_empty() { String::new() } else { format!(" {tags:?}") };
                        format!("{} `{}`{tags}", self.name(event.id), event.name)
                    })
                    .collect();
                write!(formatter, "append {}: {}", describe(commit), ids.join(", "))?;
                for condition in conditions {
                    let after = condition.after.map_or("ever".to_owned(), |p| format!("after {p}"));
                    write!(formatter, ", unless {:?} {after}", condition.query)?;
                }
            }
            Call::ReadStream(stream, range) => {
                let StreamRange { from, to, direction, limit } = range;
                let direction = shown_direction(*direction);
                write!(formatter, "read `{stream}`{direction} from {from} to {to}, limit {limit}")?;
            }
            Call::Read(query, range) => {
                let QueryRange { after, up_to, direction, limit } = range;
                let direction = shown_direction(*direction);
                write!(
                    formatter,
                    "read {query:?}{direction} after {after} up to {up_to}, limit {limit}"
                )?;
            }
            Call::Find(id) => write!(formatter, "find {}", self.name(*id))?,
            Call::Head => write!(formatter, "head")?,
        }
        formatter.write_str(" -> ")?;
        match &operation.answer {
            Answer::Appended(appended) => {
                let Appended { first_position, last_position, version, more_versions, repeated } =
                    appended;
                write!(
                    formatter,
                    "positions {first_position} to {last_position}, version {version}"
                )?;
                if !more_versions.is_empty() {
                    write!(formatter, " and {more_versions:?}")?;
                }
                if *repeated { formatter.write_str(", repeated") } else { Ok(()) }
            }
            Answer::Conflict(stream, expected, actual) => {
                write!(formatter, "conflict: `{stream}` is at version {actual}, not at {expected}")
            }
            Answer::Condition(index, position) => {
                write!(formatter, "condition {index} fails because of position {position}")
            }
            Answer::Reused(id, position) => {
                write!(formatter, "{} is stored at position {position}", self.name(*id))
            }
            Answer::Refused(why) => write!(formatter, "refused: {why}"),
            Answer::Unknown(why) => write!(formatter, "unknown: {why}"),
            Answer::Failed(why) => write!(formatter, "failed: {why}"),
            Answer::Stream(events, version, next) => {
                write!(formatter, "{}, version {version}", self.events(events))?;
                next.map_or(Ok(()), |next| write!(formatter, ", next {next}"))
            }
            Answer::Events(events, head, more) => {
                write!(formatter, "{}, head {head}", self.events(events))?;
                if *more { formatter.write_str(", and more") } else { Ok(()) }
            }
            Answer::Found(None) => formatter.write_str("nothing"),
            Answer::Found(Some(event)) => {
                formatter.write_str(&self.events(std::slice::from_ref(event)))
            }
            Answer::Head(position) => write!(formatter, "{position}"),
        }
    }
}

fn shown_direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "",
        Direction::Backward => " backward",
    }
}
