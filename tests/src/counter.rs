//! A counter that can be raised, and lowered to zero: the smallest domain with a rule.

use std::collections::BTreeMap;

use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[event(name = "counter.raised")]
pub struct Raised {
    pub by: u64,
}

#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[event(name = "counter.lowered")]
pub struct Lowered {
    pub by: u64,
}

#[derive(Aggregate, Default, Debug, Clone, PartialEq)]
#[aggregate(name = "counter", id = u64, events(Raised, Lowered))]
pub struct Counter {
    pub value: u64,
}

impl Apply<Raised> for Counter {
    fn apply(&mut self, event: &Raised) {
        self.value += event.by;
    }
}

impl Apply<Lowered> for Counter {
    fn apply(&mut self, event: &Lowered) {
        self.value -= event.by;
    }
}

/// Makes a counter; refused when it exists.
#[derive(Command, Debug, Clone)]
#[command(aggregate = Counter, creates)]
pub struct Create {
    #[command(id)]
    pub counter: u64,
}

/// Raises a counter; raising it by nothing changes nothing.
#[derive(Command, Debug, Clone)]
#[command(aggregate = Counter)]
pub struct Raise {
    #[command(id)]
    pub counter: u64,
    pub by: u64,
}

/// Lowers a counter, one event for each unit.
#[derive(Command, Debug, Clone)]
#[command(aggregate = Counter)]
pub struct LowerByOnes {
    #[command(id)]
    pub counter: u64,
    pub by: u64,
}

/// A command whose handler panics.
#[derive(Command, Debug, Clone)]
#[command(aggregate = Counter)]
pub struct Explode {
    #[command(id)]
    pub counter: u64,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CounterError {
    #[error("the counter stands at {0}, which is too low")]
    TooLow(u64),
    #[error("the counter can not count so far")]
    TooHigh,
}

impl Handle<Create> for Counter {
    type Error = CounterError;

    fn handle(&self, _: &Create, _: &Context) -> Result<impl IntoEvents<Self>, CounterError> {
        Ok(Raised { by: 0 })
    }
}

impl Handle<Raise> for Counter {
    type Error = CounterError;

    fn handle(&self, command: &Raise, _: &Context) -> Result<impl IntoEvents<Self>, CounterError> {
        self.value.checked_add(command.by).ok_or(CounterError::TooHigh)?;
        Ok((command.by > 0).then_some(Raised { by: command.by }))
    }
}

impl Handle<LowerByOnes> for Counter {
    type Error = CounterError;

    fn handle(
        &self,
        command: &LowerByOnes,
        _: &Context,
    ) -> Result<impl IntoEvents<Self>, CounterError> {
        if self.value < command.by {
            return Err(CounterError::TooLow(self.value));
        }
        Ok((0..command.by).map(|_| Lowered { by: 1 }).collect::<Vec<_>>())
    }
}

impl Handle<Explode> for Counter {
    type Error = CounterError;

    #[expect(unreachable_code, clippy::panic, reason = "that is the point")]
    fn handle(&self, _: &Explode, _: &Context) -> Result<impl IntoEvents<Self>, CounterError> {
        panic!("boom");
        Ok(())
    }
}

/// The sum of every counter, and how many events made it.
#[derive(Projection, Default, Debug, PartialEq)]
#[projection(name = "sums", events(Raised, Lowered))]
pub struct Sums {
    pub by_counter: BTreeMap<u64, u64>,
    pub events: u64,
}

impl Project<Raised> for Sums {
    fn project(&mut self, event: &Raised, recorded: &Recorded) -> Result<(), ProjectError> {
        *self.by_counter.entry(recorded.stream.parse_id()?).or_default() += event.by;
        self.events += 1;
        Ok(())
    }
}

impl Project<Lowered> for Sums {
    fn project(&mut self, event: &Lowered, recorded: &Recorded) -> Result<(), ProjectError> {
        let sum = self.by_counter.entry(recorded.stream.parse_id()?).or_default();
        *sum = sum.checked_sub(event.by).ok_or_else(|| ProjectError::new("sum below zero"))?;
        self.events += 1;
        Ok(())
    }
}
