//! A state from a snapshot is the state that all events make, whatever the policy, and whatever has
//! become of the snapshot.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use es_core::bytes::Bytes;
use es_core::prelude::*;
use es_core::{
    Commit, EventId, EventStore, ExpectedRevision, ExpectedVersion, NewEvent, SnapshotPolicy,
    SnapshotStatistics, StartError, StateKey, StateStore, StreamRange,
};
use es_memory_store::MemoryStore;
use proptest::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "tally.counted")]
struct Counted {
    what: String,
    by: i64,
}

/// The state as its first release had it.
#[derive(Aggregate, Default, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[aggregate(name = "tally", id = u64, events(Counted), snapshot(every = 10), register = false)]
struct Tally {
    counts: std::collections::HashMap<String, i64>,
    last: Vec<i64>,
    events: u64,
}

impl Apply<Counted> for Tally {
    fn apply(&mut self, event: &Counted) {
        *self.counts.entry(event.what.clone()).or_default() += event.by;
        self.last.push(event.by);
        if self.last.len() > 3 {
            self.last.remove(0);
        }
        self.events += 1;
    }
}

#[derive(Command)]
#[command(aggregate = Tally)]
struct Count {
    #[command(id)]
    tally: u64,
    items: Vec<(String, i64)>,
}

impl Handle<Count> for Tally {
    type Error = std::convert::Infallible;

    fn handle(&self, command: &Count, _: &Context) -> Result<impl IntoEvents<Self>, Self::Error> {
        let counted = |(what, by): &(String, i64)| Counted { what: what.clone(), by: *by };
        Ok(command.items.iter().map(counted).collect::<Vec<_>>())
    }
}

/// States of later releases: of the same name, so that they find the snapshots of the first.
mod later {
    use es_core::prelude::*;

    use super::Counted;

    macro_rules! release {
        ($name:ident, $enumeration:ident, $version:literal, { $($(#[$meta:meta])* $field:ident: $ty:ty),* }, $apply:expr) => {
            #[derive(Aggregate, Default, Serialize, Deserialize, Debug, PartialEq)]
            #[aggregate(name = "tally", id = u64, events(Counted), enum = $enumeration, state_version = $version, snapshot(every = 10), register = false)]
            pub(super) struct $name { $($(#[$meta])* pub(super) $field: $ty),* }

            impl Apply<Counted> for $name {
                fn apply(&mut self, event: &Counted) {
                    let apply: fn(&mut Self, &Counted) = $apply;
                    apply(self, event);
                }
            }
        };
    }

    release!(OneFieldMore, OneFieldMoreEvent, 1, {
        counts: std::collections::HashMap<String, i64>,
        last: Vec<i64>,
        events: u64,
        #[serde(default)] sum: i64
    }, |state, event| state.sum += event.by);

    release!(OneFieldLess, OneFieldLessEvent, 1, { events: u64 }, |state, _| state.events += 1);

    release!(OptionalName, OptionalNameEvent, 1, {
        counts: std::collections::HashMap<String, i64>,
        last: Vec<i64>,
        number_of_events: Option<u64>
    }, |state, _| *state.number_of_events.get_or_insert(0) += 1);

    release!(OtherType, OtherTypeEvent, 1, { events: String }, |state, event| state.events += &event.what);

    release!(OtherMeaning, OtherMeaningEvent, 2, {
        counts: std::collections::HashMap<String, i64>,
        last: Vec<i64>,
        events: u64
    }, |state, _| state.events += 1000);
}

async fn runtime_over(store: Arc<MemoryStore>) -> Runtime<MemoryStore> {
    let registry = Registry::builder().build().unwrap();
    let builder = Runtime::builder_shared(store).registry(registry);
    builder.snapshots().start().await.unwrap()
}

/// Waits until snapshots fare so.
async fn until(runtime: &Runtime<MemoryStore>, done: impl Fn(SnapshotStatistics) -> bool) {
    while !done(runtime.snapshots()) {
        tokio::task::yield_now().await;
    }
}

fn items(numbers: std::ops::Range<i64>) -> Vec<(String, i64)> {
    numbers.map(|number| (format!("item {}", number % 7), number)).collect()
}

/// The state that all events make.
async fn replayed<A: Aggregate<Id = u64>>(runtime: &Runtime<MemoryStore>) -> es_core::Loaded<A> {
    runtime.history::<A>(&1).unwrap().at_version(Version::MAX).await.unwrap()
}

/// Where the snapshot is.
fn key() -> StateKey {
    StateKey::new("snapshot", "tally/1")
}

#[tokio::test]
async fn a_snapshot_is_taken_behind_the_commit_and_spares_the_next_load_its_events() {
    let store = Arc::new(MemoryStore::new());
    let runtime = runtime_over(Arc::clone(&store)).await;
    runtime.execute(Count { tally: 1, items: items(0..9) }).await.unwrap();
    assert_eq!(runtime.snapshots().written, 0);
    runtime.execute(Count { tally: 1, items: items(9..12) }).await.unwrap();
    until(&runtime, |snapshots| snapshots.written == 1).await;

    let other = runtime_over(store).await;
    let loaded = other.load::<Tally>(&1).await.unwrap();
    assert_eq!(loaded, replayed::<Tally>(&other).await);
    assert_eq!(loaded.version.get(), 12);
    assert_eq!((other.snapshots().hits, other.snapshots().missing), (1, 0));
    // And a command that finds nothing warm goes on from it too.
    let receipt = other.execute(Count { tally: 1, items: items(12..13) }).await.unwrap();
    assert_eq!((receipt.version.get(), other.snapshots().hits), (13, 2));
}

#[tokio::test]
async fn a_state_of_another_type_is_made_of_all_events() {
    let store = Arc::new(MemoryStore::new());
    let runtime = runtime_over(Arc::clone(&store)).await;
    runtime.execute(Count { tally: 1, items: items(0..25) }).await.unwrap();
    until(&runtime, |snapshots| snapshots.written == 1).await;

    async fn changed<A: Aggregate<Id = u64> + PartialEq + std::fmt::Debug>(
        store: &Arc<MemoryStore>,
    ) {
        let runtime = runtime_over(Arc::clone(store)).await;
        let loaded = runtime.load::<A>(&1).await.unwrap();
        assert_eq!(loaded, replayed::<A>(&runtime).await);
        assert_eq!((runtime.snapshots().hits, runtime.snapshots().unusable), (0, 1));
        // The load has taken a snapshot of its own type, which the next one goes on from.
        until(&runtime, |snapshots| snapshots.written == 1).await;
        assert_eq!(runtime.load::<A>(&1).await.unwrap(), loaded);
        assert_eq!(runtime.snapshots().hits, 1);
    }
    changed::<later::OneFieldMore>(&store).await;
    changed::<later::OneFieldLess>(&store).await;
    changed::<later::OptionalName>(&store).await;
    changed::<later::OtherType>(&store).await;
    changed::<later::OtherMeaning>(&store).await;
    changed::<Tally>(&store).await;
}

/// Two releases whose state looks alike from outside: what changed is in a type that does not say
/// its shape.
macro_rules! with_inside {
    ($release:ident, { $($(#[$meta:meta])* $field:ident),* }) => {
        mod $release {
            use es_core::prelude::*;

            use super::Counted;

            #[derive(Serialize, Deserialize, Default, Debug, PartialEq)]
            pub(super) struct Inside { $($(#[$meta])* pub(super) $field: i64),* }

            #[derive(Aggregate, Default, Serialize, Deserialize, Debug, PartialEq)]
            #[aggregate(name = "tally", id = u64, events(Counted), snapshot(every = 10), register = false)]
            pub(super) struct Outside { pub(super) inside: Inside }

            impl Apply<Counted> for Outside {
                fn apply(&mut self, event: &Counted) {
                    $(self.inside.$field += event.by;)*
                }
            }
        }
    };
}

with_inside!(first_release, { sum });
with_inside!(second_release, { sum, #[serde(default)] total });

#[tokio::test]
async fn a_field_that_appears_deep_inside_a_state_is_noticed_too() {
    use es_core::Aggregate as _;

    assert_eq!(first_release::Outside::FINGERPRINT, second_release::Outside::FINGERPRINT);
    let store = Arc::new(MemoryStore::new());
    let runtime = runtime_over(Arc::clone(&store)).await;
    let never = SnapshotPolicy::<Tally>::never();
    let registry = Registry::builder().build().unwrap();
    let writer = Runtime::builder_shared(Arc::clone(&store)).registry(registry).snapshot(never);
    let writer = writer.start().await.unwrap();
    writer.execute(Count { tally: 1, items: items(1..12) }).await.unwrap();
    runtime.load::<first_release::Outside>(&1).await.unwrap();
    until(&runtime, |snapshots| snapshots.written == 1).await;
    runtime.load::<first_release::Outside>(&1).await.unwrap();
    assert_eq!(runtime.snapshots().hits, 1);
    let loaded = runtime.load::<second_release::Outside>(&1).await.unwrap();
    assert_eq!((loaded.state.inside.sum, loaded.state.inside.total), (66, 66));
    assert_eq!(runtime.snapshots().unusable, 1);
}

#[tokio::test]
async fn a_snapshot_with_any_byte_flipped_is_not_used() {
    let store = Arc::new(MemoryStore::new());
    let runtime = runtime_over(Arc::clone(&store)).await;
    runtime.execute(Count { tally: 1, items: items(0..10) }).await.unwrap();
    until(&runtime, |snapshots| snapshots.written == 1).await;
    let good = store.get(&key()).await.unwrap().unwrap().value;
    let whole = replayed::<Tally>(&runtime).await;
    let registry = Registry::builder().build().unwrap();
    // Loads take no snapshot here, so that the damage stays.
    let never = SnapshotPolicy::<Tally>::never();
    let runtime = Runtime::builder_shared(Arc::clone(&store)).registry(registry).snapshot(never);
    let runtime = runtime.start().await.unwrap();
    for place in 0..good.len() {
        let mut value = good.to_vec();
        value[place] ^= 1;
        store.put(&key(), value.into(), ExpectedRevision::Any).await.unwrap();
        assert_eq!(runtime.load::<Tally>(&1).await.unwrap(), whole, "byte {place}");
        assert_eq!(runtime.snapshots().unusable, place as u64 + 1, "byte {place}");
    }
    for value in [&b""[..], b"{}", b"null", &[0xff; 40]] {
        store.put(&key(), Bytes::from_static(value), ExpectedRevision::Any).await.unwrap();
        assert_eq!(runtime.load::<Tally>(&1).await.unwrap(), whole);
    }
    assert_eq!(runtime.snapshots().hits, 0);
}

#[tokio::test]
async fn a_snapshot_of_another_history_is_not_used() {
    let first = Arc::new(MemoryStore::new());
    let runtime = runtime_over(Arc::clone(&first)).await;
    runtime.execute(Count { tally: 1, items: items(0..20) }).await.unwrap();
    until(&runtime, |snapshots| snapshots.written == 1).await;
    let snapshot = first.get(&key()).await.unwrap().unwrap().value;
    // Restored from elsewhere: as long, shorter and longer than what the snapshot was taken of.
    for count in [20, 7, 33] {
        let second = Arc::new(MemoryStore::new());
        let runtime = runtime_over(Arc::clone(&second)).await;
        for item in items(100..100 + count) {
            let event = TallyEvent::from(Counted { what: item.0, by: item.1 });
            let event = NewEvent::new(EventId::generate(), event.encode(&mut Vec::new()).unwrap());
            let stream = Tally::stream(&1).unwrap();
            let commit = Commit::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
            second.append(&commit).await.unwrap();
        }
        second.put(&key(), snapshot.clone(), ExpectedRevision::Any).await.unwrap();
        let loaded = runtime.load::<Tally>(&1).await.unwrap();
        assert_eq!(loaded, replayed::<Tally>(&runtime).await);
        assert_eq!((loaded.version.get(), runtime.snapshots().unusable), (count as u64, 1));
    }
}

#[tokio::test]
async fn a_runtime_says_at_the_start_that_snapshots_have_no_place() {
    #[derive(Aggregate, Default, Serialize, Deserialize)]
    #[aggregate(name = "kept", id = u64, events(Counted), snapshot(every = 10), register = false)]
    struct Kept {}

    impl Apply<Counted> for Kept {
        fn apply(&mut self, _: &Counted) {}
    }

    let builder = || {
        let registry = Registry::builder().aggregate::<Kept>().build().unwrap();
        Runtime::builder(MemoryStore::new()).registry(registry)
    };
    let error = builder().start().await.err().unwrap();
    assert!(matches!(error, StartError::NoPlaceForSnapshots { aggregate: "kept" }), "{error}");
    assert!(builder().snapshots().start().await.is_ok());
    assert!(builder().without_snapshots().start().await.is_ok());
}

fn policies() -> impl Strategy<Value = u8> {
    0..7_u8
}

fn policy(number: u8) -> SnapshotPolicy<Tally> {
    let even = || SnapshotPolicy::when(|tally: &Tally, _| tally.events.is_multiple_of(2));
    match number {
        0 => SnapshotPolicy::never(),
        1 => SnapshotPolicy::every(1),
        2 => SnapshotPolicy::every(3),
        3 => SnapshotPolicy::after_replay(Duration::ZERO),
        4 => even(),
        5 => SnapshotPolicy::every(5).or(SnapshotPolicy::after_replay(Duration::ZERO)),
        _ => SnapshotPolicy::every(2).and(even()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Snapshot and tail are the full replay at every version, also when policies and processes
    /// change on the way.
    #[test]
    fn snapshots_on_is_snapshots_off(
        rounds in prop::collection::vec((policies(), prop::collection::vec(0..4_usize, 1..6)), 1..6),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
            let store = Arc::new(MemoryStore::new());
            let mut number = 0;
            for (chosen, commands) in rounds {
                let registry = Registry::builder().build().unwrap();
                let builder = Runtime::builder_shared(Arc::clone(&store)).registry(registry);
                let runtime = builder.snapshot(policy(chosen)).start().await.unwrap();
                for count in commands {
                    let items = items(number..number + count as i64);
                    number += count as i64;
                    runtime.execute(Count { tally: 1, items }).await.unwrap();
                    // Let what waits be taken now and then.
                    for _ in 0..number % 5 {
                        tokio::task::yield_now().await;
                    }
                    let loaded = runtime.load::<Tally>(&1).await.unwrap();
                    prop_assert_eq!(&loaded, &replayed::<Tally>(&runtime).await);
                    prop_assert_eq!(loaded.version.get(), number as u64);
                }
                prop_assert_eq!(runtime.snapshots().failed, 0);
            }
            let stream = Tally::stream(&1).unwrap();
            let page = store.read_stream(&stream, StreamRange::all()).await.unwrap();
            prop_assert_eq!(page.version.get(), number as u64);
            Ok(())
        })?;
    }
}
