//! The future of a command: whoever has the turn of an aggregate never keeps it unpolled.

use std::any::Any;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::error::StoreFailure;
use crate::runtime::error::ExecuteError;
use crate::runtime::receipt::Receipt;

/// A command that is being carried out, from awaiting an [`Execute`](crate::Execute).
///
/// It begins when it is polled first. If the store answers at once it ends there. Otherwise a task
/// of its own goes on with it, so that the aggregate's other commands need not wait for somebody to
/// poll this future; dropping it then changes nothing.
pub struct Executing<'a, E> {
    tokio: &'a Handle,
    stage: Stage<'a, E>,
}

enum Stage<'a, E> {
    NotBegun(Box<dyn FnOnce() -> Begun<E> + Send + 'a>),
    Spawned(JoinHandle<Outcome<E>>),
    Queued(oneshot::Receiver<Answer<E>>),
    Ended,
}

pub(crate) type Outcome<E> = Result<Receipt, ExecuteError<E>>;

/// How a command has begun.
pub(crate) enum Begun<E> {
    /// It did not get so far.
    Failed(ExecuteError<E>),
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

impl<'a, E> Executing<'a, E> {
    pub(crate) fn new(tokio: &'a Handle, begin: impl FnOnce() -> Begun<E> + Send + 'a) -> Self {
        Self { tokio, stage: Stage::NotBegun(Box::new(begin)) }
    }
}

impl<E: Send + 'static> Future for Executing<'_, E> {
    type Output = Outcome<E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome<E>> {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::NotBegun(begin) => match begin() {
                Begun::Failed(error) => return Poll::Ready(Err(error)),
                Begun::Turn(mut future) => match future.as_mut().poll(context) {
                    Poll::Ready(outcome) => return Poll::Ready(outcome),
                    // Where the sender lives; the runtime's own may have ended before.
                    Poll::Pending => Stage::Spawned(match Handle::try_current() {
                        Ok(current) => current.spawn(future),
                        Err(_) => self.tokio.spawn(future),
                    }),
                },
                Begun::Queued(answer) => Stage::Queued(answer),
            },
            begun => begun,
        };
        let outcome = match &mut self.stage {
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
        self.stage = Stage::Ended;
        Poll::Ready(outcome)
    }
}

fn nobody_answers<E>() -> Outcome<E> {
    Err(ExecuteError::OutcomeUnknown(StoreFailure::new(
        "the task that carried it out ended before it answered",
    )))
}
