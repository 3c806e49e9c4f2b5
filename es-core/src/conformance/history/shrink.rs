//! Makes a history that no order explains small.

use std::collections::HashSet;

use crate::conformance::history::linearize::{Outcome, linearize};
use crate::conformance::history::program::Program;
use crate::conformance::history::{Answer, Call, Operation};
use crate::identity::EventId;

/// The programs that are a little smaller than one: without a task, or without some steps of one.
pub(in crate::conformance) fn smaller(program: &Program) -> Vec<Program> {
    let mut smaller = Vec::new();
    let without = |task: usize, from: usize, to: usize| {
        let mut program = program.clone();
        program.tasks[task].drain(from..to);
        program
    };
    for (task, steps) in program.tasks.iter().enumerate() {
        if program.tasks.len() > 1 {
            let mut program = program.clone();
            program.tasks.remove(task);
            smaller.push(program);
        }
        let mut size = steps.len() / 2;
        while size > 0 {
            let starts = (0..=steps.len() - size).step_by(size);
            smaller.extend(starts.map(|start| without(task, start, start + size)));
            size /= 2;
        }
    }
    smaller
}

/// Leaves out calls one by one while what is left is still impossible.
///
/// A call may only be left out when no other call knows of it: else the rest would be impossible
/// because of what is missing. So what is left is impossible by itself.
pub(in crate::conformance) fn shrink(mut history: Vec<Operation>) -> Vec<Operation> {
    let mut index = history.len();
    let mut changed = false;
    while index > 0 {
        index -= 1;
        let mut rest = history.clone();
        rest.remove(index);
        if is_closed(&rest, &history) && matches!(linearize(&rest), Outcome::Impossible { .. }) {
            history = rest;
            changed = true;
        }
        if index == 0 && changed {
            index = history.len();
            changed = false;
        }
    }
    history
}

/// Whether all events that the calls know of were stored by some of them, if any call of the whole
/// history has stored them.
fn is_closed(rest: &[Operation], whole: &[Operation]) -> bool {
    let stored = |history: &[Operation]| -> HashSet<EventId> {
        let commits = history.iter().filter_map(|operation| Some(operation.stored()?.0));
        commits
            .flat_map(|commit| commit.streams())
            .flat_map(|to| &to.events)
            .map(|e| e.id)
            .collect()
    };
    let (of_rest, of_whole) = (stored(rest), stored(whole));
    let gone: HashSet<_> = of_whole.difference(&of_rest).copied().collect();
    gone.is_empty() || !rest.iter().any(|operation| knows_of(operation, &gone, whole))
}

/// Whether an answer depends on one of these events.
fn knows_of(operation: &Operation, gone: &HashSet<EventId>, whole: &[Operation]) -> bool {
    let has = |id: &EventId| gone.contains(id);
    // Those events that are gone, with stream, version and position as they were answered.
    let mut places = whole.iter().filter_map(Operation::stored).flat_map(|(commit, appended)| {
        let versions = std::iter::once(&appended.version).chain(&appended.more_versions);
        let mut position = appended.first_position;
        commit.streams().zip(versions).flat_map(move |(to, version)| {
            let first = version.get().saturating_sub(to.events.len() as u64);
            let events = to.events.iter().zip(first + 1..).map(move |(event, version)| {
                let place = (event.id, &to.stream, version, position);
                position = position.next();
                place
            });
            events.collect::<Vec<_>>()
        })
    });
    match (&operation.call, &operation.answer) {
        (Call::Append(commit, _), answer) => {
            if commit.streams().flat_map(|to| &to.events).any(|event| has(&event.id)) {
                return true;
            }
            match answer {
                Answer::Appended(appended) => {
                    let versions =
                        std::iter::once(&appended.version).chain(&appended.more_versions);
                    let reached: Vec<_> =
                        commit.streams().map(|to| &to.stream).zip(versions).collect();
                    places.any(|(id, stream, version, _)| {
                        has(&id)
                            && reached.iter().any(|(of, at)| **of == *stream && version <= at.get())
                    })
                }
                Answer::Conflict(of, _, actual) => places.any(|(id, stream, version, _)| {
                    has(&id) && stream == of && version <= actual.get()
                }),
                Answer::Condition(_, at) => {
                    places.any(|(id, .., position)| has(&id) && position == *at)
                }
                Answer::Reused(id, _) => has(id),
                _ => false,
            }
        }
        (Call::ReadStream(of, _), Answer::Stream(events, version, _)) => {
            events.iter().any(|event| has(&event.event_id))
                || places.any(|(id, stream, at, _)| has(&id) && stream == of && at <= version.get())
        }
        (_, Answer::Events(events, head, more)) => {
            *more
                || events.iter().any(|event| has(&event.event_id))
                || places.any(|(id, .., position)| has(&id) && position == *head)
        }
        (_, Answer::Head(head)) => places.any(|(id, .., position)| has(&id) && position == *head),
        (_, Answer::Found(Some(event))) => has(&event.event_id),
        _ => false,
    }
}
