//! Which generations of a projection have a worker in this process.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::projection::feed::READERS;
use crate::projection::host::{Host, Needs};
use crate::projection::ledger::Standing;
use crate::projection::membership::{Membership, Share};
use crate::projection::memory;
use crate::projection::partition::Partition;
use crate::projection::shared_feed::SharedFeed;
use crate::projection::worker::{Exit, Role, Worker, Workplace};
use crate::projection::{ProjectionState, RebuildProgress};
use crate::store::{EventStore, StateCommit};
use crate::telemetry::TARGET;
use crate::version::Position;

/// Keeps a projection current until it is asked to stop or fails for good. Its status says which,
/// also after any other end.
pub(crate) fn run<S: EventStore>(place: Workplace<S>) -> impl Future<Output = ()> + Send {
    // Made here and not in the block: a task may be dropped before it begins.
    let ended = Ended(Arc::clone(&place.host));
    let place = Arc::new(place);
    async move {
        let exit = match place.host.needs() {
            Needs::Events => memory::run(&place).await,
            Needs::Documents | Needs::Rows(_) => supervise(&place).await,
        };
        let state = match exit {
            Exit::Stopped | Exit::Changed | Exit::Reassigned => ProjectionState::Stopped,
            Exit::Failed(error) => {
                tracing::error!(target: TARGET, projection = place.name(), %error, "projection failed");
                ProjectionState::Failed { error }
            }
        };
        // Whoever waits for the end may open the store again: nothing holds it any more.
        let readers = Arc::clone(&place.readers);
        let _all = readers.acquire_many(READERS).await;
        drop(place);
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

async fn supervise<S: EventStore>(place: &Arc<Workplace<S>>) -> Exit {
    loop {
        match work(place).await {
            Exit::Changed | Exit::Reassigned => {}
            exit => return exit,
        }
        // What changes again and again must not keep the thread.
        tokio::task::yield_now().await;
    }
}

/// Works on the generations of this version until they change.
async fn work<S: EventStore>(place: &Arc<Workplace<S>>) -> Exit {
    let standing = match stand(place).await {
        Ok(standing) => standing,
        Err(exit) => return exit,
    };
    let projection = place.host.projection();
    let live = standing.generations.live(&projection);
    let building = standing.generations.building(&projection);
    place.host.board().update(|status| {
        if building.is_none() {
            status.no_rebuild();
        }
        if live.is_none() {
            status.state = ProjectionState::Rebuilding;
        }
    });
    let several = projection.partitions > 1;
    let share = watch::Sender::new(if several { Share::NONE } else { Share::ALL });
    let mut team = Team::default();
    let mut employ = |generation, role| {
        let feed = several.then(|| Arc::new(SharedFeed::new(place.feed(Position::MAX))));
        for partition in Partition::all(projection.partitions) {
            let worker = Worker {
                place: Arc::clone(place),
                generation,
                partition,
                share: share.subscribe(),
                feed: feed.clone(),
                role,
                standing: standing.clone(),
            };
            team.spawn(Task::Work(role, partition), worker.run());
        }
    };
    if let Some(live) = live {
        employ(live, Role::Live);
    }
    if let Some(building) = building {
        employ(building.number, Role::Building { hold: building.hold, live });
    }
    if several {
        team.spawn(Task::Share, Membership::new(place, share).run());
    }
    let mut exit = Exit::Changed;
    while let Some((task, ended)) = team.next().await {
        match ended {
            // The others begin anew too: what they have not committed is not stored.
            Exit::Changed | Exit::Reassigned => {
                team.dismiss().await;
                return Exit::Changed;
            }
            // The others are asked too, and end what they have begun.
            Exit::Stopped => exit = Exit::Stopped,
            // The others go on, and the status says that this one does not.
            Exit::Failed(error) => {
                match task {
                    Task::Share => {}
                    Task::Work(role, partition) => show_failed(place, role, partition, &error),
                }
                exit = Exit::Failed(error);
            }
        }
    }
    exit
}

fn show_failed<S: EventStore>(place: &Workplace<S>, role: Role, partition: Partition, error: &str) {
    let projection = place.name();
    tracing::error!(target: TARGET, projection, ?role, %error, "a generation failed");
    place.host.board().update(|status| {
        let error = error.to_owned();
        match role {
            Role::Live => {
                let (position, _) = status.of(partition);
                let applied_until = status.applied_until;
                let state = ProjectionState::Failed { error };
                status.show(partition, position, applied_until, state);
            }
            Role::Building { .. } => {
                let failed = Some(error);
                let progress = RebuildProgress { failed, ..status.rebuild_of(partition) };
                status.show_rebuild(partition, progress);
            }
        }
    });
}

/// The tasks of a projection.
#[derive(Default)]
struct Team {
    tasks: JoinSet<(Task, Exit)>,
}

/// What a task is for.
#[derive(Clone, Copy)]
enum Task {
    Work(Role, Partition),
    /// To share the partitions with other processes.
    Share,
}

impl Team {
    fn spawn(&mut self, task: Task, work: impl Future<Output = Exit> + Send + 'static) {
        self.tasks.spawn(async move { (task, work.await) });
    }

    /// The next task that ends, and what it came to.
    async fn next(&mut self) -> Option<(Task, Exit)> {
        match self.tasks.join_next().await? {
            Ok(ended) => Some(ended),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => {
                    self.dismiss().await;
                    resume_unwind(panic)
                }
                // The tokio runtime ends.
                Err(_) => None,
            },
        }
    }

    /// Ends all tasks, and waits until nothing is left of them.
    async fn dismiss(&mut self) {
        self.tasks.shutdown().await;
    }
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
