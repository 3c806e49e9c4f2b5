//! One aggregate instance as this process knows it: its warm state, and whose turn it is.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter};

use crate::aggregate::Aggregate;
use crate::command::Events;
use crate::commit::Commit;
use crate::context::Surroundings;
use crate::error::ignore_poison;
use crate::identity::CommandId;
use crate::metadata::ChainHash;
use crate::runtime::commit_log::Failure;
use crate::runtime::decide::Sent;
use crate::runtime::receipt::Receipt;
use crate::runtime::replay::Loaded;
use crate::stream::{InvalidStreamId, StreamId};

/// The instances that were used lately, by aggregate type and id, and those that are in use now.
pub(crate) struct Instances {
    /// A program has few aggregate types and never forgets one: a list that only grows is found
    /// through without a lock.
    first: OnceLock<Box<OfOneType>>,
    kept_of_each_type: usize,
}

struct OfOneType {
    instances: Box<dyn Any + Send + Sync>,
    next: OnceLock<Box<OfOneType>>,
}

type InstancesOf<A> =
    Cache<<A as Aggregate>::Id, Arc<Instance<A>>, UnitWeighter, DefaultHashBuilder, KeepWhatIsUsed>;

/// An instance that a command holds is not forgotten: the next command on it would make another,
/// and the two would race where they should queue.
#[derive(Clone)]
struct KeepWhatIsUsed;

impl<K, A: Aggregate> Lifecycle<K, Arc<Instance<A>>> for KeepWhatIsUsed {
    type RequestState = ();

    fn is_pinned(&self, _: &K, instance: &Arc<Instance<A>>) -> bool {
        Arc::strong_count(instance) > 1
    }
}

impl Instances {
    pub(crate) fn new(kept_of_each_type: usize) -> Self {
        Self { first: OnceLock::new(), kept_of_each_type }
    }

    pub(crate) fn get<A: Aggregate>(
        &self,
        id: &A::Id,
    ) -> Result<Arc<Instance<A>>, InvalidStreamId> {
        self.of_type::<A>()
            .get_or_insert_with(id, || A::stream(id).map(|stream| Arc::new(Instance::new(stream))))
    }

    fn of_type<A: Aggregate>(&self) -> &InstancesOf<A> {
        let make = || {
            let count = self.kept_of_each_type;
            let instances = Box::new(InstancesOf::<A>::with(
                count,
                count as u64,
                UnitWeighter,
                DefaultHashBuilder::default(),
                KeepWhatIsUsed,
            ));
            Box::new(OfOneType { instances, next: OnceLock::new() })
        };
        let mut place = &self.first;
        loop {
            let of_one_type = place.get_or_init(make);
            if let Some(instances) = of_one_type.instances.downcast_ref() {
                return instances;
            }
            place = &of_one_type.next;
        }
    }
}

/// One aggregate instance. Its commands are decided one after another: whoever has the turn holds
/// the state, the others wait in a queue.
pub(crate) struct Instance<A: Aggregate> {
    pub(crate) stream: StreamId,
    turn: Mutex<Turn<A>>,
}

struct Turn<A: Aggregate> {
    taken: bool,
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

    /// Applies the events of the last decision, which are those of the commit.
    pub(crate) fn apply_decided(&mut self, commit: &Commit) {
        self.chain_hash = commit.first().events.last().and_then(|last| last.metadata.chain_hash());
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
    /// Events, to be appended.
    Events(Commit),
    /// Accepted, and nothing changes.
    Nothing,
    /// Refused; the command keeps the reason.
    Refused,
}

impl<A: Aggregate> Instance<A> {
    fn new(stream: StreamId) -> Self {
        let turn = Turn { taken: false, warm: None, waiting: VecDeque::new() };
        Self { stream, turn: Mutex::new(turn) }
    }

    /// Carries out a command on the warm state, if nobody has the turn, there is such a state and
    /// `at_once` can; else takes the turn with what there is of the state, or leaves what `wait`
    /// makes of the command in the queue.
    ///
    /// `at_once` runs under the lock: others wait for it as they would for their turn.
    pub(crate) fn enter<C, R, Q>(
        &self,
        command: C,
        at_once: impl FnOnce(&C, &mut Warm<A>) -> Option<R>,
        wait: impl FnOnce(C) -> (Box<dyn Waiting<A>>, Q),
    ) -> Entry<A, C, R, Q> {
        let mut turn = ignore_poison(self.turn.lock());
        if turn.taken {
            let (waiting, answer) = wait(command);
            turn.waiting.push_back(waiting);
            return Entry::Queued(answer);
        }
        let mut baseline = Baseline { warm: &mut turn.warm, sound: false };
        let answer = baseline.warm.as_mut().and_then(|warm| at_once(&command, warm));
        baseline.sound = true;
        drop(baseline);
        match answer {
            Some(answer) => Entry::Answered(answer),
            None => {
                turn.taken = true;
                Entry::Turn(turn.warm.take(), command)
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
