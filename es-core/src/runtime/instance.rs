//! One aggregate instance as this process knows it: its warm state, and whose turn it is.

use std::any::{Any, TypeId};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter};

use crate::aggregate::Aggregate;
use crate::command::Events;
use crate::commit::{CheckedEvents, Commit};
use crate::context::Surroundings;
use crate::error::ignore_poison;
use crate::identity::CommandId;
use crate::metadata::ChainHash;
use crate::runtime::commit_log::Failure;
use crate::runtime::decide::Sent;
use crate::runtime::receipt::Receipt;
use crate::runtime::replay::Loaded;
use crate::stream::{InvalidStreamId, StreamId};
use crate::version::ExpectedVersion;

/// The instances that were used lately, by aggregate type and id, and those that are in use now.
pub(crate) struct Instances {
    /// A program has few aggregate types and never forgets one: a list that only grows is found
    /// through without a lock.
    first: OnceLock<Box<OfOneType>>,
    settings: WarmSettings,
}

struct OfOneType {
    instances: Box<dyn AnyInstances>,
    next: OnceLock<Box<OfOneType>>,
}

trait AnyInstances: Any + Send + Sync {
    fn statistics(&self) -> WarmStatistics;
}

struct InstancesOf<A: Aggregate> {
    cache: CacheOf<A>,
    upkeep: Arc<Upkeep<A>>,
}

type CacheOf<A> =
    Cache<<A as Aggregate>::Id, Kept<A>, AtLeastAShare, DefaultHashBuilder, KeepWhatIsUsed>;

/// An instance in the cache, and how many bytes it had when it was put there.
struct Kept<A: Aggregate> {
    instance: Arc<Instance<A>>,
    bytes: u64,
}

impl<A: Aggregate> Clone for Kept<A> {
    fn clone(&self) -> Self {
        Self { instance: Arc::clone(&self.instance), bytes: self.bytes }
    }
}

/// An instance counts for its bytes, and at least for an even share of them: so one limit keeps two.
#[derive(Clone)]
struct AtLeastAShare(u64);

impl<A: Aggregate> Weighter<A::Id, Kept<A>> for AtLeastAShare {
    fn weight(&self, _: &A::Id, kept: &Kept<A>) -> u64 {
        kept.bytes.max(self.0)
    }
}

/// An instance that a command holds is not forgotten: the next command on it would make another,
/// and the two would race where they should queue.
#[derive(Clone)]
struct KeepWhatIsUsed {
    forgotten: Arc<AtomicU64>,
}

impl<A: Aggregate> Lifecycle<A::Id, Kept<A>> for KeepWhatIsUsed {
    type RequestState = ();

    fn is_pinned(&self, _: &A::Id, kept: &Kept<A>) -> bool {
        Arc::strong_count(&kept.instance) > 1
    }

    fn on_evict(&self, (): &mut (), _: A::Id, _: Kept<A>) {
        self.forgotten.fetch_add(1, Ordering::Relaxed);
    }
}

/// What all instances of one type have in common.
struct Upkeep<A: Aggregate> {
    weigh: Option<Arc<Weigh<A>>>,
    /// How often the cache let go of one; also to put it back with another weight.
    forgotten: Arc<AtomicU64>,
    put_back: AtomicU64,
    /// Those of instances that are gone.
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Says how many bytes a state has beside its own size.
type Weigh<A> = dyn Fn(&A) -> usize + Send + Sync;

/// How much is kept warm of each type.
pub(crate) struct WarmSettings {
    pub(crate) entries: usize,
    pub(crate) bytes: u64,
    weights: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
}

impl Default for WarmSettings {
    fn default() -> Self {
        Self { entries: 10_000, bytes: 64 * 1024 * 1024, weights: HashMap::new() }
    }
}

impl WarmSettings {
    pub(crate) fn weigh<A: Aggregate>(
        &mut self,
        weigh: impl Fn(&A) -> usize + Send + Sync + 'static,
    ) {
        let weigh: Arc<Weigh<A>> = Arc::new(weigh);
        self.weights.insert(TypeId::of::<A>(), Box::new(weigh));
    }

    fn weight_of<A: Aggregate>(&self) -> Option<Arc<Weigh<A>>> {
        self.weights.get(&TypeId::of::<A>())?.downcast_ref().cloned()
    }
}

/// How the aggregates fare that are kept warm, all types together; from
/// [`Runtime::warm_aggregates`](crate::Runtime::warm_aggregates).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct WarmStatistics {
    /// How many instances are kept.
    pub entries: u64,
    /// How many bytes they take: the size of each with its stream and state, and what
    /// [`warm_weight`](crate::RuntimeBuilder::warm_weight) says of the state.
    pub bytes: u64,
    /// How many commands found the state of their aggregate.
    pub hits: u64,
    /// How many commands had to load it.
    pub misses: u64,
    /// How many instances were forgotten to make room.
    pub evictions: u64,
}

impl WarmStatistics {
    /// The part of the commands that found the state of their aggregate, from 0 to 1; `None` before the
    /// first command.
    pub fn hit_rate(&self) -> Option<f64> {
        let all = self.hits + self.misses;
        (all > 0).then(|| self.hits as f64 / all as f64)
    }
}

impl<A: Aggregate> AnyInstances for InstancesOf<A> {
    fn statistics(&self) -> WarmStatistics {
        let Upkeep { forgotten, put_back, hits, misses, .. } = &*self.upkeep;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut statistics = WarmStatistics {
            evictions: count(forgotten).saturating_sub(count(put_back)),
            hits: count(hits),
            misses: count(misses),
            ..WarmStatistics::default()
        };
        for (_, kept) in self.cache.iter() {
            let turn = ignore_poison(kept.instance.turn.lock());
            statistics.entries += 1;
            statistics.bytes += turn.bytes;
            statistics.hits += turn.hits;
            statistics.misses += turn.misses;
        }
        statistics
    }
}

impl Instances {
    pub(crate) fn new(settings: WarmSettings) -> Self {
        Self { first: OnceLock::new(), settings }
    }

    pub(crate) fn get<A: Aggregate>(
        &self,
        id: &A::Id,
    ) -> Result<Arc<Instance<A>>, InvalidStreamId> {
        let InstancesOf { cache, upkeep } = self.of_type::<A>();
        let kept = cache.get_or_insert_with(id, || {
            A::stream(id).map(|stream| {
                let instance = Instance::new(stream, id, Arc::clone(upkeep));
                Kept { bytes: instance.least_bytes(), instance: Arc::new(instance) }
            })
        })?;
        Ok(kept.instance)
    }

    /// Lets the cache know what an instance weighs now, if that has changed.
    #[inline]
    pub(crate) fn weigh_again<A: Aggregate>(&self, instance: &Arc<Instance<A>>) {
        if instance.weighs_otherwise.load(Ordering::Relaxed) {
            self.put_back(instance);
        }
    }

    #[cold]
    fn put_back<A: Aggregate>(&self, instance: &Arc<Instance<A>>) {
        let InstancesOf { cache, upkeep } = self.of_type::<A>();
        let Some(id) = &instance.id else { return };
        let bytes = {
            let mut turn = ignore_poison(instance.turn.lock());
            instance.weighs_otherwise.store(false, Ordering::Relaxed);
            turn.kept_bytes = turn.bytes;
            turn.bytes
        };
        let is_kept = |kept: Kept<A>| Arc::ptr_eq(&kept.instance, instance);
        let kept = Kept { instance: Arc::clone(instance), bytes };
        if cache.peek(id).is_some_and(is_kept) && cache.replace(id.clone(), kept, true).is_ok() {
            upkeep.put_back.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn statistics(&self) -> WarmStatistics {
        let mut all = WarmStatistics::default();
        let mut place = &self.first;
        while let Some(of_one_type) = place.get() {
            let of_one = of_one_type.instances.statistics();
            all.entries += of_one.entries;
            all.bytes += of_one.bytes;
            all.hits += of_one.hits;
            all.misses += of_one.misses;
            all.evictions += of_one.evictions;
            place = &of_one_type.next;
        }
        all
    }

    fn of_type<A: Aggregate>(&self) -> &InstancesOf<A> {
        let make = || {
            let instances = Box::new(InstancesOf::<A>::new(&self.settings));
            Box::new(OfOneType { instances, next: OnceLock::new() })
        };
        let mut place = &self.first;
        loop {
            let of_one_type = place.get_or_init(make);
            let instances: &dyn Any = &*of_one_type.instances;
            if let Some(instances) = instances.downcast_ref() {
                return instances;
            }
            place = &of_one_type.next;
        }
    }
}

impl<A: Aggregate> InstancesOf<A> {
    fn new(settings: &WarmSettings) -> Self {
        let forgotten = Arc::<AtomicU64>::default();
        let share = settings.bytes / (settings.entries as u64).max(1);
        let cache = CacheOf::<A>::with(
            settings.entries,
            if settings.entries == 0 { 0 } else { settings.bytes },
            AtLeastAShare(share.max(1)),
            DefaultHashBuilder::default(),
            KeepWhatIsUsed { forgotten: Arc::clone(&forgotten) },
        );
        let upkeep = Arc::new(Upkeep {
            weigh: settings.weight_of::<A>(),
            forgotten,
            put_back: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        });
        Self { cache, upkeep }
    }
}

/// One aggregate instance. Its commands are decided one after another: whoever has the turn holds
/// the state, the others wait in a queue.
pub(crate) struct Instance<A: Aggregate> {
    pub(crate) stream: StreamId,
    /// Known if it is weighed.
    id: Option<A::Id>,
    upkeep: Arc<Upkeep<A>>,
    /// The cache has it with another weight than it has now.
    weighs_otherwise: AtomicBool,
    turn: Mutex<Turn<A>>,
}

struct Turn<A: Aggregate> {
    taken: bool,
    hits: u64,
    misses: u64,
    /// What it weighs, and what it weighs in the cache.
    bytes: u64,
    kept_bytes: u64,
    warm: Option<Warm<A>>,
    waiting: VecDeque<Box<dyn Waiting<A>>>,
}

/// State that is known from before. It is only a baseline: every append that is decided on it is
/// guarded by its version.
pub(crate) struct Warm<A: Aggregate> {
    pub(crate) loaded: Loaded<A>,
    /// What the last decision answered, not yet applied; kept for its allocation.
    pub(crate) decided: Events<A>,
    /// The hash that the next event is linked to, if the runtime links them.
    pub(crate) chain_hash: Option<ChainHash>,
}

impl<A: Aggregate> Warm<A> {
    pub(crate) fn new(loaded: Loaded<A>) -> Self {
        Self { loaded, decided: Events::new(), chain_hash: None }
    }

    /// Applies the events of the last decision, and answers with the commit that records them.
    pub(crate) fn apply_decided(&mut self, stream: &StreamId, events: CheckedEvents) -> Commit {
        let before = self.loaded.version;
        self.apply(&events);
        Commit::of(stream.clone(), ExpectedVersion::Exact(before), events)
    }

    /// Applies the events of the last decision, which are these.
    pub(crate) fn apply(&mut self, events: &CheckedEvents) {
        self.chain_hash = events.as_slice().last().and_then(|last| last.metadata.chain_hash());
        for event in self.decided.as_slice() {
            self.loaded.state.apply_event(event);
            self.loaded.version = self.loaded.version.next();
        }
        self.decided.clear();
    }
}

/// A command that waits for its turn.
pub(crate) trait Waiting<A: Aggregate>: Send {
    fn command_id(&self) -> Option<CommandId>;

    /// What makes it recognisable when it is sent again, if it has an id.
    fn sent(&self) -> Option<Sent>;

    /// Decides the command. The events are left in `warm`, a refusal in the command.
    fn decide(
        &mut self,
        surroundings: &Surroundings,
        stream: &StreamId,
        warm: &mut Warm<A>,
    ) -> Decision;

    /// Tells the sender what its last decision refused.
    fn refuse(self: Box<Self>);

    /// Lets the sender's task go on with a panic.
    fn panic(self: Box<Self>, panic: Box<dyn Any + Send>);

    /// Tells the sender what came of it.
    fn answer(self: Box<Self>, outcome: Result<Receipt, Failure>);
}

/// What came of a decision.
pub(crate) enum Decision {
    /// Events, to be applied and appended.
    Events(CheckedEvents),
    /// Accepted, and nothing changes.
    Nothing,
    /// Refused; the command keeps the reason.
    Refused,
}

impl<A: Aggregate> Instance<A> {
    fn new(stream: StreamId, id: &A::Id, upkeep: Arc<Upkeep<A>>) -> Self {
        let bytes = Self::bytes_beside_a_state(&stream);
        let turn = Turn {
            taken: false,
            hits: 0,
            misses: 0,
            bytes,
            kept_bytes: bytes,
            warm: None,
            waiting: VecDeque::new(),
        };
        let id = upkeep.weigh.is_some().then(|| id.clone());
        let weighs_otherwise = AtomicBool::new(false);
        Self { stream, id, upkeep, weighs_otherwise, turn: Mutex::new(turn) }
    }

    fn least_bytes(&self) -> u64 {
        Self::bytes_beside_a_state(&self.stream)
    }

    /// With the state itself, and without what it points to.
    fn bytes_beside_a_state(stream: &StreamId) -> u64 {
        (size_of::<Self>() + stream.as_str().len()) as u64
    }

    /// Weighs the state, if the program has said how.
    #[inline]
    fn weigh(&self, turn: &mut Turn<A>) {
        if let (Some(weigh), Some(warm)) = (&self.upkeep.weigh, &turn.warm) {
            turn.bytes = self.least_bytes() + weigh(&warm.loaded.state) as u64;
            // The cache is told when it is worth it.
            if turn.bytes.abs_diff(turn.kept_bytes) > turn.kept_bytes / 4 {
                self.weighs_otherwise.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Carries out a command on the warm state, if nobody has the turn, there is such a state and
    /// `at_once` can; else takes the turn with what there is of the state, or leaves what `wait`
    /// makes of the command in the queue.
    ///
    /// `at_once` runs under the lock: others wait for it as they would for their turn.
    // It is called at one place, and each call that stays one copies the answer.
    #[inline(always)]
    pub(crate) fn enter<C, R, Q>(
        &self,
        command: C,
        at_once: impl FnOnce(&C, &mut Warm<A>) -> Option<R>,
        wait: impl FnOnce(C) -> (Box<dyn Waiting<A>>, Q),
    ) -> Entry<A, C, R, Q> {
        let mut turn = ignore_poison(self.turn.lock());
        if turn.taken {
            // Whoever has the turn has the state.
            turn.hits += 1;
            let (waiting, answer) = wait(command);
            turn.waiting.push_back(waiting);
            return Entry::Queued(answer);
        }
        let mut baseline = Baseline { warm: &mut turn.warm, sound: false };
        let answer = baseline.warm.as_mut().and_then(|warm| at_once(&command, warm));
        baseline.sound = true;
        drop(baseline);
        match answer {
            Some(answer) => {
                turn.hits += 1;
                self.weigh(&mut turn);
                Entry::Answered(answer)
            }
            None => {
                turn.taken = true;
                let warm = turn.warm.take();
                match warm {
                    Some(_) => turn.hits += 1,
                    None => turn.misses += 1,
                }
                Entry::Turn(warm, command)
            }
        }
    }

    /// Takes commands out of the queue, for the holder of the turn.
    pub(crate) fn next_batch(&self, limit: usize) -> VecDeque<Box<dyn Waiting<A>>> {
        let waiting = &mut ignore_poison(self.turn.lock()).waiting;
        if waiting.len() <= limit {
            std::mem::take(waiting)
        } else {
            waiting.drain(..limit).collect()
        }
    }

    /// Gives the turn back, with the state. When others wait the turn is kept for them, the state
    /// is handed back and somebody must serve them.
    pub(crate) fn leave(&self, warm: Option<Warm<A>>) -> Leave<A> {
        let mut turn = ignore_poison(self.turn.lock());
        if turn.waiting.is_empty() {
            turn.taken = false;
            turn.warm = warm;
            self.weigh(&mut turn);
            Leave::Free
        } else {
            Leave::OthersWait(warm)
        }
    }

    /// Gives the turn back although others wait. Their senders notice when the answer is dropped.
    pub(crate) fn desert(&self) -> VecDeque<Box<dyn Waiting<A>>> {
        let mut turn = ignore_poison(self.turn.lock());
        turn.taken = false;
        std::mem::take(&mut turn.waiting)
    }
}

impl<A: Aggregate> Drop for Instance<A> {
    fn drop(&mut self) {
        let turn = ignore_poison(self.turn.get_mut());
        self.upkeep.hits.fetch_add(turn.hits, Ordering::Relaxed);
        self.upkeep.misses.fetch_add(turn.misses, Ordering::Relaxed);
    }
}

/// The warm state while a command is carried out on it: a panic leaves it half done.
struct Baseline<'a, A: Aggregate> {
    warm: &'a mut Option<Warm<A>>,
    sound: bool,
}

impl<A: Aggregate> Drop for Baseline<'_, A> {
    fn drop(&mut self) {
        if !self.sound {
            *self.warm = None;
        }
    }
}

/// How a command came to an instance.
pub(crate) enum Entry<A: Aggregate, C, R, Q> {
    /// It is carried out.
    Answered(R),
    /// It has the turn, with the warm state if there is one.
    Turn(Option<Warm<A>>, C),
    /// It waits, and the answer will come this way.
    Queued(Q),
}

/// How an instance was left.
pub(crate) enum Leave<A: Aggregate> {
    Free,
    OthersWait(Option<Warm<A>>),
}
