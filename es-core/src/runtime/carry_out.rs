//! Carrying out a command: load, decide, append, and again when somebody was faster.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use crate::aggregate::Aggregate;
use crate::clock::Moment;
use crate::command::{Command, Handle};
use crate::commit::{Appended, Commit};
use crate::context::Surroundings;
use crate::identity::CommandId;
use crate::runtime::Shared;
use crate::runtime::command_memory;
use crate::runtime::commit_log::{self, Failure, NotInPlace};
use crate::runtime::decide::{Envelope, Sent, decide};
use crate::runtime::error::ExecuteError;
use crate::runtime::execute::{Answer, Begun, Outcome};
use crate::runtime::instance::{Decision, Entry, Instance, Waiting, Warm};
use crate::runtime::queue::Turn;
use crate::runtime::receipt::Receipt;
use crate::runtime::replay::Loaded;
use crate::runtime::retry::RetryPolicy;
use crate::store::{AppendError, EventStore, ImmediateAppend};
use crate::stream::StreamId;
use crate::telemetry::metrics;
use crate::telemetry::{CommandSpan, LoadSource, Outcome as Told, Retried, TARGET};
use crate::version::ExpectedVersion;

pub(crate) type Refusal<C> = <<C as Command>::Aggregate as Handle<C>>::Error;

/// Carries the command out if that takes no waiting; else takes the turn of its aggregate, or
/// leaves it in the queue.
pub(crate) fn begin<C: Command, S: EventStore>(
    shared: &Arc<Shared<S>>,
    command: C,
    envelope: Envelope,
) -> Begun<Refusal<C>>
where
    C::Aggregate: Handle<C>,
{
    let instance = match shared.instances.get::<C::Aggregate>(command.aggregate_id()) {
        Ok(instance) => instance,
        Err(error) => {
            metrics::command(C::NAME, Told::Failed);
            return Begun::Answered(Err(ExecuteError::Load(error.into())));
        }
    };
    let mut observed = CommandSpan::begin(C::NAME, &instance.stream);
    let span = observed.as_ref().map(|observed| observed.span().clone());
    let entered = span.as_ref().map(Span::enter);
    // A command with an id must be looked for before it is decided.
    let immediate = shared.store.immediate().filter(|_| envelope.command_id.is_none());
    let mut tried = Tried::Nothing;
    let entry = instance.enter(
        (command, envelope),
        |(command, envelope), warm| {
            at_once(shared, immediate?, &instance.stream, warm, command, envelope, &mut tried)
        },
        |(command, envelope)| {
            let (sender, receiver) = oneshot::channel();
            let observed = observed.take();
            let queued: Box<dyn Waiting<C::Aggregate>> =
                Box::new(Queued { command, envelope, observed, refusal: None, sender });
            (queued, receiver)
        },
    );
    drop(entered);
    match entry {
        Entry::Answered(receipt) => {
            metrics::loads(<C::Aggregate as Aggregate>::NAME, LoadSource::Warm, 1);
            if let Some(observed) = observed {
                observed.carried_out(&receipt);
            }
            shared.instances.weigh_again(&instance);
            Begun::Answered(Ok(receipt))
        }
        Entry::Turn(warm, (command, envelope)) => {
            let shared = Arc::clone(shared);
            let work = async move {
                let mut turn = Turn::new(&shared, &instance);
                let (warm, outcome) =
                    carry_out(&shared, &instance, warm, tried, &command, &envelope).await;
                turn.warm = warm;
                if let Some(observed) = observed {
                    observed.answered(&outcome);
                }
                outcome
            };
            Begun::Turn(Box::pin(work.instrument(span.unwrap_or_else(Span::none))))
        }
        Entry::Queued(receiver) => Begun::Queued(receiver),
    }
}

/// How far a command came that could not be carried out at once.
enum Tried {
    Nothing,
    /// It is refused or changes nothing, on state that may be behind another process.
    NoEvents,
    /// Its events are applied to the warm state, and the store has answered so.
    Append(Commit, Result<Appended, AppendError>),
}

/// Carries out a command on warm state, in a store that need not be waited for; or leaves in
/// `tried` how far it came.
// It is called at one place, and each call that stays one copies the receipt.
#[inline(always)]
fn at_once<A: Handle<C>, C: Command<Aggregate = A>, S: EventStore>(
    shared: &Shared<S>,
    store: &dyn ImmediateAppend,
    stream: &StreamId,
    warm: &mut Warm<A>,
    command: &C,
    envelope: &Envelope,
    tried: &mut Tried,
) -> Option<Receipt> {
    let before = warm.loaded.version;
    let moment = Moment::default();
    let decision = decide(&shared.surroundings, stream, warm, command, envelope, &moment);
    let Ok(Some(events)) = decision else {
        *tried = Tried::NoEvents;
        return None;
    };
    warm.apply(&events);
    match commit_log::append_now(store, stream, before, events, &moment) {
        Ok(receipt) => {
            shared.consider(stream, before, &warm.loaded, None);
            Some(receipt)
        }
        Err(not_in_place) => {
            let NotInPlace { commit, answer } = *not_in_place;
            *tried = Tried::Append(commit, answer);
            None
        }
    }
}

/// Carries out one command whose turn it is. The state comes back as the baseline of the next.
async fn carry_out<A: Handle<C>, C: Command<Aggregate = A>, S: EventStore>(
    shared: &Shared<S>,
    instance: &Instance<A>,
    warm: Option<Warm<A>>,
    mut tried: Tried,
    command: &C,
    envelope: &Envelope,
) -> (Option<Warm<A>>, Outcome<A::Error>) {
    let (store, retry, stream) = (&*shared.store, &shared.retry, &instance.stream);
    // Warm state may be behind another process. That an append finds out; a refusal would not, so
    // it is given only on state that was read after the command came.
    let mut fresh = warm.is_none();
    if !fresh {
        metrics::loads(A::NAME, LoadSource::Warm, 1);
    }
    let mut warm = warm.unwrap_or_else(|| Warm::new(Loaded::default()));
    if fresh && let Err(error) = shared.bring_up_warm(stream, &mut warm).await {
        return (None, Err(error.into()));
    }
    let mut attempts = 1;
    loop {
        let answered = match std::mem::replace(&mut tried, Tried::Nothing) {
            Tried::Append(commit, answer) => {
                let answer = commit_log::append_again(store, retry, &commit, answer).await;
                Some((commit, answer))
            }
            Tried::NoEvents => None,
            Tried::Nothing => {
                if let Some(sent) = envelope.sent(command) {
                    match commit_log::first_receipt(store, retry, stream, &sent).await {
                        Ok(None) => {}
                        Ok(Some(receipt)) => return (Some(warm), Ok(receipt)),
                        Err(failure) => return (Some(warm), Err(failure.into())),
                    }
                }
                let moment = &Moment::default();
                match decide(&shared.surroundings, stream, &mut warm, command, envelope, moment) {
                    Ok(Some(events)) => {
                        // Before the append: an event that can not be applied must not be stored.
                        // If the commit is then refused, the state is of no use any more.
                        let commit = warm.apply_decided(stream, events);
                        let in_place = shared.in_place();
                        let answer = commit_log::append(store, in_place, retry, &commit).await;
                        Some((commit, answer))
                    }
                    refused_or_nothing if fresh => {
                        let version = warm.loaded.version;
                        if refused_or_nothing.is_ok()
                            && let Some(sent) = envelope.sent(command)
                            && let Err(failure) =
                                command_memory::remember(store, stream, version, &sent).await
                        {
                            return (Some(warm), Err(failure.into()));
                        }
                        let nothing = |_| commit_log::receipt_of_nothing(stream, version, attempts);
                        return (Some(warm), refused_or_nothing.map(nothing));
                    }
                    _ => None,
                }
            }
        };
        let conflict = match answered {
            Some((commit, Ok(appended))) => {
                let warm = commit_log::is_in_place(&commit, &appended).then_some(warm);
                if let (Some(warm), ExpectedVersion::Exact(before)) =
                    (&warm, commit.first().expected)
                {
                    shared.consider(stream, before, &warm.loaded, None);
                }
                let id = envelope.command_id;
                return (warm, Ok(commit_log::receipt(commit, &appended, id, attempts)));
            }
            Some((_, Err(AppendError::Conflict(conflict)))) => {
                warm = Warm::new(Loaded::default());
                Some(conflict)
            }
            Some((_, Err(error @ AppendError::EventIdReused { .. }))) => {
                let sent = envelope.sent(command);
                let outcome = carried_out_elsewhere(store, retry, stream, sent, error).await;
                return (None, outcome.map_err(ExecuteError::from));
            }
            Some((_, Err(error))) => return (None, Err(ExecuteError::Append(error))),
            None => None,
        };
        if let Some(conflict) = conflict {
            metrics::conflict(A::NAME);
            if !retry.allows_more_than(attempts) {
                return (None, Err(ExecuteError::Conflict { conflict, attempts }));
            }
            metrics::retry(Retried::Command);
            tracing::debug!(target: TARGET, %stream, attempts, %conflict, "command is decided again");
            retry.pause(attempts).await;
            attempts += 1;
        }
        if let Err(error) = shared.bring_up_warm(stream, &mut warm).await {
            return (None, Err(error.into()));
        }
        fresh = true;
    }
}

/// The answer when the ids of the events are taken. Another process may have carried out the very
/// command since it was looked for, and decided it otherwise, as on another state or time.
async fn carried_out_elsewhere(
    store: &impl EventStore,
    retry: &RetryPolicy,
    stream: &StreamId,
    sent: Option<Sent>,
    error: AppendError,
) -> Result<Receipt, Failure> {
    if let Some(sent) = sent
        && let Some(receipt) = commit_log::first_receipt(store, retry, stream, &sent).await?
    {
        return Ok(receipt);
    }
    Err(Failure::Append(error))
}

/// A command that waits in the queue of its aggregate.
struct Queued<C, E> {
    command: C,
    envelope: Envelope,
    observed: Option<Box<CommandSpan>>,
    /// What the last decision refused.
    refusal: Option<Answer<E>>,
    sender: oneshot::Sender<Answer<E>>,
}

impl<A: Handle<C>, C: Command<Aggregate = A>> Waiting<A> for Queued<C, A::Error> {
    fn command_id(&self) -> Option<CommandId> {
        self.envelope.command_id
    }

    fn sent(&self) -> Option<Sent> {
        self.envelope.sent(&self.command)
    }

    fn decide(
        &mut self,
        surroundings: &Surroundings,
        stream: &StreamId,
        warm: &mut Warm<A>,
    ) -> Decision {
        let (command, envelope) = (&self.command, &self.envelope);
        let _entered = self.observed.as_ref().map(|observed| observed.span().enter());
        // A handler can not change the state, so that a panic in it leaves nothing half done.
        let decision = catch_unwind(AssertUnwindSafe(|| {
            decide(surroundings, stream, warm, command, envelope, &Moment::default())
        }));
        let refusal = match decision {
            Ok(Ok(Some(events))) => return Decision::Events(events),
            Ok(Ok(None)) => return Decision::Nothing,
            Ok(Err(error)) => Answer::Outcome(Err(error)),
            Err(panic) => Answer::Panic(panic),
        };
        self.refusal = Some(refusal);
        Decision::Refused
    }

    fn refuse(mut self: Box<Self>) {
        if let Some(refusal) = self.refusal.take() {
            match (self.observed.take(), &refusal) {
                (Some(observed), Answer::Outcome(outcome)) => observed.answered(outcome),
                (Some(observed), Answer::Panic(_)) => observed.panicked(),
                (None, _) => {}
            }
            // Nobody listens any more when the sender dropped its future.
            let _ = self.sender.send(refusal);
        }
    }

    fn panic(mut self: Box<Self>, panic: Box<dyn Any + Send>) {
        if let Some(observed) = self.observed.take() {
            observed.panicked();
        }
        let _ = self.sender.send(Answer::Panic(panic));
    }

    fn answer(mut self: Box<Self>, outcome: Result<Receipt, Failure>) {
        let outcome = outcome.map_err(ExecuteError::from);
        if let Some(observed) = self.observed.take() {
            observed.answered(&outcome);
        }
        let _ = self.sender.send(Answer::Outcome(outcome));
    }
}
