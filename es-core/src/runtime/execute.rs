//! Carrying out a command: load, decide, append, and again when somebody was faster.

use std::any::Any;
use std::future::IntoFuture;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::command::{Command, Handle};
use crate::context::Surroundings;
use crate::identity::CommandId;
use crate::runtime::Shared;
use crate::runtime::commit_log::{self, Failure};
use crate::runtime::decide::{Envelope, decide};
use crate::runtime::error::ExecuteError;
use crate::runtime::executing::{Answer, Begun, Executing, Outcome};
use crate::runtime::instance::{Decision, Entry, Instance, Waiting, Warm};
use crate::runtime::queue::Turn;
use crate::runtime::receipt::Receipt;
use crate::runtime::replay::{Loaded, catch_up};
use crate::runtime::retry::RetryPolicy;
use crate::store::{AppendError, EventStore};
use crate::stream::StreamId;

/// A command on its way, from [`Runtime::execute`](crate::Runtime::execute). Say what else is known
/// about it, then `.await` it.
///
/// A command begins when its future is polled first. From then on dropping the future does not take
/// it back: it is carried out, unless the program ends. One with a
/// [`command_id`](Self::command_id) can be sent again safely.
#[must_use = "a command is carried out when it is awaited"]
pub struct Execute<'a, C, S, E> {
    shared: &'a Arc<Shared<S>>,
    command: C,
    envelope: Envelope,
    /// Known here and not asked for by a bound when it is awaited: so that a command which its
    /// aggregate does not decide is one error, at the call.
    carry_out: fn(&'a Arc<Shared<S>>, C, Envelope) -> Executing<'a, E>,
}

impl<'a, C: Command, S: EventStore> Execute<'a, C, S, Refusal<C>>
where
    C::Aggregate: Handle<C>,
{
    pub(crate) fn new(shared: &'a Arc<Shared<S>>, command: C) -> Self {
        Self {
            shared,
            command,
            envelope: Envelope::default(),
            carry_out: |shared, command, envelope| {
                Executing::new(&shared.tokio, || begin(shared, command, envelope))
            },
        }
    }
}

impl<C, S, E> Execute<'_, C, S, E> {
    /// Gives the command an identity: carried out once, it is answered with its first receipt ever
    /// after, in every process and after every restart.
    ///
    /// A command that was refused, or that led to no event, is decided anew.
    pub fn command_id(mut self, id: CommandId) -> Self {
        self.envelope.command_id = Some(id);
        self
    }

    /// Says who sends the command.
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.envelope.metadata = self.envelope.metadata.with_actor(actor);
        self
    }

    /// Says to which request the command belongs.
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.envelope.metadata = self.envelope.metadata.with_correlation_id(id);
        self
    }

    /// Says which message led to the command.
    pub fn causation_id(mut self, id: Uuid) -> Self {
        self.envelope.metadata = self.envelope.metadata.with_causation_id(id);
        self
    }

    /// Adds a free key and value to the metadata of the events.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.envelope.metadata = self.envelope.metadata.with(key, value);
        self
    }

    /// Says when it happened in the business.
    pub fn occurred_at(mut self, time: Timestamp) -> Self {
        self.envelope.occurred_at = Some(time);
        self
    }
}

type Refusal<C> = <<C as Command>::Aggregate as Handle<C>>::Error;

impl<'a, C, S, E: Send + 'static> IntoFuture for Execute<'a, C, S, E> {
    type Output = Outcome<E>;
    type IntoFuture = Executing<'a, E>;

    fn into_future(self) -> Self::IntoFuture {
        (self.carry_out)(self.shared, self.command, self.envelope)
    }
}

/// Takes the turn of the aggregate, or leaves the command in its queue.
fn begin<C: Command, S: EventStore>(
    shared: &Arc<Shared<S>>,
    command: C,
    envelope: Envelope,
) -> Begun<Refusal<C>>
where
    C::Aggregate: Handle<C>,
{
    let instance = match shared.instances.get::<C::Aggregate>(command.aggregate_id()) {
        Ok(instance) => instance,
        Err(error) => return Begun::Failed(ExecuteError::Load(error.into())),
    };
    let entry = instance.enter((command, envelope), |(command, envelope)| {
        let (sender, receiver) = oneshot::channel();
        let queued: Box<dyn Waiting<C::Aggregate>> =
            Box::new(Queued { command, envelope, refusal: None, sender });
        (queued, receiver)
    });
    match entry {
        Entry::Turn(warm, (command, envelope)) => {
            let shared = Arc::clone(shared);
            Begun::Turn(Box::pin(async move {
                let mut turn = Turn::new(&shared, &instance);
                let (warm, outcome) =
                    carry_out(&shared, &instance, warm, &command, &envelope).await;
                turn.warm = warm;
                outcome
            }))
        }
        Entry::Queued(receiver) => Begun::Queued(receiver),
    }
}

/// Carries out one command whose turn it is. The state comes back as the baseline of the next.
async fn carry_out<A: Handle<C>, C: Command<Aggregate = A>, S: EventStore>(
    shared: &Shared<S>,
    instance: &Instance<A>,
    warm: Option<Warm<A>>,
    command: &C,
    envelope: &Envelope,
) -> (Option<Warm<A>>, Outcome<A::Error>) {
    let (store, retry, stream) = (&*shared.store, &shared.retry, &instance.stream);
    // Warm state may be behind another process. That an append finds out; a refusal would not, so
    // it is given only on state that was read after the command came.
    let mut fresh = warm.is_none();
    let mut warm = warm.unwrap_or_else(|| Warm::new(Loaded::default()));
    if fresh && let Err(error) = catch_up(store, retry, stream, &mut warm.loaded).await {
        return (None, Err(error.into()));
    }
    let mut attempts = 1;
    loop {
        if let Some(command_id) = envelope.command_id {
            match commit_log::first_receipt(store, retry, stream, command_id).await {
                Ok(None) => {}
                Ok(Some(receipt)) => return (Some(warm), Ok(receipt)),
                Err(failure) => return (Some(warm), Err(failure.into())),
            }
        }
        let Warm { loaded, decided } = &mut warm;
        let decision = decide(
            &shared.surroundings,
            stream,
            &loaded.state,
            loaded.version,
            command,
            envelope,
            decided,
        );
        let conflict = match decision {
            Ok(Some(commit)) => {
                // Before the append: an event that can not be applied must not be stored. If the
                // commit is then refused, the state is of no use any more.
                warm.apply_decided();
                match commit_log::append(store, retry, &commit).await {
                    Ok(appended) => {
                        let warm = commit_log::is_in_place(&commit, &appended).then_some(warm);
                        let id = envelope.command_id;
                        return (warm, Ok(commit_log::receipt(&commit, &appended, id, attempts)));
                    }
                    Err(AppendError::Conflict(conflict)) => {
                        warm = Warm::new(Loaded::default());
                        Some(conflict)
                    }
                    Err(error @ AppendError::EventIdReused { .. }) => {
                        let outcome =
                            carried_out_elsewhere(store, retry, stream, envelope, error).await;
                        return (None, outcome.map_err(ExecuteError::from));
                    }
                    Err(error) => return (None, Err(ExecuteError::Append(error))),
                }
            }
            refused_or_nothing if fresh => {
                let nothing =
                    |_| commit_log::receipt_of_nothing(stream, warm.loaded.version, attempts);
                let outcome = refused_or_nothing.map(nothing);
                return (Some(warm), outcome);
            }
            _ => None,
        };
        if let Some(conflict) = conflict {
            if !retry.allows_more_than(attempts) {
                return (None, Err(ExecuteError::Conflict { conflict, attempts }));
            }
            tracing::debug!(%stream, attempts, %conflict, "command is decided again");
            retry.pause(attempts).await;
            attempts += 1;
        }
        if let Err(error) = catch_up(store, retry, stream, &mut warm.loaded).await {
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
    envelope: &Envelope,
    error: AppendError,
) -> Result<Receipt, Failure> {
    if let Some(command_id) = envelope.command_id
        && let Some(receipt) = commit_log::first_receipt(store, retry, stream, command_id).await?
    {
        return Ok(receipt);
    }
    Err(Failure::Append(error))
}

/// A command that waits in the queue of its aggregate.
struct Queued<C, E> {
    command: C,
    envelope: Envelope,
    /// What the last decision refused.
    refusal: Option<Answer<E>>,
    sender: oneshot::Sender<Answer<E>>,
}

impl<A: Handle<C>, C: Command<Aggregate = A>> Waiting<A> for Queued<C, A::Error> {
    fn command_id(&self) -> Option<CommandId> {
        self.envelope.command_id
    }

    fn decide(
        &mut self,
        surroundings: &Surroundings,
        stream: &StreamId,
        warm: &mut Warm<A>,
    ) -> Decision {
        let Warm { loaded, decided } = warm;
        let (command, envelope) = (&self.command, &self.envelope);
        // A handler can not change the state, so that a panic in it leaves nothing half done.
        let decision = catch_unwind(AssertUnwindSafe(|| {
            let Loaded { state, version } = &*loaded;
            decide(surroundings, stream, state, *version, command, envelope, decided)
        }));
        let refusal = match decision {
            Ok(Ok(Some(commit))) => return Decision::Events(commit),
            Ok(Ok(None)) => return Decision::Nothing,
            Ok(Err(error)) => Answer::Outcome(Err(error)),
            Err(panic) => Answer::Panic(panic),
        };
        self.refusal = Some(refusal);
        Decision::Refused
    }

    fn refuse(mut self: Box<Self>) {
        if let Some(refusal) = self.refusal.take() {
            // Nobody listens any more when the sender dropped its future.
            let _ = self.sender.send(refusal);
        }
    }

    fn panic(self: Box<Self>, panic: Box<dyn Any + Send>) {
        let _ = self.sender.send(Answer::Panic(panic));
    }

    fn answer(self: Box<Self>, outcome: Result<Receipt, Failure>) {
        let _ = self.sender.send(Answer::Outcome(outcome.map_err(ExecuteError::from)));
    }
}
