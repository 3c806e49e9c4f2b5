//! Which generations of a projection have a worker in this process.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use crate::projection::ProjectionState;
use crate::projection::feed::READERS;
use crate::projection::host::{Host, Needs};
use crate::projection::ledger::Standing;
use crate::projection::memory;
use crate::projection::worker::{Exit, Role, Worker, Workplace};
use crate::store::{EventStore, StateCommit};
use crate::telemetry::TARGET;

/// Keeps a projection current until it is asked to stop or fails for good. Its status says which,
/// also after any other end.
pub(crate) fn run<S: EventStore>(place: Workplace<S>) -> impl Future<Output = ()> + Send {
    // Made here and not in the block: a task may be dropped before it begins.
    let ended = Ended(Arc::clone(&place.host));
    async move {
        let exit = match place.host.needs() {
            Needs::Events => memory::run(&place).await,
            Needs::Documents | Needs::Rows(_) => supervise(&place).await,
        };
        let state = match exit {
            Exit::Stopped | Exit::Changed => ProjectionState::Stopped,
            Exit::Failed(error) => {
                tracing::error!(target: TARGET, projection = place.name(), %error, "projection failed");
                ProjectionState::Failed { error }
            }
        };
        // Whoever waits for the end may open the store again: nothing holds it any more.
        let Workplace { store, readers, .. } = place;
        let _all = readers.acquire_many(READERS).await;
        drop(store);
        ended.0.board().end(state);
    }
}

/// Says that a projection has ended if nothing else has: its task was aborted, its tokio runtime
/// ended, or the store panicked.
struct Ended(Arc<dyn Host>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.board().end(if std::thread::panicking() {
            ProjectionState::Failed { error: "the task that ran it panicked".to_owned() }
        } else {
            ProjectionState::Stopped
        });
    }
}

async fn supervise<S: EventStore>(place: &Workplace<S>) -> Exit {
    loop {
        match work(place).await {
            Exit::Changed => {}
            exit => return exit,
        }
        // What changes again and again must not keep the thread.
        tokio::task::yield_now().await;
    }
}

/// Works on the generations of this version until they change.
async fn work<S: EventStore>(place: &Workplace<S>) -> Exit {
    let standing = match stand(place).await {
        Ok(standing) => standing,
        Err(exit) => return exit,
    };
    let projection = place.host.projection();
    let live = standing.generations.live(&projection);
    let building = standing.generations.building(&projection);
    place.host.board().update(|status| {
        if building.is_none() {
            status.rebuild = None;
        }
        if live.is_none() {
            status.state = ProjectionState::Rebuilding;
        }
    });
    let worker = |generation, role| {
        let standing = standing.clone();
        Worker { place, generation, role, standing }.run()
    };
    let mut workers: Vec<(Role, Running<'_>)> = Vec::new();
    if let Some(live) = live {
        workers.push((Role::Live, Box::pin(worker(live, Role::Live))));
    }
    if let Some(building) = building {
        let role = Role::Building { hold: building.hold, live };
        workers.push((role, Box::pin(worker(building.number, role))));
    }
    let mut exit = Exit::Changed;
    while !workers.is_empty() {
        let (index, ended) = first(&mut workers).await;
        let (role, _) = workers.swap_remove(index);
        match ended {
            // The other one begins anew too: what it has not committed is not stored.
            Exit::Changed => return Exit::Changed,
            // The other one is asked too, and ends what it has begun.
            Exit::Stopped => exit = Exit::Stopped,
            // The other one goes on, and the status says that this one does not.
            Exit::Failed(error) => {
                tracing::error!(target: TARGET, projection = place.name(), ?role, %error, "a generation failed");
                place.host.board().update(|status| match role {
                    Role::Live => status.state = ProjectionState::Failed { error: error.clone() },
                    Role::Building { .. } => {
                        let rebuild = status.rebuild.get_or_insert_default();
                        rebuild.failed = Some(error.clone());
                    }
                });
                exit = Exit::Failed(error);
            }
        }
    }
    exit
}

/// Makes sure that there is a generation of this version.
async fn stand<S: EventStore>(place: &Workplace<S>) -> Result<Standing, Exit> {
    let (store, projection) = (place.durable()?, place.host.projection());
    loop {
        let mut standing = Standing::load(place).await?;
        if !standing.generations.ensure(&projection) {
            return Ok(standing);
        }
        let mut commit = StateCommit::default();
        standing
            .generations
            .put(&mut commit, projection.name, standing.revision)
            .map_err(|error| Exit::Failed(error.to_string()))?;
        match place.patiently(|| store.dyn_commit(commit.clone(), None)).await {
            // What is stored now is read again, with its revision.
            Ok(_) | Err(Exit::Changed) => {}
            Err(exit) => return Err(exit),
        }
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Exit> + Send + 'a>>;

/// The first worker that ends, and what it came to.
async fn first(workers: &mut [(Role, Running<'_>)]) -> (usize, Exit) {
    poll_fn(|context| {
        for (index, (_, future)) in workers.iter_mut().enumerate() {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready((index, output));
            }
        }
        Poll::Pending
    })
    .await
}
