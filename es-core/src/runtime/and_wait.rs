//! A command and the wait for its effect on a read model, in one.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::projection::Projection;
use crate::projection::host::Host;
use crate::projection::wait::{Goal, Wait};
use crate::runtime::Shared;
use crate::runtime::error::{ExecuteError, NotRegistered, WaitError};
use crate::runtime::execute::Execute;
use crate::runtime::receipt::Receipt;
use crate::store::EventStore;

/// A command on its way whose sender also waits for a projection, from
/// [`Execute::and_wait`](crate::Execute::and_wait).
#[must_use = "a command is carried out when it is awaited"]
pub struct AndWait<'a, C, S, E> {
    execute: Execute<'a, C, S, E>,
    shared: &'a Arc<Shared<S>>,
    host: Result<Arc<dyn Host>, NotRegistered>,
    deadline: Option<Duration>,
}

/// The answer to a command that was carried out, and what came of the wait for a projection.
#[derive(Clone, Debug)]
pub struct Waited {
    /// What was recorded.
    pub receipt: Receipt,
    /// Whether the projection has applied it, and if not why.
    pub projected: Result<(), WaitError>,
}

impl<'a, C, S: EventStore, E> AndWait<'a, C, S, E> {
    pub(crate) fn new<P: Projection>(
        shared: &'a Arc<Shared<S>>,
        execute: Execute<'a, C, S, E>,
    ) -> Self {
        Self { execute, shared, host: shared.host::<P>(), deadline: None }
    }

    /// Waits for the projection so long at most.
    pub fn within(mut self, time: Duration) -> Self {
        self.deadline = Some(time);
        self
    }
}

impl<'a, C: Send, S: EventStore, E: Send + 'static> IntoFuture for AndWait<'a, C, S, E>
where
    C: 'a,
{
    type Output = Result<Waited, ExecuteError<E>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let receipt = self.execute.await?;
            let goal = Goal::of(&receipt);
            let wait = Wait::new(&self.shared.store, self.shared.retry, self.host, goal);
            let wait = match self.deadline {
                Some(time) => wait.within(time),
                None => wait,
            };
            Ok(Waited { projected: wait.await, receipt })
        })
    }
}
