//! What the workers of a projection share: its store, and how they call it, wait and end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{Mutex, RwLock, Semaphore, watch};
use uuid::Uuid;

use crate::error::ErrorCategory;
use crate::projection::ProjectionState;
use crate::projection::failure::ProjectionFailure;
use crate::projection::feed::{Feed, Fetched};
use crate::projection::host::Host;
use crate::projection::inline::Inline;
use crate::projection::race::{First, race};
use crate::runtime::RetryPolicy;
use crate::store::{DynProjectionStore, EventStore, ReadError, StateError};
use crate::telemetry::metrics;
use crate::telemetry::{Retried, TARGET};
use crate::version::Position;

/// What the workers of a projection share.
pub(crate) struct Workplace<S> {
    pub(crate) store: Arc<S>,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) retry: RetryPolicy,
    pub(crate) lease_time: Duration,
    /// Who holds the leases of this process.
    pub(crate) me: Uuid,
    pub(crate) stop: watch::Receiver<bool>,
    /// Held by the live generation while a batch is committed: so that a rebuild can overtake it.
    pub(crate) turn: RwLock<()>,
    /// Held by the one partition of a rebuild that tries to swap.
    pub(crate) swapping: Mutex<()>,
    /// Those who read ahead.
    pub(crate) readers: Arc<Semaphore>,
    /// Takes part in appends, if the projection is inline.
    pub(crate) inline: Option<Inline>,
    /// Whether side effects go on here in the number of partitions that this program says, whatever it
    /// was before: at the start, and when somebody has asked for it.
    pub(crate) decides: AtomicBool,
    /// Rung when a partition of a rebuild has come further, or has tried to swap.
    pub(crate) built: watch::Sender<u64>,
}

/// Why a worker ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// It was asked to.
    Stopped,
    /// Somebody else has changed what it works on: look again.
    Changed,
    /// The generation is changed by the steps of appends from now on, and needs no lease.
    Inline,
    /// Another process is to work on its partition.
    Reassigned,
    /// It can not go on.
    Failed(ProjectionFailure),
}

impl<S: EventStore> Workplace<S> {
    pub(crate) fn name(&self) -> &'static str {
        self.host.projection().name
    }

    /// The events of the projection up to a position.
    pub(crate) fn feed(&self, up_to: Position) -> Feed<S> {
        Feed::new(&self.store, &self.host, &self.readers, up_to)
    }

    /// Brings an inline projection up to the head in a step of the store's. Whether it is changed in
    /// the step of every append from then on.
    pub(crate) async fn enlist(&self, inline: &Inline) -> Result<bool, Exit> {
        let store = self.durable()?.dyn_inline();
        let store =
            store.ok_or(Exit::Failed(ProjectionFailure::NoHome { what: "inline projections" }))?;
        self.patiently(|| store.dyn_enlist(inline.clone(), true)).await?;
        Ok(self.host.board().inline().is_some())
    }

    /// The store as the home of durable projections.
    pub(crate) fn durable(&self) -> Result<&dyn DynProjectionStore, Exit> {
        self.store
            .projection_store()
            .ok_or(Exit::Failed(ProjectionFailure::NoHome { what: "durable projections" }))
    }

    /// Waits until the workers are asked to stop.
    pub(crate) async fn stopped(&self) {
        // Without a sender there is no runtime any more.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Pauses before the attempt that follows so many, and not after a stop.
    pub(crate) async fn pause(&self, attempts: u32) -> Result<(), Exit> {
        self.unless_stopped(self.retry.pause(attempts)).await
    }

    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Exit> {
        match race(self.stopped(), work).await {
            First::Left(()) => Err(Exit::Stopped),
            First::Right(output) => Ok(output),
        }
    }

    /// Calls the store, again and again while it fails in passing.
    pub(crate) async fn patiently<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T, Exit>
    where
        F: Future<Output = Result<T, StateError>>,
    {
        let mut attempts = 1;
        loop {
            match self.unless_stopped(call()).await? {
                Ok(value) => return Ok(value),
                Err(error) => self.endure(error.category(), &error, attempts).await?,
            }
            attempts = attempts.saturating_add(1);
        }
    }

    /// The head of the store.
    pub(crate) async fn head(&self) -> Result<Position, Exit> {
        let mut attempts = 1;
        loop {
            match self.unless_stopped(self.store.head()).await? {
                Ok(head) => return Ok(head),
                Err(error) => self.endure(error.category(), &error, attempts).await?,
            }
            attempts = attempts.saturating_add(1);
        }
    }

    /// Reads the page that follows a position, again and again while the store fails in passing.
    pub(crate) async fn next(&self, feed: &mut Feed<S>, after: Position) -> Result<Fetched, Exit> {
        let mut attempts = 1;
        loop {
            match self.unless_stopped(feed.next(after)).await? {
                Ok(fetched) => return Ok(fetched),
                Err(error) => self.endure(error.category(), &error, attempts).await?,
            }
            attempts = attempts.saturating_add(1);
        }
    }

    /// Pauses after a failure that passes, and ends after any other one.
    pub(crate) async fn endure(
        &self,
        category: ErrorCategory,
        error: &(dyn std::error::Error + Sync),
        attempts: u32,
    ) -> Result<(), Exit> {
        let projection = self.name();
        match category {
            ErrorCategory::Transient => {
                metrics::retry(Retried::ProjectionStore);
                tracing::warn!(target: TARGET, projection, attempts, %error, "projection waits for the store");
                self.host.board().set_state(ProjectionState::Retrying { error: error.to_string() });
                self.pause(attempts).await
            }
            // Somebody else was faster, or it is not known what is stored: what is stored tells.
            ErrorCategory::Conflict | ErrorCategory::OutcomeUnknown => {
                tracing::debug!(target: TARGET, projection, %error, "projection looks again at what is stored");
                Err(Exit::Changed)
            }
            ErrorCategory::Permanent | ErrorCategory::Rejected => {
                Err(Exit::Failed(ProjectionFailure::of_store(error)))
            }
        }
    }

    /// Waits for news, for a ring of the bell, or for some time, or ends.
    pub(crate) async fn wait(
        &self,
        beyond: Option<Position>,
        bell: &mut watch::Receiver<u64>,
        time: Duration,
    ) -> Result<Woken, Exit> {
        let news = async {
            match beyond {
                Some(position) => self.store.wait_beyond(position).await,
                None => std::future::pending().await,
            }
        };
        // The bell's sender lives in the host.
        let rung = race(bell.changed(), tokio::time::sleep(time));
        match self.unless_stopped(race(rung, news)).await? {
            First::Left(First::Left(_)) => Ok(Woken::Rung),
            First::Left(First::Right(())) => Ok(Woken::Late),
            First::Right(Ok(_)) => Ok(Woken::News),
            First::Right(Err(error)) => Ok(Woken::Unheard(error)),
        }
    }
}

/// What ended a wait.
pub(crate) enum Woken {
    News,
    Rung,
    Late,
    /// The store could not say.
    Unheard(ReadError),
}
