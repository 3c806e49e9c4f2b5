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
