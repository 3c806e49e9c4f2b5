//! Taking snapshots behind the commits, and loading from them.
//!
//! A snapshot is taken by a task that loads the aggregate as anybody would: from the last snapshot
//! and the events behind it. So it holds what is stored and nothing else, and no command waits for
//! it.

mod record;
mod statistics;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::aggregate::Aggregate;
use crate::identity::EventId;
use crate::recorded::Recorded;
use crate::runtime::Shared;
use crate::runtime::instance::Warm;
use crate::runtime::replay::{LoadError, Loaded, Reach, Step, catch_up, catch_up_seeing, replay};
use crate::runtime::retry::RetryPolicy;
use crate::snapshot::{Occasion, SnapshotForm, SnapshotPolicy, SnapshotType, crosses};
use crate::store::{
    EventStore, ExpectedRevision, MAX_STATE_BYTES, ReadError, Revision, StateError, StateKey,
    StateRecord, StateStore, StreamRange,
};
use crate::stream::StreamId;
use crate::telemetry::{LoadSource, TARGET, load_span, metrics};
use crate::version::Version;

use self::record::{Miss, Snapshot};
use self::statistics::Counters;
pub use self::statistics::SnapshotStatistics;

/// The space of the state records that hold snapshots; the name is that of the stream.
const SPACE: &str = "snapshot";

/// How many snapshots may wait to be taken. One that finds no room is not taken: there will be
/// another occasion.
const WAITING: usize = 256;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StateError>> + Send + 'a>>;

/// What snapshots need of a state store, whose type is forgotten: a runtime works without one.
pub(crate) trait Records: Send + Sync {
    fn get<'a>(&'a self, key: &'a StateKey) -> Answer<'a, Option<StateRecord>>;
    fn put<'a>(
        &'a self,
        key: &'a StateKey,
        value: Bytes,
        expected: ExpectedRevision,
    ) -> Answer<'a, Revision>;
}

impl<S: StateStore> Records for S {
    fn get<'a>(&'a self, key: &'a StateKey) -> Answer<'a, Option<StateRecord>> {
        Box::pin(StateStore::get(self, key))
    }

    fn put<'a>(
        &'a self,
        key: &'a StateKey,
        value: Bytes,
        expected: ExpectedRevision,
    ) -> Answer<'a, Revision> {
        Box::pin(StateStore::put(self, key, value, expected))
    }
}

/// What is said about snapshots while a runtime is built.
#[derive(Default)]
pub(crate) struct SnapshotSettings {
    pub(crate) records: Option<Arc<dyn Records>>,
    pub(crate) policies: Policies,
    /// Aggregates that ask for snapshots get none.
    pub(crate) refused: bool,
}

/// A policy for each aggregate type that has one of its own; the values are [`Plan`]s.
type Policies = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

struct Plan<A> {
    policy: SnapshotPolicy<A>,
    form: SnapshotForm<A>,
}

impl SnapshotSettings {
    pub(crate) fn set<A: Aggregate>(&mut self, policy: SnapshotPolicy<A>, form: SnapshotForm<A>) {
        self.policies.insert(TypeId::of::<A>(), Arc::new(Plan { policy, form }));
    }

    /// Starts the task that takes snapshots, if there is a place for them.
    pub(crate) fn start(self, tokio: &tokio::runtime::Handle) -> Option<Snapshots> {
        let records = self.records.filter(|_| !self.refused)?;
        let (tasks, mut waiting) = mpsc::channel::<Task>(WAITING);
        // Ends when the runtime is dropped, with what waits then still taken.
        tokio.spawn(async move {
            while let Some(task) = waiting.recv().await {
                task.await;
            }
        });
        let counters = Arc::default();
        Some(Snapshots { records, policies: self.policies, tasks, counters })
    }
}

/// The snapshots of a runtime.
pub(crate) struct Snapshots {
    records: Arc<dyn Records>,
    policies: Policies,
    tasks: mpsc::Sender<Task>,
    counters: Arc<Counters>,
}

impl Snapshots {
    pub(crate) fn statistics(&self) -> SnapshotStatistics {
        self.counters.read()
    }

    fn plan<A: Aggregate>(&self) -> Option<&Plan<A>> {
        if self.policies.is_empty() {
            return None;
        }
        self.policies.get(&TypeId::of::<A>())?.downcast_ref()
    }

    fn form<A: Aggregate>(&self) -> Option<SnapshotForm<A>> {
        match self.plan::<A>() {
            Some(plan) => Some(plan.form),
            None => A::SNAPSHOT.map(|snapshot| snapshot.form),
        }
    }

    fn wants<A: Aggregate>(&self, occasion: &Occasion<'_, A>) -> bool {
        match (self.plan::<A>(), A::SNAPSHOT) {
            (Some(plan), _) => plan.policy.wants(occasion),
            (None, Some(SnapshotType { every, .. })) => {
                crosses(every, occasion.before, occasion.after)
            }
            (None, None) => false,
        }
    }
}

impl<S: EventStore> Shared<S> {
    /// Applies the events that follow, up to the version that the stream has now. A state that is
    /// at its beginning goes on from the last snapshot, if there is a good one.
    pub(crate) async fn bring_up<A: Aggregate>(
        &self,
        stream: &StreamId,
        loaded: &mut Loaded<A>,
    ) -> Result<(), LoadError> {
        let span = load_span(stream);
        let source = self.read_behind(stream, loaded).instrument(span.clone()).await?;
        if !span.is_disabled() {
            span.record("source", source.as_str());
            span.record("version", loaded.version.get());
        }
        metrics::loads(A::NAME, source, 1);
        Ok(())
    }

    async fn read_behind<A: Aggregate>(
        &self,
        stream: &StreamId,
        loaded: &mut Loaded<A>,
    ) -> Result<LoadSource, LoadError> {
        let is_new = loaded.version == Version::ZERO;
        let snapshots = self.snapshots.as_ref().filter(|_| is_new);
        let Some((snapshots, form)) = snapshots.and_then(|all| Some((all, all.form::<A>()?)))
        else {
            catch_up(&*self.store, &self.retry, stream, loaded).await?;
            return Ok(if is_new { LoadSource::Stream } else { LoadSource::Tail });
        };
        let began = Instant::now();
        let source = Source { store: &*self.store, retry: &self.retry, stream };
        let from = source.load(&*snapshots.records, &snapshots.counters, form, loaded).await?;
        self.consider(stream, from.version, loaded, Some(began.elapsed()));
        let from_events = from.version == Version::ZERO;
        Ok(if from_events { LoadSource::Stream } else { LoadSource::Snapshot })
    }

    /// The last snapshot, if the event that it ends with stands where it says.
    pub(crate) async fn snapshot_of<A: Aggregate>(
        &self,
        stream: &StreamId,
    ) -> Result<Option<Loaded<A>>, LoadError> {
        let Some(snapshots) = &self.snapshots else { return Ok(None) };
        let Some(form) = snapshots.form::<A>() else { return Ok(None) };
        let source = Source { store: &*self.store, retry: &self.retry, stream };
        let found = source.find(&*snapshots.records, form, &mut From::default()).await;
        let Ok(Snapshot { state, version, event_id }) = found else { return Ok(None) };
        let range = StreamRange { from: version, to: version, limit: 1, ..StreamRange::all() };
        let stands = match self.retry.read(|| self.store.read_live(stream, range)).await {
            Ok(page) => page.events.last().is_some_and(|event| event.event_id == event_id),
            Err(ReadError::Archived(archived)) => {
                archived.up_to == version && archived.last_event_id == Some(event_id)
            }
            Err(error) => return Err(error.into()),
        };
        Ok(stands.then_some(Loaded { state, version }))
    }

    /// The same with everything that the next decision needs.
    pub(crate) async fn bring_up_warm<A: Aggregate>(
        &self,
        stream: &StreamId,
        warm: &mut Warm<A>,
    ) -> Result<(), LoadError> {
        let known = warm.loaded.version;
        self.bring_up(stream, &mut warm.loaded).await?;
        let version = warm.loaded.version;
        if self.surroundings.hash_chain.is_some() && version > known {
            let range = StreamRange { from: version, to: version, limit: 1, ..StreamRange::all() };
            let page = self.retry.read(|| self.store.read_stream(stream, range)).await?;
            warm.chain_hash = page.events.last().and_then(|last| last.metadata.chain_hash());
        }
        Ok(())
    }

    /// Takes a snapshot later if the policy wants one now.
    pub(crate) fn consider<A: Aggregate>(
        &self,
        stream: &StreamId,
        before: Version,
        loaded: &Loaded<A>,
        replay: Option<Duration>,
    ) {
        let Some(snapshots) = &self.snapshots else { return };
        let occasion = Occasion { state: &loaded.state, before, after: loaded.version, replay };
        if loaded.version == Version::ZERO || !snapshots.wants(&occasion) {
            return;
        }
        let Some(form) = snapshots.form::<A>() else { return };
        let (store, retry) = (Arc::clone(&self.store), self.retry);
        let (records, counters) = (Arc::clone(&snapshots.records), Arc::clone(&snapshots.counters));
        let stream = stream.clone();
        let task: Task = Box::pin(async move {
            let source = Source { store: &*store, retry: &retry, stream: &stream };
            source.take(&*records, &counters, form).await;
        });
        if snapshots.tasks.try_send(task).is_err() {
            snapshots.counters.count_postponed();
        }
    }
}

/// Where an aggregate comes from.
struct Source<'a, S> {
    store: &'a S,
    retry: &'a RetryPolicy,
    stream: &'a StreamId,
}

/// What an aggregate was loaded from: the last snapshot, or nothing.
#[derive(Default)]
struct From {
    version: Version,
    revision: Option<Revision>,
    /// The event that the state now ends with, unless that is the snapshot's.
    last: Option<EventId>,
}

impl<S: EventStore> Source<'_, S> {
    /// Loads an aggregate from its snapshot and the events behind it, or from all its events.
    async fn load<A: Aggregate>(
        &self,
        records: &dyn Records,
        counters: &Counters,
        form: SnapshotForm<A>,
        loaded: &mut Loaded<A>,
    ) -> Result<From, LoadError> {
        let mut from = From::default();
        match self.find(records, form, &mut from).await {
            Ok(snapshot) => {
                if self.go_on(snapshot, loaded, &mut from).await? {
                    counters.count_hit();
                    return Ok(from);
                }
                self.report(&Miss::OtherHistory);
                counters.count_unusable();
            }
            Err(Miss::None) => counters.count_missing(),
            Err(miss) => {
                self.report(&miss);
                counters.count_unusable();
            }
        }
        *loaded = Loaded::default();
        from.version = Version::ZERO;
        let see = |recorded: &Recorded<'_>| from.last = Some(recorded.event_id);
        catch_up_seeing(self.store, self.retry, self.stream, loaded, see).await?;
        Ok(from)
    }

    async fn find<A: Aggregate>(
        &self,
        records: &dyn Records,
        form: SnapshotForm<A>,
        from: &mut From,
    ) -> Result<Snapshot<A>, Miss> {
        let record = records.get(&self.key()).await.map_err(Miss::Unreadable)?.ok_or(Miss::None)?;
        from.revision = Some(record.revision);
        Snapshot::read(A::NAME, form, &record.value)
    }

    /// Goes on from a snapshot, if the event that it ends with stands where it says.
    async fn go_on<A: Aggregate>(
        &self,
        snapshot: Snapshot<A>,
        loaded: &mut Loaded<A>,
        from: &mut From,
    ) -> Result<bool, LoadError> {
        let Snapshot { state, version, event_id } = snapshot;
        *loaded = Loaded { state, version: Version::new(version.get().saturating_sub(1)) };
        let mut stands = false;
        let take = |_: &mut A, recorded: &Recorded<'_>| {
            if recorded.version > version {
                from.last = Some(recorded.event_id);
                return Step::Apply;
            }
            stands = recorded.event_id == event_id;
            if stands { Step::Skip } else { Step::Stop }
        };
        let read =
            replay(self.store, self.retry, self.stream, loaded, Reach::Live, take, |_, _, _| {});
        match read.await {
            Ok(()) => {}
            // The snapshot stands at the end of what was removed: what follows is live.
            Err(LoadError::Archived(archived))
                if archived.up_to == version && archived.last_event_id == Some(event_id) =>
            {
                loaded.version = version;
                let see = |recorded: &Recorded<'_>| from.last = Some(recorded.event_id);
                catch_up_seeing(self.store, self.retry, self.stream, loaded, see).await?;
                stands = true;
            }
            // It stands before that: what it would go on with is not live.
            Err(LoadError::Archived(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
        if stands {
            loaded.version = loaded.version.max(version);
            from.version = version;
        }
        Ok(stands)
    }

    /// Takes a snapshot of the aggregate as it is now.
    async fn take<A: Aggregate>(
        &self,
        records: &dyn Records,
        counters: &Counters,
        form: SnapshotForm<A>,
    ) {
        let mut loaded = Loaded::default();
        let from = match self.load(records, &Counters::default(), form, &mut loaded).await {
            Ok(from) => from,
            Err(error) => {
                tracing::warn!(target: TARGET, stream = %self.stream, %error, "no snapshot can be taken");
                return counters.count_failed();
            }
        };
        // Nothing has happened since the last one.
        let Some(event_id) = from.last else { return };
        let Loaded { state, version } = loaded;
        let written = Snapshot { state, version, event_id }.write(A::NAME, form);
        let value = match written {
            Ok(value) if value.len() <= MAX_STATE_BYTES => value,
            Ok(value) => {
                let bytes = value.len();
                tracing::warn!(target: TARGET, stream = %self.stream, bytes, "the state is too large for a snapshot");
                return counters.count_failed();
            }
            Err(error) => {
                tracing::warn!(target: TARGET, stream = %self.stream, %error, "the state can not be written as a snapshot");
                return counters.count_failed();
            }
        };
        let expected = from.revision.map_or(ExpectedRevision::Missing, ExpectedRevision::Exact);
        match records.put(&self.key(), value, expected).await {
            Ok(_) => counters.count_written(),
            // Another process has taken one meanwhile.
            Err(StateError::Conflict { .. }) => {}
            Err(error) => {
                tracing::warn!(target: TARGET, stream = %self.stream, %error, "a snapshot can not be stored");
                counters.count_failed();
            }
        }
    }

    fn key(&self) -> StateKey {
        StateKey::new(SPACE, self.stream.as_str())
    }

    fn report(&self, miss: &Miss) {
        tracing::warn!(target: TARGET, stream = %self.stream, %miss, "a snapshot is not used; the state is made of all its events");
    }
}
