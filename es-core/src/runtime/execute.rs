//! A command on its way: what its sender says about it, and the future of its answer.

use std::any::Any;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use jiff::Timestamp;
use tokio::runtime::Handle as Tokio;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::command::{Command, Handle};
use crate::error::StoreFailure;
use crate::identity::CommandId;
use crate::metadata::Metadata;
use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::runtime::Shared;
use crate::runtime::and_wait::AndWait;
use crate::runtime::carry_out::{Refusal, begin};
use crate::runtime::decide::Envelope;
use crate::runtime::error::ExecuteError;
use crate::runtime::in_flight::OnItsWay;
use crate::runtime::receipt::Receipt;
use crate::store::EventStore;

/// A command on its way, from [`Runtime::execute`](crate::Runtime::execute). Say what else is known
/// about it, then `.await` it.
///
/// A command begins when its future is polled first. From then on dropping the future does not take
/// it back: it is carried out, unless the program ends. One with a
/// [`command_id`](Self::command_id) can be sent again safely.
#[must_use = "a command is carried out when it is awaited"]
pub struct Execute<'a, C, S, E> {
    shared: &'a Arc<Shared<S>>,
    envelope: Envelope,
    stage: Stage<C, E>,
    on_its_way: OnItsWay<'a>,
    /// Known here and not asked for by a bound when it is awaited: so that a command which its
    /// aggregate does not decide is one error, at the call.
    begin: fn(&Arc<Shared<S>>, C, Envelope) -> Begun<E>,
}

enum Stage<C, E> {
    NotBegun(C),
    Spawned(JoinHandle<Outcome<E>>),
    Queued(oneshot::Receiver<Answer<E>>),
    Ended,
}

pub(crate) type Outcome<E> = Result<Receipt, ExecuteError<E>>;

/// How a command has begun.
pub(crate) enum Begun<E> {
    /// It is carried out, or did not get so far.
    Answered(Outcome<E>),
    /// It has the turn.
    Turn(Pin<Box<dyn Future<Output = Outcome<E>> + Send>>),
    /// It waits for its turn, and the answer will come this way.
    Queued(oneshot::Receiver<Answer<E>>),
}

/// What the sender of a command that waited is told.
pub(crate) enum Answer<E> {
    Outcome(Outcome<E>),
    /// The handler or an `Apply` panicked: the sender's task goes on with it, nobody else's.
    Panic(Box<dyn Any + Send>),
}

impl<'a, C: Command, S: EventStore> Execute<'a, C, S, Refusal<C>>
where
    C::Aggregate: Handle<C>,
{
    pub(crate) fn new(shared: &'a Arc<Shared<S>>, command: C, metadata: &Metadata) -> Self {
        let stage = Stage::NotBegun(command);
        let envelope = Envelope::with_metadata(metadata);
        Self { shared, envelope, stage, on_its_way: shared.in_flight.enter(), begin }
    }
}

impl<'a, C, S, E> Execute<'a, C, S, E> {
    /// Gives the command an identity: carried out once, it is answered with its first receipt ever
    /// after, in every process and after every restart. Another command under the id is refused
    /// with [`ExecuteError::CommandIdReused`]: one for another aggregate, with another name, or with
    /// other values in its fields, as far as serde can write them.
    ///
    /// It is known by its events. If it led to none it is remembered in a state record, as far as the store
    /// is a [`ProjectionStore`](crate::ProjectionStore); see
    /// [`forget_commands`](crate::Runtime::forget_commands). In any other store, and when it was
    /// refused, it is decided anew.
    pub fn command_id(mut self, id: CommandId) -> Self {
        self.envelope.command_id = Some(id);
        self
    }

    /// Says who sends the command.
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.envelope.change_metadata(|metadata| metadata.with_actor(actor));
        self
    }

    /// Says to which request the command belongs.
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.envelope.change_metadata(|metadata| metadata.with_correlation_id(id));
        self
    }

    /// Says which event led to the command: correlation, causation and actor are taken from it, as
    /// [`Metadata::caused_by`] has them. Free key-values stay as they are.
    pub fn caused_by(mut self, event: &Recorded<'_>) -> Self {
        self.envelope.change_metadata(|metadata| metadata.joined(&Metadata::caused_by(event)));
        self
    }

    /// Says which message led to the command.
    pub fn causation_id(mut self, id: Uuid) -> Self {
        self.envelope.change_metadata(|metadata| metadata.with_causation_id(id));
        self
    }

    /// Also waits until a projection has applied what the command leads to.
    pub fn and_wait<P: Projection>(self) -> AndWait<'a, C, S, E>
    where
        S: EventStore,
    {
        AndWait::new::<P>(self.shared, self)
    }

    /// Adds a free key and value to the metadata of the events.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.envelope.change_metadata(|metadata| metadata.with(key, value));
        self
    }

    /// Says when it happened in the business.
    pub fn occurred_at(mut self, time: Timestamp) -> Self {
        self.envelope.occurred_at = Some(time);
        self
    }
}

// Nothing in it is polled in place.
impl<C, S, E> Unpin for Execute<'_, C, S, E> {}

/// If the store answers at once the command ends in the first poll. Otherwise a task of its own goes
/// on with it: whoever has the turn of an aggregate never keeps it unpolled, so that the
/// aggregate's other commands need not wait for somebody to poll this future.
impl<C, S, E: Send + 'static> Future for Execute<'_, C, S, E> {
    type Output = Outcome<E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome<E>> {
        let this = &mut *self;
        this.stage = match std::mem::replace(&mut this.stage, Stage::Ended) {
            Stage::NotBegun(command) => {
                let envelope = std::mem::take(&mut this.envelope);
                match (this.begin)(this.shared, command, envelope) {
                    Begun::Answered(outcome) => return this.ready(outcome),
                    Begun::Turn(mut future) => match future.as_mut().poll(context) {
                        Poll::Ready(outcome) => return this.ready(outcome),
                        // Where the sender lives; the runtime's own may have ended before.
                        Poll::Pending => Stage::Spawned(match Tokio::try_current() {
                            Ok(current) => current.spawn(future),
                            Err(_) => this.shared.tokio.spawn(future),
                        }),
                    },
                    Begun::Queued(answer) => Stage::Queued(answer),
                }
            }
            begun => begun,
        };
        let outcome = match &mut this.stage {
            Stage::Spawned(task) => ready!(Pin::new(task).poll(context)).unwrap_or_else(|ended| {
                match ended.try_into_panic() {
                    Ok(panic) => resume_unwind(panic),
                    Err(_) => nobody_answers(),
                }
            }),
            Stage::Queued(answer) => match ready!(Pin::new(answer).poll(context)) {
                Ok(Answer::Outcome(outcome)) => outcome,
                Ok(Answer::Panic(panic)) => resume_unwind(panic),
                Err(_) => nobody_answers(),
            },
            Stage::NotBegun(_) | Stage::Ended => nobody_answers(),
        };
        this.stage = Stage::Ended;
        this.ready(outcome)
    }
}

impl<C, S, E> Execute<'_, C, S, E> {
    fn ready(&mut self, outcome: Outcome<E>) -> Poll<Outcome<E>> {
        self.on_its_way.arrive();
        Poll::Ready(outcome)
    }
}

fn nobody_answers<E>() -> Outcome<E> {
    Err(ExecuteError::OutcomeUnknown(StoreFailure::new(
        "the task that carried it out ended before it answered",
    )))
}
