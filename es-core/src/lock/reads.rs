//! What the aggregates of the crate read, compared with what their streams may hold.

use std::collections::BTreeSet;

use super::locked_aggregate::LockedAggregate;
use super::locked_event::LockedEvent;
use super::session::{Mode, Report};

/// An event that leaves the list of an aggregate leaves its streams unreadable although its struct is
/// still there; an aggregate with another name does not find them.
pub(super) fn compare(
    report: &mut Report,
    aggregates: &[LockedAggregate],
    events: &[LockedEvent],
    mode: Mode,
) {
    let locked: BTreeSet<_> = events.iter().map(|event| event.event_type().name()).collect();
    let named: BTreeSet<_> = aggregates.iter().map(LockedAggregate::name).collect();
    for gone in report.lock.aggregates.keys().filter(|name| !named.contains(name.as_str())) {
        report.problems.push(format!(
            "no aggregate of this crate is called `{gone}`, and its streams are found by that name; give the aggregate its name back, or take the lines of `{gone}` out of the lock if none of its streams is stored any more"
        ));
    }
    for aggregate in aggregates {
        let reads: BTreeSet<_> = aggregate.reads().collect();
        // Events of other crates are in the locks of those.
        if locked.is_disjoint(&reads) {
            continue;
        }
        let (name, location) = (aggregate.name(), aggregate.location());
        let known = report.lock.aggregates.entry(name.to_owned()).or_default();
        for event in &*known {
            if !reads.contains(event.as_str()) && !aggregate.retired().contains(&event.as_str()) {
                report.problems.push(format!(
                    "aggregate `{name}` ({location}) does not read `{event}`, which its streams may hold; list the event that is stored under this name, or write `retired(\"{event}\")`"
                ));
            }
        }
        for event in reads.into_iter().filter(|event| !known.contains(*event)).collect::<Vec<_>>() {
            let new = format!("aggregate `{name}` reads `{event}`");
            match mode {
                Mode::Update => {
                    known.insert(event.to_owned());
                    report.added.push(new);
                }
                Mode::Check => report.problems.push(format!(
                    "{new}, which is not in the lock; run `ES_LOCK=update cargo test` to record it"
                )),
            }
        }
    }
}
