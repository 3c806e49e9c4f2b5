//! Whether some order of the calls of a history explains all its answers.
//!
//! The search of Wing and Gong, with Lowe's memory of what was tried: any call that no other call
//! has ended before may come next; whoever leads to a dead end is taken back. What a store holds
//! depends only on which calls were done, because positions give the order of what was stored. So a
//! set of calls that was tried once need not be tried again.

use std::collections::HashSet;

use crate::conformance::history::model::Model;
use crate::conformance::history::{Listed, Operation};
use crate::version::Position;

/// The most calls of a history: sets of them are the bits of a number.
pub(in crate::conformance) const MAX_OPERATIONS: usize = 128;

/// The most sets of calls that are tried.
const MAX_TRIED: usize = 2_000_000;

/// What the search found.
#[derive(Debug)]
pub(in crate::conformance) enum Outcome {
    /// An order that explains all answers, as indexes of the calls.
    Explained(#[cfg_attr(not(test), expect(dead_code, reason = "looked at by tests"))] Vec<usize>),
    /// There is none. The longest beginning of one, and why no other call can follow it.
    Impossible { order: Vec<usize>, reasons: Vec<(usize, String)> },
    /// The history is too large to tell.
    TooLarge,
}

/// Looks for an order of the calls that respects real time and explains all answers.
pub(in crate::conformance) fn linearize(history: &[Operation]) -> Outcome {
    if history.len() > MAX_OPERATIONS {
        return Outcome::TooLarge;
    }
    let mut search = Search {
        history,
        model: Model::default(),
        done: 0,
        order: Vec::new(),
        tried: HashSet::new(),
        longest: Vec::new(),
        reasons: Vec::new(),
    };
    match search.go_on() {
        Some(true) => Outcome::Explained(search.order),
        Some(false) => Outcome::Impossible { order: search.longest, reasons: search.reasons },
        None => Outcome::TooLarge,
    }
}

struct Search<'a> {
    history: &'a [Operation],
    model: Model,
    /// The calls that are done, one bit each.
    done: u128,
    order: Vec<usize>,
    tried: HashSet<u128>,
    longest: Vec<usize>,
    reasons: Vec<(usize, String)>,
}

impl Search<'_> {
    /// Does the rest of the calls; whether it could, or `None` when it takes too long.
    fn go_on(&mut self) -> Option<bool> {
        if self.order.len() == self.history.len() {
            return Some(true);
        }
        if self.tried.len() >= MAX_TRIED {
            return None;
        }
        if !self.tried.insert(self.done) {
            return Some(false);
        }
        let mut reasons = Vec::new();
        for index in self.next() {
            let len = self.model.len();
            match self.model.accept(&self.history[index]) {
                Ok(()) => {
                    self.done |= 1 << index;
                    self.order.push(index);
                    if self.go_on()? {
                        return Some(true);
                    }
                    self.order.pop();
                    self.done &= !(1 << index);
                    self.model.undo(len);
                }
                Err(reason) => reasons.push((index, reason)),
            }
        }
        if self.reasons.is_empty() || self.order.len() > self.longest.len() {
            self.longest.clone_from(&self.order);
            self.reasons = reasons;
        }
        Some(false)
    }

    /// The calls that may come next: those that began before any that is left has ended. Of what was
    /// stored only the lowest position may.
    fn next(&self) -> Vec<usize> {
        let left = (0..self.history.len()).filter(|index| self.done & (1 << index) == 0);
        let ended = left.clone().map(|index| self.history[index].ended).min().unwrap_or(u64::MAX);
        let lowest = left.clone().filter_map(|index| self.position(index)).min();
        let may = left.filter(|index| {
            self.history[*index].begun < ended
                && self.position(*index).is_none_or(|position| Some(position) == lowest)
        });
        may.collect()
    }

    fn position(&self, index: usize) -> Option<Position> {
        self.history[index].stored().map(|(_, appended)| appended.first_position)
    }
}

/// Tells why a history is impossible, with the history.
pub(in crate::conformance) fn explain(
    history: &[Operation],
    order: &[usize],
    reasons: &[(usize, String)],
) -> String {
    let mut text = format!("calls that no order explains:{}", Listed(history));
    let order: Vec<_> = order.iter().map(|index| format!("#{index}")).collect();
    if order.is_empty() {
        text.push_str("\n  None of them can come first:");
    } else {
        text.push_str(&format!("\n  {} may come first, and then", order.join(" ")));
    }
    for (index, reason) in reasons {
        text.push_str(&format!("\n  not #{index}: {reason}"));
    }
    if reasons.is_empty() {
        text.push_str(
            "\n  no other: the lowest position that is left is of a call that began later",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::conformance::history::program::{Program, simulate};
    use crate::conformance::history::shrink::shrink;
    use crate::conformance::history::{Answer, Call};
    use crate::conformance::sample::{commit, events, exact, stream};
    use crate::query::Query;
    use crate::store::QueryRange;
    use crate::version::Version;
    use crate::{Appended, Commit};

    fn is_impossible(history: &[Operation]) -> bool {
        matches!(linearize(history), Outcome::Impossible { .. })
    }

    /// One call after another, without overlap.
    fn in_turn(mut history: Vec<Operation>) -> Vec<Operation> {
        // Calls take effect when they end, as `simulate` leaves those of one task.
        for (index, operation) in (0..).zip(&mut history) {
            (operation.begun, operation.ended) = (index * 2, index * 2 + 1);
        }
        history
    }

    /// Makes an answer wrong, in one of several ways; whether it could.
    fn spoil(answer: &mut Answer, way: u8) -> bool {
        match answer {
            Answer::Head(head) => *head = head.next(),
            Answer::Appended(appended) => match way % 4 {
                0 => appended.version = appended.version.next(),
                1 => appended.last_position = appended.last_position.next(),
                2 => appended.repeated = !appended.repeated,
                _ => appended.more_versions.push(Version::new(1)),
            },
            Answer::Conflict(.., actual) => *actual = actual.next(),
            Answer::Condition(index, position) => {
                if way.is_multiple_of(2) {
                    *index += 1
                } else {
                    *position = position.next()
                }
            }
            Answer::Reused(_, position) => *position = position.plus(1000),
            Answer::Stream(events, version, _) => match way % 3 {
                0 => *version = version.next(),
                1 if events.len() > 1 => events.swap(0, 1),
                _ => return events.pop().is_some(),
            },
            Answer::Events(events, head, more) => match way % 4 {
                0 => *head = head.next(),
                1 => *more = !*more,
                2 if events.len() > 1 => events.swap(0, 1),
                // A page that says that there is more may be shorter.
                _ => return !*more && events.pop().is_some(),
            },
            Answer::Found(found) => return found.take().is_some(),
            Answer::Refused(_) | Answer::Unknown(_) | Answer::Failed(_) => return false,
        }
        true
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn calls_that_took_effect_one_after_another_are_explained_however_they_overlap(
            seed: u64, interleaving: u64, tasks in 1usize..6, conditions: bool,
        ) {
            let history = simulate(Program::of(seed, tasks, 8, conditions), interleaving);
            match linearize(&history) {
                Outcome::Explained(order) => {
                    // The order is one of all calls, and respects real time.
                    let mut sorted = order.clone();
                    sorted.sort_unstable();
                    prop_assert_eq!(sorted, (0..history.len()).collect::<Vec<_>>());
                    for (place, later) in order.iter().enumerate() {
                        for earlier in &order[..place] {
                            prop_assert!(history[*later].ended > history[*earlier].begun);
                        }
                    }
                }
                Outcome::Impossible { order, reasons } => {
                    prop_assert!(false, "{}", explain(&history, &order, &reasons));
                }
                Outcome::TooLarge => prop_assert!(false, "too large"),
            }
        }

        #[test]
        fn one_wrong_answer_among_calls_in_turn_is_found_and_what_is_left_of_it_is_small(
            seed: u64, interleaving: u64, conditions: bool, place: usize, way: u8,
        ) {
            let one_task = simulate(Program::of(seed, 1, 16, conditions), interleaving);
            let mut history = in_turn(one_task);
            prop_assert!(matches!(linearize(&history), Outcome::Explained(_)));
            let place = place % history.len();
            if spoil(&mut history[place].answer, way) {
                prop_assert!(is_impossible(&history));
                let length = history.len();
                let small = shrink(history);
                prop_assert!(is_impossible(&small));
                prop_assert!(small.len() <= length);
            }
        }
    }

    fn operation(task: usize, begun: u64, ended: u64, call: Call, answer: Answer) -> Operation {
        Operation { task, call, answer, begun, ended }
    }

    fn append(commit: &Commit, position: u64, version: u64) -> (Call, Answer) {
        let appended = Appended {
            first_position: Position::new(position),
            last_position: Position::new(position),
            version: Version::new(version),
            more_versions: Vec::new(),
            repeated: false,
        };
        (Call::Append(commit.clone(), Vec::new()), Answer::Appended(appended))
    }

    #[test]
    fn two_who_win_one_version_are_found_and_one_who_loses_it_is_explained() {
        let (one, two) = (commit("a", exact(0), events(1)), commit("a", exact(0), events(1)));
        let (call, answer) = append(&one, 1, 1);
        let first = operation(0, 0, 3, call, answer);
        let (call, answer) = append(&two, 2, 1);
        assert!(is_impossible(&[first.clone(), operation(1, 1, 2, call, answer)]));
        let conflict = Answer::Conflict(stream("a"), exact(0), Version::new(1));
        let lost = operation(1, 1, 2, Call::Append(two, Vec::new()), conflict);
        // The loser has ended first, but the winner had begun.
        assert!(matches!(linearize(&[first.clone(), lost.clone()]), Outcome::Explained(_)));
        // Before the winner began nobody can lose to it.
        let late = Operation { begun: 5, ended: 6, ..first };
        assert!(is_impossible(&[lost, late]));
    }

    #[test]
    fn a_head_may_be_old_while_the_append_runs_and_not_after_its_answer() {
        let one = commit("a", exact(0), events(1));
        let (call, answer) = append(&one, 1, 1);
        let appended = operation(0, 0, 4, call, answer);
        let old =
            |begun, ended| operation(1, begun, ended, Call::Head, Answer::Head(Position::ZERO));
        assert!(matches!(linearize(&[appended.clone(), old(1, 2)]), Outcome::Explained(_)));
        assert!(matches!(linearize(&[appended.clone(), old(3, 9)]), Outcome::Explained(_)));
        assert!(is_impossible(&[appended.clone(), old(5, 6)]));
        // Who has seen the new head does not see the old one again.
        let new = operation(1, 1, 2, Call::Head, Answer::Head(Position::new(1)));
        assert!(is_impossible(&[appended, new, old(3, 9)]));
    }

    #[test]
    fn a_position_that_appears_late_is_found_and_shrunk_to_the_calls_that_show_it() {
        let commits: Vec<_> = (0..4).map(|id| commit(id, exact(0), events(1))).collect();
        let mut history: Vec<_> = [1, 3, 2, 4]
            .into_iter()
            .zip(&commits)
            .enumerate()
            .map(|(index, (position, commit))| {
                let (call, answer) = append(commit, position, 1);
                let begun = index as u64 * 10;
                operation(index, begun, begun + 5, call, answer)
            })
            .collect();
        history.push(operation(5, 50, 55, Call::Head, Answer::Head(Position::new(4))));
        assert!(is_impossible(&history));
        let positions: Vec<_> = shrink(history)
            .iter()
            .map(|operation| operation.stored().unwrap().1.first_position.get())
            .collect();
        assert_eq!(positions, [3, 2]);
    }

    #[test]
    fn a_read_that_misses_an_event_below_its_head_is_found_and_explained_in_words() {
        let (one, two) = (commit("a", exact(0), events(1)), commit("b", exact(0), events(1)));
        let (call, answer) = append(&one, 1, 1);
        let first = operation(0, 0, 1, call, answer);
        let (call, answer) = append(&two, 2, 1);
        let second = operation(0, 2, 3, call, answer);
        let read = Call::Read(Query::all(), QueryRange::all());
        let missing = Answer::Events(Vec::new(), Position::new(2), false);
        let history = [first, second, operation(1, 4, 5, read, missing)];
        let Outcome::Impossible { order, reasons } = linearize(&history) else {
            panic!("it is explained");
        };
        let text = explain(&history, &order, &reasons);
        assert!(text.contains("#0 task 0, from 0 to 1: append"), "{text}");
        assert!(text.contains("#0 #1 may come first, and then"), "{text}");
        assert!(text.contains("not #2: the page begins with the events at"), "{text}");
    }
}
