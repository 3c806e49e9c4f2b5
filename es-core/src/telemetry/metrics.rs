//! Counters, gauges and histograms, through the facade `metrics`. Labels have few values: names of
//! commands, aggregates and projections, and words of a fixed list.

use std::time::Instant;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics::{gauge, histogram};

use super::outcome::{LoadSource, Outcome, Retried};
use super::span::events_of;
use crate::commit::Commit;
use crate::projection::ProjectionStatus;

const COMMANDS: &str = "es_commands_total";
const CONFLICTS: &str = "es_conflicts_total";
const RETRIES: &str = "es_retries_total";
const APPEND_SECONDS: &str = "es_append_seconds";
const APPEND_COMMITS: &str = "es_append_commits";
const APPEND_EVENTS: &str = "es_append_events";
const LOADS: &str = "es_loads_total";
const PROJECTED_EVENTS: &str = "es_projected_events_total";
const PROJECT_SECONDS: &str = "es_project_seconds";
const PROJECT_EVENTS: &str = "es_project_events";
const LAG: &str = "es_projection_lag";
const PARKED: &str = "es_projection_parked";
const REBUILD: &str = "es_projection_rebuild_ratio";

/// Whether anything is counted.
pub(crate) const ARE_COUNTED: bool = true;

/// Tells the recorder what the metrics are.
pub(crate) fn describe() {
    describe_counter!(COMMANDS, Unit::Count, "Commands that were answered");
    describe_counter!(CONFLICTS, Unit::Count, "Appends that lost a race");
    describe_counter!(RETRIES, Unit::Count, "What was tried again");
    describe_histogram!(APPEND_SECONDS, Unit::Seconds, "From an append to its answer");
    describe_histogram!(APPEND_COMMITS, Unit::Count, "Commits of one append");
    describe_histogram!(APPEND_EVENTS, Unit::Count, "Events of one append");
    describe_counter!(LOADS, Unit::Count, "States that decisions were made on");
    describe_counter!(PROJECTED_EVENTS, Unit::Count, "Events that were applied");
    describe_histogram!(PROJECT_SECONDS, Unit::Seconds, "Applying and storing one batch");
    describe_histogram!(PROJECT_EVENTS, Unit::Count, "Events of one batch");
    describe_gauge!(LAG, Unit::Count, "Positions between a projection and the head");
    describe_gauge!(PARKED, Unit::Count, "Dead letters of a projection");
    describe_gauge!(REBUILD, Unit::Count, "How far a rebuild is; 1 when none runs");
}

/// When something began.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

pub(crate) fn command(command: &'static str, outcome: Outcome) {
    counter!(COMMANDS, "command" => command, "outcome" => outcome.as_str()).increment(1);
}

pub(crate) fn conflict(aggregate: &'static str) {
    counter!(CONFLICTS, "aggregate" => aggregate).increment(1);
}

pub(crate) fn retry(what: Retried) {
    counter!(RETRIES, "of" => what.as_str()).increment(1);
}

pub(crate) fn appended(commits: &[Commit], began: Stopwatch) {
    histogram!(APPEND_SECONDS).record(began.seconds());
    histogram!(APPEND_COMMITS).record(commits.len() as f64);
    histogram!(APPEND_EVENTS).record(events_of(commits) as f64);
}

pub(crate) fn loads(aggregate: &'static str, source: LoadSource, count: usize) {
    if count > 0 {
        let counter = counter!(LOADS, "aggregate" => aggregate, "source" => source.as_str());
        counter.increment(count as u64);
    }
}

pub(crate) fn projected(projection: &'static str, events: u64, began: Stopwatch) {
    // News that it does not want are no batch.
    if events == 0 {
        return;
    }
    counter!(PROJECTED_EVENTS, "projection" => projection).increment(events);
    histogram!(PROJECT_SECONDS, "projection" => projection).record(began.seconds());
    histogram!(PROJECT_EVENTS, "projection" => projection).record(events as f64);
}

pub(crate) fn status(status: &ProjectionStatus) {
    let projection = status.name;
    gauge!(LAG, "projection" => projection).set(status.lag() as f64);
    gauge!(PARKED, "projection" => projection).set(status.dead_letters.len() as f64);
    let done = status
        .rebuild
        .as_ref()
        .map_or(1.0, |rebuild| rebuild.position.get() as f64 / rebuild.head.get().max(1) as f64);
    gauge!(REBUILD, "projection" => projection).set(done);
}
