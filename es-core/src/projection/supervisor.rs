//! Which generations of a projection have a worker in this process.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::projection::ProjectionState;
use crate::projection::batch::panic_message;
use crate::projection::failure::{BackOff, ProjectionFailure, caught};
use crate::projection::feed::READERS;
use crate::projection::host::{Host, Needs};
use crate::projection::inline::Inline;
use crate::projection::ledger::Standing;
use crate::projection::memory;
use crate::projection::race::{First, race};
use crate::projection::worker::{Exit, Role, Worker, Workplace};
use crate::store::{EventStore, StateCommit};

/// Keeps a projection current until it is asked to stop or fails for good. Its status says which,
/// also after any other end.
pub(crate) fn run<S: EventStore>(place: Workplace<S>) -> impl Future<Output = ()> + Send {
    // Made here and not in the block: a task may be dropped before it begins.
    let ended = Ended(Arc::clone(&place.host), place.inline.clone());
    async move {
        let mut bell = place.host.board().bell();
        let (mut back_off, mut again) = (BackOff::new(), false);
        while let Err(failure) = run_once(&place, &mut back_off, again).await {
            again = true;
            tracing::error!(projection = place.name(), error = %failure, "projection failed");
            let pause = back_off.pause_after(&failure);
            bell.mark_unchanged();
            place.host.board().set_state(ProjectionState::Failed { reason: failure });
            if place.unless_stopped(rung_or_after(&mut bell, pause)).await.is_err() {
                break;
            }
            place.host.board().set_state(ProjectionState::CatchingUp);
        }
        if let Some(inline) = &place.inline {
            inline.end();
        }
        // Whoever waits for the end may open the store again: nothing holds it any more.
        let Workplace { store, readers, .. } = place;
        let _all = readers.acquire_many(READERS).await;
        drop(store);
        ended.0.board().end();
    }
}

/// Works until it is asked to stop, or says why it does not go on.
async fn run_once<S: EventStore>(
    place: &Workplace<S>,
    back_off: &mut BackOff,
    again: bool,
) -> Result<(), ProjectionFailure> {
    let exit = match place.host.needs() {
        Needs::Events => caught(memory::run(place, again)).await,
        Needs::Documents | Needs::Rows(_) | Needs::Effects => {
            caught(supervise(place, back_off)).await
        }
    };
    match exit {
        Ok(Exit::Stopped | Exit::Changed | Exit::Inline) => Ok(()),
        Ok(Exit::Failed(failure)) => Err(failure),
        Err(panic) => Err(ProjectionFailure::Panicked { error: panic_message(&*panic).to_owned() }),
    }
}

/// Waits until somebody asks for something, or for some time.
async fn rung_or_after(bell: &mut watch::Receiver<u64>, pause: Option<Duration>) {
    match pause {
        // The bell's sender lives in the host.
        Some(pause) => {
            race(bell.changed(), tokio::time::sleep(pause)).await;
        }
        None => {
            let _ = bell.changed().await;
        }
    }
}

/// Says that a projection has ended if nothing else has: its task was aborted, or its tokio runtime
/// ended.
struct Ended(Arc<dyn Host>, Option<Inline>);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(inline) = &self.1 {
            inline.end();
        }
        self.0.board().end();
    }
}

async fn supervise<S: EventStore>(place: &Workplace<S>, back_off: &mut BackOff) -> Exit {
    loop {
        match work(place, back_off).await {
            Exit::Changed | Exit::Inline => {}
            exit => return exit,
        }
        // What changes again and again must not keep the thread.
        tokio::task::yield_now().await;
    }
}

/// Works on the generations of this version until they change.
async fn work<S: EventStore>(place: &Workplace<S>, back_off: &mut BackOff) -> Exit {
    let mut bell = place.host.board().bell();
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
    // Until when one that has failed is left alone, while the other one goes on.
    let mut rests: Option<Option<Instant>> = None;
    while !workers.is_empty() {
        let rested = async {
            match rests {
                Some(until) => {
                    let pause = until.map(|until| until.saturating_duration_since(Instant::now()));
                    rung_or_after(&mut bell, pause).await;
                }
                None => std::future::pending().await,
            }
        };
        let (index, ended) = match race(first(&mut workers), rested).await {
            First::Left(ended) => ended,
            First::Right(()) => return Exit::Changed,
        };
        let (role, _) = workers.swap_remove(index);
        match ended {
            // The other one begins anew too: what it has not committed is not stored.
            Exit::Changed | Exit::Inline => return Exit::Changed,
            // The other one is asked too, and ends what it has begun.
            Exit::Stopped => exit = Exit::Stopped,
            // The other one goes on, and the status says that this one does not.
            Exit::Failed(reason) => {
                if workers.is_empty() {
                    return Exit::Failed(reason);
                }
                let projection = place.name();
                tracing::error!(projection, ?role, error = %reason, "a generation failed");
                bell.mark_unchanged();
                let pause = back_off.pause_after(&reason);
                rests = Some(pause.map(|pause| Instant::now() + pause));
                place.host.board().update(|status| match role {
                    Role::Live => status.state = ProjectionState::Failed { reason },
                    Role::Building { .. } => {
                        status.rebuild.get_or_insert_default().failed = Some(reason);
                    }
                });
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
            .map_err(|error| Exit::Failed(ProjectionFailure::of_record(&error)))?;
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
