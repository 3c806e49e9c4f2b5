//! Serving the commands that wait on one aggregate: they are decided one after another on the
//! working state and appended together, each as a commit of its own with its own answer.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::aggregate::Aggregate;
use crate::commit::{Appended, Commit};
use crate::runtime::Shared;
use crate::runtime::command_memory;
use crate::runtime::commit_log::{self, Failure};
use crate::runtime::decide::Sent;
use crate::runtime::instance::{Decision, Instance, Leave, Waiting, Warm};
use crate::runtime::replay::Loaded;
use crate::runtime::retry::RetryPolicy;
use crate::store::{AppendError, EventStore};
use crate::telemetry::metrics;
use crate::telemetry::{LoadSource, Retried, TARGET};
use crate::version::{ExpectedVersion, Version};

/// The most commands that are decided before something is appended.
const BATCH: usize = 128;

type Batch<A> = VecDeque<Box<dyn Waiting<A>>>;

/// The turn on an instance. When it ends, however it ends, those who wait are served.
pub(crate) struct Turn<'a, A: Aggregate, S: EventStore> {
    shared: &'a Arc<Shared<S>>,
    instance: &'a Arc<Instance<A>>,
    /// The baseline that the next holder gets; none when the holder did not come to an end.
    pub(crate) warm: Option<Warm<A>>,
}

impl<'a, A: Aggregate, S: EventStore> Turn<'a, A, S> {
    pub(crate) fn new(shared: &'a Arc<Shared<S>>, instance: &'a Arc<Instance<A>>) -> Self {
        Self { shared, instance, warm: None }
    }
}

impl<A: Aggregate, S: EventStore> Drop for Turn<'_, A, S> {
    fn drop(&mut self) {
        if let Leave::OthersWait(warm) = self.instance.leave(self.warm.take()) {
            // In a task of its own: whoever had the turn has its answer and need not serve others,
            // and dropping its future must not drop theirs.
            let (shared, instance) = (Arc::clone(self.shared), Arc::clone(self.instance));
            self.shared.tokio.spawn(serve(shared, instance, warm));
        } else {
            self.shared.instances.weigh_again(self.instance);
        }
    }
}

fn serve<A: Aggregate, S: EventStore>(
    shared: Arc<Shared<S>>,
    instance: Arc<Instance<A>>,
    warm: Option<Warm<A>>,
) -> impl Future<Output = ()> + Send {
    // Made here and not in the block: the task never begins when its tokio runtime has ended.
    let mut handed_over = HandedOver(Some(instance));
    async move {
        let Some(instance) = handed_over.0.take() else { return };
        let mut turn = Turn::new(&shared, &instance);
        turn.warm = warm;
        loop {
            let batch = instance.next_batch(BATCH);
            if batch.is_empty() {
                return;
            }
            let warm = turn.warm.take();
            turn.warm = carry_out(&shared, &instance, warm, batch).await;
        }
    }
}

/// The turn on its way to the task that serves those who wait. If it is lost there, they are told
/// that nobody will serve them, and the turn is free.
struct HandedOver<A: Aggregate>(Option<Arc<Instance<A>>>);

impl<A: Aggregate> Drop for HandedOver<A> {
    fn drop(&mut self) {
        if let Some(instance) = self.0.take() {
            drop(instance.desert());
        }
    }
}

/// Carries out the commands of a batch, and answers all of them.
async fn carry_out<A: Aggregate, S: EventStore>(
    shared: &Shared<S>,
    instance: &Instance<A>,
    mut warm: Option<Warm<A>>,
    mut waiting: Batch<A>,
) -> Option<Warm<A>> {
    let mut attempts = 1;
    while !waiting.is_empty() {
        let round = match decide_all(shared, instance, warm, waiting).await {
            Ok(round) => round,
            Err((failure, undecided)) => {
                answer_all(undecided, &failure);
                return None;
            }
        };
        let answers = commit_log::append_chain(&*shared.store, &shared.retry, &round.commits).await;
        let before = round.commits.first().and_then(|commit| match commit.first().expected {
            ExpectedVersion::Exact(before) => Some(before),
            _ => None,
        });
        let settled = settle(instance, round, answers, attempts, &shared.retry);
        (warm, waiting) = (settled.warm, settled.again);
        for (command, sent, version) in settled.remember {
            let stream = &instance.stream;
            let remembered = command_memory::remember(&*shared.store, stream, version, &sent).await;
            let receipt = || commit_log::receipt_of_nothing(stream, version, attempts);
            command.answer(remembered.map(|()| receipt()));
        }
        if let (Some(warm), Some(before)) = (&warm, before) {
            shared.consider(&instance.stream, before, &warm.loaded, None);
        }
        if settled.lost_race {
            metrics::conflict(A::NAME);
            metrics::retry(Retried::Command);
            tracing::debug!(target: TARGET, stream = %instance.stream, attempts, "waiting commands are decided again");
            shared.retry.pause(attempts).await;
            attempts += 1;
        }
    }
    warm
}

/// Commands that were decided one after another, each on the state that the ones before it left.
struct Round<A: Aggregate> {
    /// The state after all of them, if all commits are stored; none if it was left half done.
    warm: Option<Warm<A>>,
    decided: Vec<Decided<A>>,
    /// The commits of those that led to events, in order.
    commits: Vec<Commit>,
    /// Commands whose id another command of the round has, or that the round did not come to.
    postponed: Batch<A>,
}

struct Decided<A: Aggregate> {
    command: Box<dyn Waiting<A>>,
    verdict: Verdict,
    /// The version after it.
    version: Version,
}

enum Verdict {
    Events,
    Nothing,
    Refused,
}

async fn decide_all<A: Aggregate, S: EventStore>(
    shared: &Shared<S>,
    instance: &Instance<A>,
    warm: Option<Warm<A>>,
    mut waiting: Batch<A>,
) -> Result<Round<A>, (Failure, Batch<A>)> {
    let (store, retry, stream) = (&*shared.store, &shared.retry, &instance.stream);
    let mut fresh = warm.is_none();
    metrics::loads(A::NAME, LoadSource::Warm, waiting.len() - usize::from(fresh));
    let mut warm = warm.unwrap_or_else(|| Warm::new(Loaded::default()));
    let mut round =
        Round { warm: None, decided: Vec::new(), commits: Vec::new(), postponed: Batch::new() };
    if fresh && let Err(error) = shared.bring_up_warm(stream, &mut warm).await {
        return Err((error.into(), waiting));
    }
    let mut command_ids = HashSet::new();
    while let Some(mut command) = waiting.pop_front() {
        if let Some(sent) = command.sent() {
            if !command_ids.insert(sent.id) {
                round.postponed.push_back(command);
                continue;
            }
            match commit_log::first_receipt(store, retry, stream, &sent).await {
                Ok(None) => {}
                Ok(Some(receipt)) => {
                    command.answer(Ok(receipt));
                    continue;
                }
                Err(failure) => {
                    command.answer(Err(failure));
                    continue;
                }
            }
        }
        let decision = command.decide(&shared.surroundings, stream, &mut warm);
        // Without an append that would find it out, the state may be behind another process.
        if !fresh && round.commits.is_empty() && !matches!(decision, Decision::Events(_)) {
            let known = warm.loaded.version;
            if let Err(error) = shared.bring_up_warm(stream, &mut warm).await {
                waiting.push_front(command);
                waiting.append(&mut round.postponed);
                return Err((error.into(), waiting));
            }
            fresh = true;
            if warm.loaded.version > known {
                // From the beginning: what came may be the events of this very command.
                if let Some(command_id) = command.command_id() {
                    command_ids.remove(&command_id);
                }
                waiting.push_front(command);
                continue;
            }
        }
        let verdict = match decision {
            Decision::Events(events) => {
                // Before the append: an event that can not be applied must not be stored. What that
                // leaves of the state is of no use, and the round ends here.
                let apply = AssertUnwindSafe(|| warm.apply_decided(stream, events));
                match catch_unwind(apply) {
                    Ok(commit) => round.commits.push(commit),
                    Err(panic) => {
                        command.panic(panic);
                        round.postponed.append(&mut waiting);
                        return Ok(round);
                    }
                }
                Verdict::Events
            }
            Decision::Nothing => Verdict::Nothing,
            Decision::Refused => Verdict::Refused,
        };
        let version = warm.loaded.version;
        round.decided.push(Decided { command, verdict, version });
    }
    round.warm = Some(warm);
    Ok(round)
}

/// What is left of a round.
struct Settled<A: Aggregate> {
    /// The state, if everything that is applied in it is stored.
    warm: Option<Warm<A>>,
    /// Commands that must be decided again.
    again: Batch<A>,
    lost_race: bool,
    /// Commands with an id that led to no event: they are remembered before they are answered.
    remember: Vec<(Box<dyn Waiting<A>>, Sent, Version)>,
}

/// Answers the commands of a round in order. What was decided behind a commit that is not stored
/// was decided on a state that never was, and is decided again.
fn settle<A: Aggregate>(
    instance: &Instance<A>,
    round: Round<A>,
    answers: Vec<Result<Appended, AppendError>>,
    attempts: u32,
    retry: &RetryPolicy,
) -> Settled<A> {
    let mut answers = round.commits.into_iter().zip(answers);
    let mut again = round.postponed;
    let stream = &instance.stream;
    let mut remember = Vec::new();
    let (mut sound, mut lost_race, mut store_failure) = (true, false, None);
    for Decided { command, verdict, version } in round.decided {
        match verdict {
            Verdict::Events => match answers.next() {
                Some((commit, Ok(appended))) => {
                    // One that was stored elsewhere is in the working state at the wrong place.
                    sound &= commit_log::is_in_place(&commit, &appended);
                    let id = command.command_id();
                    command.answer(Ok(commit_log::receipt(commit, &appended, id, attempts)));
                }
                Some((_, Err(AppendError::Conflict(conflict)))) => {
                    (sound, lost_race) = (false, true);
                    if retry.allows_more_than(attempts) {
                        again.push_back(command);
                    } else {
                        command.answer(Err(Failure::Conflict { conflict, attempts }));
                    }
                }
                // Another process may have carried out this very command since it was looked for, and
                // decided it otherwise. It is looked for again before it is decided again.
                Some((_, Err(AppendError::EventIdReused { .. })))
                    if command.command_id().is_some() && retry.allows_more_than(attempts) =>
                {
                    (sound, lost_race) = (false, true);
                    again.push_back(command);
                }
                Some((_, Err(error))) => {
                    sound = false;
                    // What the store can not do for one it can not do for the others; an id that
                    // is taken, or an event that a projection refuses, is this command's own trouble.
                    if !error.is_of_the_commit() {
                        store_failure = Some(error.clone());
                    }
                    command.answer(Err(Failure::Append(error)));
                }
                None => match &store_failure {
                    Some(error) => command.answer(Err(Failure::Append(error.clone()))),
                    None => again.push_back(command),
                },
            },
            Verdict::Nothing | Verdict::Refused if !sound => again.push_back(command),
            Verdict::Nothing => match command.sent() {
                Some(sent) => remember.push((command, sent, version)),
                None => {
                    command.answer(Ok(commit_log::receipt_of_nothing(stream, version, attempts)))
                }
            },
            Verdict::Refused => command.refuse(),
        }
    }
    Settled { warm: round.warm.filter(|_| sound), again, lost_race, remember }
}

fn answer_all<A: Aggregate>(commands: Batch<A>, failure: &Failure) {
    for command in commands {
        command.answer(Err(failure.clone()));
    }
}
