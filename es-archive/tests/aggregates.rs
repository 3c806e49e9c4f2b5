//! Aggregates over an archive: loading, commands, history, projections, chains, summaries, truncation.

#![allow(missing_docs, reason = "nobody but these tests uses it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use es_archive::{Archive, ArchiveError, Policy, ReadThrough};
use es_core::prelude::*;
use es_core::{
    AppendError, Consumer, ConsumerKind, EventStore, ExecuteError, LoadError, Position,
    ProjectionState, SnapshotPolicy, StartAt, Summarize, Truncate,
};
use es_memory_store::MemoryStore;
use es_transfer::{Copy, digest};
use tempfile::TempDir;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "meter.counted")]
pub struct Counted {
    pub units: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "meter.summarised")]
pub struct Summarised {
    pub total: u64,
    pub readings: u64,
}

#[derive(Aggregate, Default, Debug, PartialEq, Serialize, Deserialize)]
#[aggregate(name = "meter", id = u64, events(Counted, Summarised))]
pub struct Meter {
    total: u64,
    readings: u64,
}

impl Apply<Counted> for Meter {
    fn apply(&mut self, event: &Counted) {
        self.total += event.units;
        self.readings += 1;
    }
}

impl Apply<Summarised> for Meter {
    fn apply(&mut self, event: &Summarised) {
        *self = Self { total: event.total, readings: event.readings };
    }
}

impl Summarize for Meter {
    fn summary(&self) -> impl IntoEvents<Self> {
        Summarised { total: self.total, readings: self.readings }
    }
}

impl Truncate for Meter {
    fn may_truncate(&self) -> bool {
        self.total != 13
    }
}

#[derive(Command)]
#[command(aggregate = Meter)]
pub struct Count {
    #[command(id)]
    pub meter: u64,
    pub units: u64,
}

impl Handle<Count> for Meter {
    type Error = std::convert::Infallible;

    fn handle(&self, count: &Count, _: &Context) -> Result<impl IntoEvents<Self>, Self::Error> {
        Ok(Counted { units: count.units })
    }
}

#[derive(Projection, Default)]
#[projection(name = "consumption", events(Counted))]
pub struct Consumption {
    units: u64,
}

impl Project<Counted> for Consumption {
    fn project(&mut self, event: &Counted, _: &Recorded) -> Result<(), ProjectError> {
        self.units += event.units;
        Ok(())
    }
}

#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "by_meter", events(Counted), documents)]
pub struct ByMeter {
    units: u64,
}

impl Project<Counted> for ByMeter {
    fn project(&mut self, event: &Counted, _: &Recorded) -> Result<(), ProjectError> {
        if event.units == 666 {
            return Err(ProjectError::new("not this one"));
        }
        self.units += event.units;
        Ok(())
    }
}

fn registry() -> Registry {
    Registry::builder().aggregate::<Meter>().build().unwrap()
}

async fn count<S: EventStore>(runtime: &Runtime<S>, meter: u64, readings: u64) {
    for units in 1..=readings {
        runtime.execute(Count { meter, units }).await.unwrap();
    }
}

fn archive() -> (TempDir, Archive) {
    let directory = tempfile::tempdir().unwrap();
    let archive = Archive::create(directory.path()).unwrap();
    (directory, archive)
}

#[tokio::test]
async fn an_archived_aggregate_is_refused_with_its_segment_and_read_through_when_asked() {
    let (_directory, archive) = archive();
    let store = MemoryStore::new();
    let runtime = Runtime::builder(store).registry(registry()).start().await.unwrap();
    count(&runtime, 1, 10).await;
    let stream = Meter::stream(&1).unwrap();
    let archived =
        archive.archiver(&runtime).archive_stream(&stream, Version::new(7)).await.unwrap();

    let refused = runtime.load::<Meter>(&1).await.unwrap_err();
    let LoadError::Archived(refused) = refused else { panic!("{refused}") };
    let place = (refused.stream, refused.up_to, refused.segment.unwrap().name);
    assert_eq!(place, (stream.clone(), Version::new(7), archived.segments[0].as_str().into()));
    // The aggregate is warm here: another runtime would have to load it.
    let cold = Runtime::builder_shared(std::sync::Arc::clone(runtime.store()));
    let cold = cold.registry(registry()).start().await.unwrap();
    let refused = cold.execute(Count { meter: 1, units: 1 }).await.unwrap_err();
    assert!(matches!(refused, ExecuteError::Load(LoadError::Archived(_))), "{refused}");
    let history = cold.history::<Meter>(&1).unwrap();
    assert!(matches!(history.at_version(Version::new(2)).await, Err(LoadError::Archived(_))));

    archive.restore(&**runtime.store(), &stream).await.unwrap();
    assert_eq!(cold.load::<Meter>(&1).await.unwrap().state.total, 55);
    cold.execute(Count { meter: 1, units: 5 }).await.unwrap();
}

#[tokio::test]
async fn through_the_archive_history_commands_and_projections_are_as_before() {
    let (_directory, archive) = archive();
    let store = ReadThrough::new(MemoryStore::new(), archive.clone());
    let registry = || registry_with_consumption();
    let runtime = Runtime::builder(store).registry(registry()).start().await.unwrap();
    for round in 0..3 {
        for meter in 1..=4 {
            count(&runtime, meter, 5 + round).await;
        }
    }
    runtime.wait_until_current::<Consumption>().await.unwrap();
    let before = digest(&**runtime.store()).await.unwrap();
    let id = CommandId::from_name("once");
    let first = runtime.execute(Count { meter: 9, units: 1 }).command_id(id).await.unwrap();
    count(&runtime, 9, 3).await;
    runtime.wait_until_current::<Consumption>().await.unwrap();
    let old = Policy::whole_where(|_| true);
    assert!(archive.archiver(&runtime).archive(&old).await.unwrap().events > 60);

    let again = runtime.execute(Count { meter: 9, units: 1 }).command_id(id).await.unwrap();
    assert!(again.repeated && again.version == first.version);
    let history = runtime.history::<Meter>(&2).unwrap();
    let then = history.at_version(Version::new(6)).await.unwrap();
    assert_eq!((then.state.total, then.state.readings), (16, 6));
    let first = history.first_where(|meter| meter.total > 15).await.unwrap().unwrap();
    assert_eq!(first.loaded.version, Version::new(6));
    let changes = history.difference(Version::new(5), Version::new(6)).await.unwrap();
    assert_eq!(changes.len(), 2);

    let (store, _) = (std::sync::Arc::clone(runtime.store()), runtime.shutdown().await);
    // A projection in memory is built anew at every start: of what is archived too.
    let runtime = Runtime::builder_shared(store).registry(registry()).start().await.unwrap();
    runtime.wait_until_current::<Consumption>().await.unwrap();
    let units = runtime.projection::<Consumption>().unwrap().read(|it| it.units);
    assert_eq!(units, 4 * (15 + 21 + 28) + 1 + 6);
    let mut subscription =
        runtime.subscribe::<MeterEvent>(StartAt::After(Position::ZERO)).await.unwrap();
    assert_eq!(subscription.next().await.unwrap().recorded.position, Position::new(1));
    let copy = MemoryStore::new();
    Copy::new(&**runtime.store(), &copy).run(|_| {}).await.unwrap();
    let copied = digest(&copy).await.unwrap();
    assert_eq!(copied.digest, digest(&**runtime.store()).await.unwrap().digest);
    assert_eq!(copied.events, before.events + 4);
    // The store alone can not be copied, and says so.
    let alone = Copy::new(runtime.store().store(), &MemoryStore::new()).run(|_| {}).await;
    assert!(alone.unwrap_err().to_string().contains("is archived in segment"));
}

fn registry_with_consumption() -> Registry {
    Registry::builder().aggregate::<Meter>().projection::<Consumption>().build().unwrap()
}

#[tokio::test]
async fn a_projection_that_can_not_reach_what_is_archived_says_so() {
    let (_directory, archive) = archive();
    let runtime = Runtime::builder(MemoryStore::new()).registry(registry());
    let runtime = runtime.start().await.unwrap();
    count(&runtime, 1, 5).await;
    archive.archiver(&runtime).archive(&Policy::whole_where(|_| true)).await.unwrap();
    let store = std::sync::Arc::clone(runtime.store());
    let registry = registry_with_consumption();
    let late = Runtime::builder_shared(store).registry(registry).start().await.unwrap();
    let error = late.wait_until_current::<Consumption>().await.unwrap_err().to_string();
    assert!(error.contains("consumption") && error.contains("is archived in segment"), "{error}");
    let status = late.projection_handle("consumption").unwrap().status();
    assert!(matches!(status.state, ProjectionState::Failed { .. }));
}

#[tokio::test]
async fn whoever_has_not_consumed_the_events_keeps_them() {
    let (_directory, archive) = archive();
    let store = std::sync::Arc::new(MemoryStore::new());
    let plain = Runtime::builder_shared(std::sync::Arc::clone(&store)).registry(registry());
    let plain = plain.start().await.unwrap();
    count(&plain, 1, 4).await;
    plain.execute(Count { meter: 2, units: 666 }).await.unwrap();
    count(&plain, 2, 3).await;
    let all = Policy::whole_where(|_| true);

    // A durable subscription that has come to position 2.
    let mut subscription =
        plain.subscribe::<MeterEvent>(StartAt::Durable("mail".into())).await.unwrap();
    subscription.next().await.unwrap();
    subscription.acknowledge(Position::new(2)).await.unwrap();
    let blocked = archive.archiver(&plain).archive(&all).await.unwrap_err();
    let ArchiveError::NotConsumed { consumer, up_to, .. } = &blocked else { panic!("{blocked}") };
    let Consumer { kind, name, position } = &**consumer;
    let found = (*kind, name.as_str(), *position, *up_to);
    assert_eq!(found, (ConsumerKind::Subscription, "mail", Position::new(2), Position::new(7)));
    let said = blocked.to_string();
    assert!(said.contains("subscription `mail` has come to position 2"), "{said}");
    subscription.acknowledge(Position::new(8)).await.unwrap();

    // A document that stands before the event that it can not apply.
    let registry = Registry::builder().aggregate::<Meter>().projection::<ByMeter>();
    let runtime = Runtime::builder_shared(std::sync::Arc::clone(&store));
    let runtime = runtime.registry(registry.build().unwrap()).start().await.unwrap();
    let handle = runtime.projection_handle("by_meter").unwrap();
    assert_eq!(handle.settled(std::time::Duration::from_secs(10)).await.dead_letters.len(), 1);
    for of in [&runtime, &plain] {
        let blocked = archive.archiver(of).archive(&all).await.unwrap_err();
        let ArchiveError::NotConsumed { consumer, .. } = &blocked else { panic!("{blocked}") };
        assert_eq!((consumer.name.as_str(), consumer.position), ("by_meter", Position::new(4)));
        assert_eq!(consumer.kind, ConsumerKind::Projection { generation: Some(1) });
    }
    assert!(archive.list().unwrap().is_empty());
    let archived = archive.archiver(&plain).ignoring("by_meter").archive(&all).await.unwrap();
    assert_eq!(archived.events, 3 + 3);
}

#[tokio::test]
async fn a_chain_of_hashes_holds_across_the_archive() {
    let (directory, archive) = archive();
    let store = ReadThrough::new(MemoryStore::new(), archive.clone());
    let runtime = Runtime::builder(store).registry(registry()).hash_chain().start().await.unwrap();
    count(&runtime, 1, 6).await;
    let stream = Meter::stream(&1).unwrap();
    let head = runtime.verify_chain(&stream, None).await.unwrap().unwrap();
    archive.archiver(&runtime).archive_stream(&stream, Version::new(4)).await.unwrap();
    assert_eq!(runtime.verify_chain(&stream, Some(&head)).await.unwrap().as_ref(), Some(&head));
    archive.archiver(&runtime).compact::<Meter>(&1).await.unwrap();
    count(&runtime, 1, 2).await;
    assert_eq!(runtime.verify_chain(&stream, Some(&head)).await.unwrap().unwrap().version.get(), 9);
    assert_eq!(runtime.verify_chains(|_| {}).await.unwrap().linked, 9);
    // An event that somebody changed in a segment is found by the segment's own sums first.
    let file = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[60] ^= 4;
    std::fs::write(&file, bytes).unwrap();
    assert!(archive.verify().await.is_err());
    assert!(runtime.verify_chain(&stream, None).await.is_err());
}

#[tokio::test]
async fn a_summary_takes_the_place_of_what_was_before() {
    let (_directory, archive) = archive();
    let runtime = Runtime::builder(MemoryStore::new()).registry(registry());
    let runtime = runtime.start().await.unwrap();
    count(&runtime, 1, 20).await;
    let before = runtime.load::<Meter>(&1).await.unwrap();
    let compacted = archive.archiver(&runtime).compact::<Meter>(&1).await.unwrap();
    assert_eq!((compacted.events, compacted.segments.len()), (20, 1));
    // Without the archive, from the summary alone.
    let after = runtime.load::<Meter>(&1).await.unwrap();
    assert_eq!((&after.state, after.version), (&before.state, Version::new(21)));
    // There is nothing more to do.
    let again = archive.archiver(&runtime).compact::<Meter>(&1).await.unwrap();
    assert_eq!((again.events, runtime.store().head().await.unwrap()), (0, Position::new(21)));
    // Commands go on, and a later summary is one of everything.
    count(&runtime, 1, 3).await;
    let cold = Runtime::builder_shared(std::sync::Arc::clone(runtime.store()));
    let cold = cold.registry(registry()).start().await.unwrap();
    cold.execute(Count { meter: 1, units: 4 }).await.unwrap();
    archive.archiver(&cold).compact::<Meter>(&1).await.unwrap();
    assert_eq!(cold.load::<Meter>(&1).await.unwrap().state, Meter { total: 220, readings: 24 });
    archive.verify_with(&**cold.store()).await.unwrap();
    // Through the archive every event is there, and the state after each.
    archive.restore_all(&**cold.store()).await.unwrap();
    let history = cold.history::<Meter>(&1).unwrap();
    let mut totals = Vec::new();
    history.for_each(|meter, _, _| totals.push(meter.total)).await.unwrap();
    assert_eq!(totals.len(), 26);
    assert_eq!((totals[19], totals[20], totals[24], totals[25]), (210, 210, 220, 220));
}

#[tokio::test]
async fn for_good_is_for_good_and_the_summary_stays() {
    let (_directory, archive) = archive();
    let runtime = Runtime::builder(MemoryStore::new()).registry(registry_with_consumption());
    let runtime = runtime.start().await.unwrap();
    count(&runtime, 1, 4).await;
    count(&runtime, 2, 2).await;
    runtime.wait_until_current::<Consumption>().await.unwrap();
    archive.archiver(&runtime).for_good().compact::<Meter>(&1).await.unwrap();
    assert_eq!(runtime.load::<Meter>(&1).await.unwrap().state.total, 10);
    assert!(archive.list().unwrap().is_empty());
    let gone = runtime.history::<Meter>(&1).unwrap().at_version(Version::new(2)).await.unwrap_err();
    assert!(gone.to_string().contains("was removed for good"), "{gone}");
    let restored = archive.restore_all(&**runtime.store()).await.unwrap();
    assert_eq!((restored.events, restored.gone.len()), (0, 1));
    assert_eq!(archive.verify_with(&**runtime.store()).await.unwrap().gone, 4);
    // A projection that is built anew sees what is left.
    let then: Consumption = runtime.projection_as_of(Position::MAX).await.unwrap();
    assert_eq!(then.units, 3);
}

#[tokio::test]
async fn a_stream_is_truncated_behind_its_snapshot_only() {
    let (_directory, archive) = archive();
    let policy = || SnapshotPolicy::<Meter>::every(5);
    let store = MemoryStore::new();
    let runtime = Runtime::builder(store).registry(registry()).snapshot(policy());
    let runtime = runtime.start().await.unwrap();
    let refused = archive.archiver(&runtime).truncate::<Meter>(&1).await.unwrap_err();
    assert!(matches!(refused, ArchiveError::NotTruncated { .. }), "{refused}");
    count(&runtime, 1, 12).await;
    count(&runtime, 2, 4).await;
    runtime.execute(Count { meter: 2, units: 3 }).await.unwrap();
    for meter in [1, 2] {
        while runtime.snapshot_of::<Meter>(&meter).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    }
    // Its total is 13.
    let refused = archive.archiver(&runtime).truncate::<Meter>(&2).await.unwrap_err();
    assert!(refused.to_string().contains("its state does not allow it"), "{refused}");

    let snapshot = runtime.snapshot_of::<Meter>(&1).await.unwrap().unwrap();
    let truncated = archive.archiver(&runtime).for_good().truncate::<Meter>(&1).await.unwrap();
    assert_eq!(truncated.events, snapshot.version.get() - 1);
    let cold = Runtime::builder_shared(std::sync::Arc::clone(runtime.store()));
    let cold = cold.registry(registry()).snapshot(policy()).start().await.unwrap();
    assert_eq!(cold.load::<Meter>(&1).await.unwrap().state.total, 78);
    cold.execute(Count { meter: 1, units: 2 }).await.unwrap();
    // Without the snapshot the state can not be had, and that is said.
    let without = Runtime::builder_shared(std::sync::Arc::clone(runtime.store()));
    let without = without.registry(registry()).without_snapshots().start().await.unwrap();
    let gone = without.load::<Meter>(&1).await.unwrap_err();
    assert!(gone.to_string().contains("was removed for good"), "{gone}");
}

#[tokio::test]
async fn a_snapshot_at_the_end_of_what_is_archived_needs_no_archive() {
    let (_directory, archive) = archive();
    let policy = || SnapshotPolicy::<Meter>::every(5);
    let runtime = Runtime::builder(MemoryStore::new()).registry(registry()).snapshot(policy());
    let runtime = runtime.start().await.unwrap();
    count(&runtime, 1, 5).await;
    while runtime.snapshot_of::<Meter>(&1).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    count(&runtime, 1, 3).await;
    let stream = Meter::stream(&1).unwrap();
    for up_to in [4, 5, 6] {
        archive.archiver(&runtime).archive_stream(&stream, Version::new(up_to)).await.unwrap();
        let loaded = runtime.load::<Meter>(&1).await;
        if up_to <= 5 {
            assert_eq!(loaded.unwrap().state.total, 21);
        } else {
            // The snapshot stands before what is archived.
            assert!(matches!(loaded, Err(LoadError::Archived(_))));
        }
    }
}

#[tokio::test]
async fn an_id_of_an_archived_event_is_not_stored_again_without_the_archive() {
    let (_directory, archive) = archive();
    let runtime = Runtime::builder(MemoryStore::new()).registry(registry());
    let runtime = runtime.start().await.unwrap();
    let id = CommandId::from_name("once");
    runtime.execute(Count { meter: 1, units: 1 }).command_id(id).await.unwrap();
    count(&runtime, 1, 2).await;
    archive.archiver(&runtime).archive(&Policy::whole_where(|_| true)).await.unwrap();
    let refused = runtime.execute(Count { meter: 1, units: 1 }).command_id(id).await.unwrap_err();
    assert!(
        matches!(
            refused,
            ExecuteError::Load(LoadError::Archived(_))
                | ExecuteError::Append(AppendError::EventIdArchived { .. })
        ),
        "{refused}"
    );
    assert_eq!(runtime.store().head().await.unwrap(), Position::new(3));
}
