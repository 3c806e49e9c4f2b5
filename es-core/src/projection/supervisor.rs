//! Which generations of a projection have a worker in this process.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::projection::batch::panic_message;
use crate::projection::failure::{BackOff, ProjectionFailure, caught};
use crate::projection::feed::READERS;
use crate::projection::generation::request_key;
use crate::projection::host::{Host, Needs};
use crate::projection::inline::Inline;
use crate::projection::membership::{Membership, Share};
use crate::projection::memory;
use crate::projection::partition::Partition;
use crate::projection::race::{First, race};
use crate::projection::shared_feed::SharedFeed;
use crate::projection::standing::Standing;
use crate::projection::worker::{Role, Worker};
use crate::projection::workplace::{Exit, Workplace};
use crate::projection::{ProjectionState, RebuildProgress};
use crate::store::{EventStore, Revision, StateCommit};
use crate::telemetry::TARGET;
use crate::version::Position;

/// Keeps a projection current until it is asked to stop. When it can not go on its status says why,
/// and it is tried again.
pub(crate) fn run<S: EventStore>(place: Workplace<S>) -> impl Future<Output = ()> + Send {
    // Made here and not in the block: a task may be dropped before it begins.
    let ended = Ended(Arc::clone(&place.host), place.inline.clone());
    let place = Arc::new(place);
    async move {
        let mut bell = place.host.board().bell();
        let (mut back_off, mut again) = (BackOff::new(), false);
        loop {
            let asked = asked(&place).await;
            let Err(failure) = run_once(&place, &mut back_off, again).await else { break };
            again = true;
            tracing::error!(target: TARGET, projection = place.name(), error = %failure, "projection failed");
            let pause = back_off.pause_after(&failure);
            bell.mark_unchanged();
            place.host.board().set_all(ProjectionState::Failed { reason: failure });
            let resting =
                asked_or_after(&place, &mut bell, asked, pause.map(|it| Instant::now() + it));
            if place.unless_stopped(resting).await.is_err() {
                break;
            }
            place.host.board().set_all(ProjectionState::CatchingUp);
        }
        if let Some(inline) = &place.inline {
            inline.end();
        }
        // Whoever waits for the end may open the store again: nothing holds it any more.
        let readers = Arc::clone(&place.readers);
        let _all = readers.acquire_many(READERS).await;
        drop(place);
        ended.0.board().end();
    }
}

/// Works until it is asked to stop, or says why it does not go on.
async fn run_once<S: EventStore>(
    place: &Arc<Workplace<S>>,
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
        Ok(Exit::Stopped | Exit::Changed | Exit::Inline | Exit::Reassigned) => Ok(()),
        Ok(Exit::Failed(failure)) => Err(failure),
        Err(panic) => Err(ProjectionFailure::Panicked { error: panic_message(&*panic).to_owned() }),
    }
}

/// When somebody has asked for something last, as the store tells; nothing if it does not tell.
async fn asked<S: EventStore>(place: &Workplace<S>) -> Option<Option<Revision>> {
    let (store, key) = (place.durable().ok()?, request_key(place.name()));
    let record = place.unless_stopped(store.dyn_get(&key)).await.ok()?.ok()?;
    Some(record.map(|record| record.revision))
}

/// Waits until somebody asks for something, in this process or since `known` in another one; or until
/// some time.
async fn asked_or_after<S: EventStore>(
    place: &Workplace<S>,
    bell: &mut watch::Receiver<u64>,
    known: Option<Option<Revision>>,
    until: Option<Instant>,
) {
    let mut known = known;
    loop {
        // As often as a worker would look.
        let look = place.lease_time / 3;
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let pause = left.map_or(look, |left| left.min(look));
        // The bell's sender lives in the host.
        if let First::Left(_) = race(bell.changed(), tokio::time::sleep(pause)).await {
            return;
        }
        if left.is_some_and(|left| left <= look) {
            return;
        }
        let Some(now) = asked(place).await else { continue };
        if *known.get_or_insert(now) != now {
            return;
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

async fn supervise<S: EventStore>(place: &Arc<Workplace<S>>, back_off: &mut BackOff) -> Exit {
    loop {
        match work(place, back_off).await {
            Exit::Changed | Exit::Inline | Exit::Reassigned => {}
            exit => return exit,
        }
        // What changes again and again must not keep the thread.
        tokio::task::yield_now().await;
    }
}

/// Works on the generations of this version until they change.
async fn work<S: EventStore>(place: &Arc<Workplace<S>>, back_off: &mut BackOff) -> Exit {
    let mut bell = place.host.board().bell();
    let known = asked(place).await;
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
    // Until when what has failed is left alone, while the others go on.
    let mut rests: Option<Option<Instant>> = None;
    loop {
        let rested = async {
            match rests {
                Some(until) => asked_or_after(place, &mut bell, known, until).await,
                None => std::future::pending().await,
            }
        };
        let (task, ended) = match race(team.next(), rested).await {
            First::Left(Some(ended)) => ended,
            First::Left(None) => return exit,
            First::Right(()) => {
                team.dismiss().await;
                return Exit::Changed;
            }
        };
        match ended {
            // The others begin anew too: what they have not committed is not stored.
            Exit::Changed | Exit::Inline | Exit::Reassigned => {
                team.dismiss().await;
                return Exit::Changed;
            }
            // The others are asked too, and end what they have begun.
            Exit::Stopped => exit = Exit::Stopped,
            Exit::Failed(reason) if team.is_alone() => {
                team.dismiss().await;
                return Exit::Failed(reason);
            }
            // The others go on, and the status says that this one does not.
            Exit::Failed(reason) => {
                bell.mark_unchanged();
                let pause = back_off.pause_after(&reason);
                rests = Some(pause.map(|pause| Instant::now() + pause));
                if let Task::Work(role, partition) = task {
                    show_failed(place, role, partition, reason);
                }
            }
        }
    }
}

fn show_failed<S: EventStore>(
    place: &Workplace<S>,
    role: Role,
    partition: Partition,
    reason: ProjectionFailure,
) {
    let projection = place.name();
    tracing::error!(target: TARGET, projection, ?role, error = %reason, "a generation failed");
    place.host.board().update(|status| match role {
        Role::Live => {
            let (position, _) = status.of(partition);
            let applied_until = status.applied_until;
            let state = ProjectionState::Failed { reason };
            status.show(partition, position, applied_until, state);
        }
        Role::Building { .. } => {
            let failed = Some(reason);
            let progress = RebuildProgress { failed, ..status.rebuild_of(partition) };
            status.show_rebuild(partition, progress);
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

    /// Whether no task is left.
    fn is_alone(&self) -> bool {
        self.tasks.is_empty()
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
        if standing.generations.serves(&projection) {
            place.decides.store(false, Ordering::SeqCst);
            return Ok(standing);
        }
        let effects = place.host.needs() == Needs::Effects;
        match standing.generations.otherwise_parted(&projection).filter(|_| effects) {
            Some((number, there)) => {
                // Two programs would take it from each other again and again.
                if !place.decides.load(Ordering::SeqCst) {
                    place.decides.store(true, Ordering::SeqCst);
                    let here = projection.partitions;
                    return Err(Exit::Failed(ProjectionFailure::OtherPartitions { here, there }));
                }
                standing.generations.follow(number, &projection);
            }
            None => {
                let begun_at = place.host.board().begun_at(place.head().await?);
                standing.generations.ensure(&projection, begun_at);
            }
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
