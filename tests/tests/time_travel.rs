//! Questions about the past have the answer that a plain fold over the events gives.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use es_core::jiff::Timestamp;
use es_core::prelude::*;
use es_core::{
    Commit, DifferenceError, EventId, EventStore, ExpectedVersion, FixedClock, NewEvent, Position,
    WhatIfError,
};
use es_memory_store::MemoryStore;
use proptest::prelude::*;

#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[event(name = "shelf.put")]
struct Put {
    item: u8,
}

#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[event(name = "shelf.taken")]
struct Taken {
    item: u8,
}

/// What lies on a shelf, in order: a state that shows what was applied and when.
#[derive(Aggregate, Default, Serialize, Debug, Clone, PartialEq)]
#[aggregate(name = "shelf", id = u64, events(Put, Taken), derive(Debug, Clone, PartialEq))]
struct Shelf {
    items: Vec<u8>,
    taken: u64,
}

impl Apply<Put> for Shelf {
    fn apply(&mut self, event: &Put) {
        self.items.push(event.item);
    }
}

impl Apply<Taken> for Shelf {
    fn apply(&mut self, event: &Taken) {
        self.items.retain(|item| *item != event.item);
        self.taken += 1;
    }
}

/// How often each item was put somewhere.
#[derive(Projection, Default, Debug, PartialEq)]
#[projection(name = "puts", events(Put), register = false)]
struct Puts {
    by_item: BTreeMap<u8, u64>,
}

impl Project<Put> for Puts {
    fn project(&mut self, event: &Put, _: &Recorded) -> Result<(), ProjectError> {
        *self.by_item.entry(event.item).or_default() += 1;
        Ok(())
    }
}

const START: Timestamp = Timestamp::constant(946_684_800, 0);

fn second(number: u64) -> Timestamp {
    START + Duration::from_secs(number)
}

/// An event of the history: its shelf, what it is, how long after the one before it was recorded,
/// and when it occurred.
#[derive(Debug, Clone)]
struct Fact {
    shelf: u64,
    event: ShelfEvent,
    recorded: u64,
    occurred: Option<u64>,
}

impl Fact {
    fn happened(&self) -> u64 {
        self.occurred.unwrap_or(self.recorded)
    }
}

fn facts(most: usize) -> impl Strategy<Value = Vec<Fact>> {
    let event = prop_oneof![
        2 => (0..9_u8).prop_map(|item| ShelfEvent::from(Put { item })),
        1 => (0..9_u8).prop_map(|item| ShelfEvent::from(Taken { item })),
    ];
    let fact = (0..2_u64, event, 0..3_u64, prop::option::of(0..40_u64));
    prop::collection::vec(fact, 0..most).prop_map(|facts| {
        let mut now = 0;
        let fact = |(shelf, event, passed, occurred)| {
            now += passed;
            Fact { shelf, event, recorded: now, occurred }
        };
        facts.into_iter().map(fact).collect()
    })
}

async fn stored(facts: &[Fact]) -> Runtime<MemoryStore> {
    let clock = Arc::new(FixedClock::at(START));
    let store = MemoryStore::with_clock(Arc::clone(&clock));
    for fact in facts {
        clock.set(second(fact.recorded));
        let event = fact.event.encode(&mut Vec::new()).unwrap();
        let event = NewEvent {
            occurred_at: fact.occurred.map(second),
            ..NewEvent::new(EventId::generate(), event)
        };
        let stream = Shelf::stream(&fact.shelf).unwrap();
        store
            .append(&Commit::new(stream, ExpectedVersion::Any, vec![event]).unwrap())
            .await
            .unwrap();
    }
    let registry = Registry::builder().aggregate::<Shelf>().build().unwrap();
    Runtime::builder(store).registry(registry).start().await.unwrap()
}

fn fold<'a>(events: impl IntoIterator<Item = &'a Fact>) -> Shelf {
    let mut shelf = Shelf::default();
    events.into_iter().for_each(|fact| shelf.apply_event(&fact.event));
    shelf
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test)
}

proptest! {
    #[test]
    fn the_state_at_a_version_time_or_position_is_the_fold_of_what_was_there(
        facts in facts(60), version in 0..40_u64, time in 0..60_u64, known in 0..60_u64,
    ) {
        run(async {
            let runtime = stored(&facts).await;
            let own: Vec<_> = facts.iter().filter(|fact| fact.shelf == 0).collect();
            let history = runtime.history::<Shelf>(&0).unwrap();

            let then = history.at_version(Version::new(version)).await.unwrap();
            let taken = (version as usize).min(own.len());
            prop_assert_eq!(&then.state, &fold(own[..taken].iter().copied()));
            prop_assert_eq!(then.version.get(), taken as u64);

            let then = history.as_of(second(time)).await.unwrap();
            let known_then = || own.iter().copied().filter(|fact| fact.recorded <= time);
            prop_assert_eq!(&then.state, &fold(known_then()));

            let then = history.as_of_business(second(time)).await.unwrap();
            let happened = own.iter().copied().filter(|fact| fact.happened() <= time);
            prop_assert_eq!(&then.state, &fold(happened));
            let last = own.iter().rposition(|fact| fact.happened() <= time);
            prop_assert_eq!(then.version.get(), last.map_or(0, |place| place as u64 + 1));

            let then = history.as_of_both(second(time), second(known)).await.unwrap();
            let happened = own.iter().copied();
            let happened = happened.filter(|fact| fact.happened() <= time && fact.recorded <= known);
            prop_assert_eq!(&then.state, &fold(happened));

            let position = runtime.position_at(second(time)).await.unwrap();
            let recorded = facts.iter().filter(|fact| fact.recorded <= time);
            prop_assert_eq!(position.get(), recorded.count() as u64);
            let then = history.as_of_position(position).await.unwrap();
            prop_assert_eq!(&then.state, &fold(known_then()));

            let puts: Puts = runtime.projection_as_of(position).await.unwrap();
            let mut expected = Puts::default();
            for fact in facts.iter().filter(|fact| fact.recorded <= time) {
                if let ShelfEvent::Put(put) = &fact.event {
                    *expected.by_item.entry(put.item).or_default() += 1;
                }
            }
            prop_assert_eq!(puts, expected);
            Ok(())
        })?;
    }

    #[test]
    fn the_first_version_where_something_is_true_is_that_of_a_plain_search(
        facts in facts(60), items in 0..12_usize, taken in 0..12_u64,
    ) {
        run(async {
            let runtime = stored(&facts).await;
            let own: Vec<_> = facts.iter().filter(|fact| fact.shelf == 0).collect();
            let history = runtime.history::<Shelf>(&0).unwrap();
            let states: Vec<_> = (0..=own.len()).map(|n| fold(own[..n].iter().copied())).collect();

            let found = history.first_where(|shelf| shelf.items.len() >= items).await.unwrap();
            let expected = states.iter().position(|shelf| shelf.items.len() >= items);
            let version = found.as_ref().map(|found| found.loaded.version.get() as usize);
            prop_assert_eq!(version, expected);
            if let Some(found) = found {
                prop_assert_eq!(&found.loaded.state, &states[expected.unwrap()]);
                let event = found.event.map(|event| event.version);
                prop_assert_eq!(event, (expected > Some(0)).then_some(found.loaded.version));
            }

            // Of what stays true both searches find the same.
            let scan = history.first_where(|shelf| shelf.taken >= taken).await.unwrap();
            let bisect = history.first_where_monotone(|shelf| shelf.taken >= taken).await.unwrap();
            prop_assert_eq!(scan, bisect);
            Ok(())
        })?;
    }

    #[test]
    fn what_if_is_the_fold_of_the_other_history_and_stores_nothing(
        facts in facts(40), left_out in prop::collection::vec(1..20_usize, 0..3),
        added in prop::collection::vec((0..20_usize, 0..9_u8), 0..3),
    ) {
        run(async {
            let runtime = stored(&facts).await;
            let own: Vec<_> = facts.iter().filter(|fact| fact.shelf == 0).collect();
            let history = runtime.history::<Shelf>(&0).unwrap();
            let mut question = history.what_if();
            for version in &left_out {
                question = question.without(Version::new(*version as u64));
            }
            for (after, item) in &added {
                question = question.with(Version::new(*after as u64), Put { item: *item });
            }
            let mut shown = 0;
            let answer = question.for_each(|_, _, _| shown += 1).await;

            let head = runtime.store().head().await.unwrap();
            prop_assert_eq!(head, Position::new(facts.len() as u64));
            let named = left_out.iter().chain(added.iter().map(|(after, _)| after)).max();
            if named > Some(&own.len()) {
                let refused = matches!(answer, Err(WhatIfError::NoSuchVersion { .. }));
                prop_assert!(refused);
                return Ok(());
            }
            let mut events = Vec::new();
            for version in 0..=own.len() {
                if version > 0 && !left_out.contains(&version) {
                    events.push(own[version - 1].event.clone());
                }
                let here = added.iter().filter(|(after, _)| *after == version);
                events.extend(here.map(|(_, item)| Put { item: *item }.into()));
            }
            let mut expected = Shelf::default();
            events.iter().for_each(|event| expected.apply_event(event));
            prop_assert_eq!(answer.unwrap().state, expected);
            prop_assert_eq!(shown, events.len());
            Ok(())
        })?;
    }

    #[test]
    fn a_difference_leads_from_one_version_to_the_other(
        facts in facts(40), from in 0..25_u64, to in 0..25_u64,
    ) {
        run(async {
            let runtime = stored(&facts).await;
            let history = runtime.history::<Shelf>(&0).unwrap();
            let changes = history.difference(Version::new(from), Version::new(to)).await.unwrap();
            let before = history.at_version(Version::new(from)).await.unwrap().state;
            let after = history.at_version(Version::new(to)).await.unwrap().state;
            prop_assert_eq!(changes.is_empty(), before == after);
            let taken = changes.iter().find(|change| change.path == "/taken");
            prop_assert_eq!(taken.is_some(), before.taken != after.taken);
            if let Some(change) = taken {
                prop_assert_eq!(change.before.clone().unwrap(), before.taken);
                prop_assert_eq!(change.after.clone().unwrap(), after.taken);
            }

            // What each event changed, one after another, is the way to the end.
            let mut fields = BTreeMap::new();
            history.for_each_change(|changes, _, _| {
                for change in changes {
                    fields.insert(change.path.clone(), change.after.clone());
                }
            }).await.unwrap();
            let end = history.at_version(Version::MAX).await.unwrap().state;
            let taken = fields.get("/taken").cloned().flatten();
            prop_assert_eq!(taken.unwrap_or_else(|| 0.into()), end.taken);
            Ok(())
        })?;
    }
}

#[test]
fn a_search_in_a_long_monotone_history_asks_few_states() {
    let fact = |number: u64| Fact {
        shelf: 0,
        event: Taken { item: 0 }.into(),
        recorded: number,
        occurred: None,
    };
    let facts: Vec<_> = (0..3000).map(fact).collect();
    run(async {
        let runtime = stored(&facts).await;
        let history = runtime.history::<Shelf>(&0).unwrap();
        for wanted in [1, 2, 1023, 1024, 1025, 2048, 2999, 3000] {
            let mut asked = 0;
            let is_true = |shelf: &Shelf| {
                asked += 1;
                shelf.taken >= wanted
            };
            let found = history.first_where_monotone(is_true).await.unwrap().unwrap();
            assert_eq!(found.loaded.version, Version::new(wanted));
            assert_eq!(found.event.unwrap().version, Version::new(wanted));
            assert!(asked <= 14, "{asked} states were asked for version {wanted}");
        }
        assert_eq!(history.first_where_monotone(|shelf| shelf.taken > 3000).await.unwrap(), None);
    });
}

/// A state that JSON has no form for.
#[derive(Aggregate, Default, Serialize)]
#[aggregate(name = "odd", id = u64, events(Put), register = false)]
struct Odd {
    by_item: BTreeMap<Option<u8>, ()>,
}

impl Apply<Put> for Odd {
    fn apply(&mut self, event: &Put) {
        self.by_item.insert(Some(event.item), ());
        self.by_item.insert(None, ());
    }
}

#[test]
fn a_state_that_can_not_be_compared_is_an_error_that_names_the_aggregate() {
    run(async {
        let runtime = stored(&[]).await;
        let event = Put { item: 1 };
        let event = OddEvent::from(event).encode(&mut Vec::new()).unwrap();
        let event = NewEvent::new(EventId::generate(), event);
        let stream = Odd::stream(&1).unwrap();
        let commit = Commit::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
        runtime.store().append(&commit).await.unwrap();
        let history = runtime.history::<Odd>(&1).unwrap();
        let error = history.difference(Version::ZERO, Version::MAX).await.unwrap_err();
        assert!(matches!(error, DifferenceError::Unwritable { aggregate: "odd", .. }), "{error}");
        assert!(history.for_each_change(|_, _, _| {}).await.is_err());
    });
}
