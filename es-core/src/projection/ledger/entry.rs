//! A batch on its way into the store.

use jiff::Timestamp;

use crate::projection::dead_letter::DeadLetter;
use crate::projection::feed::Fetched;
use crate::version::Position;

/// A batch on its way into the store.
pub(crate) struct Entry {
    /// How many of its events are applied.
    pub(crate) end: usize,
    token: Position,
    pub(super) last_recorded_at: Option<Timestamp>,
    /// Keys that park in it.
    pub(super) letters: Vec<DeadLetter>,
    /// The event before which the projection parks.
    pub(super) stop: Option<DeadLetter>,
}

impl Entry {
    pub(crate) fn new(fetched: &Fetched) -> Self {
        Self {
            end: fetched.batch.len(),
            token: fetched.token,
            last_recorded_at: fetched.last_recorded_at,
            letters: Vec::new(),
            stop: None,
        }
    }

    /// One event of a batch.
    pub(crate) fn of_one(fetched: &Fetched, index: usize) -> Self {
        let recorded = fetched.batch.records().nth(index);
        Self {
            end: index + 1,
            token: recorded.map_or(fetched.token, |recorded| recorded.position),
            last_recorded_at: recorded.map(|recorded| recorded.recorded_at),
            letters: Vec::new(),
            stop: None,
        }
    }

    /// Up to where everything is seen when it is stored.
    pub(crate) fn token(&self) -> Position {
        self.token
    }

    /// Whether something parks in it.
    pub(crate) fn parks(&self) -> bool {
        self.stop.is_some() || !self.letters.is_empty()
    }

    pub(super) fn position(&self) -> Position {
        match &self.stop {
            // Everything before the event is applied, and whatever lies between is not wanted.
            Some(stop) => Position::new(stop.position.get().saturating_sub(1)),
            None => self.token,
        }
    }
}
