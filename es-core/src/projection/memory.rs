//! The worker of a projection that is kept in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::projection::board::Board;
use crate::projection::failure::ProjectionFailure;
use crate::projection::generation::request_key;
use crate::projection::host::Start;
use crate::projection::partition::Partition;
use crate::projection::records::skips;
use crate::projection::session::{Failure, KeySet, Part};
use crate::projection::workplace::{Exit, Woken, Workplace};
use crate::projection::{ProjectionState, RebuildProgress};
use crate::store::{EventStore, Revision};
use crate::telemetry::metrics::{self, Stopwatch};
use crate::telemetry::{Retried, TARGET, project_span};
use crate::version::Position;

/// How often requests from other processes are looked for while the projection is parked.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Behind the head, those who wait are told so often how far it is, and others may run on this thread:
/// more often would wake them for every few events.
const TELL_AGAIN: Duration = Duration::from_millis(2);

/// A longer time than anybody waits.
const FOREVER: Duration = Duration::from_secs(60 * 60 * 24);

/// Applies every event until it is asked to stop or can not go on. After a failure, when it
/// runs `again`, the state may be half changed: it is built anew beside.
pub(crate) async fn run<S: EventStore>(place: &Workplace<S>, again: bool) -> Exit {
    let work = Work { place, position: Position::ZERO, rebuilt: 0, heard: None };
    match work.work(again).await {
        Ok(never) => match never {},
        Err(exit) => exit,
    }
}

struct Work<'a, S> {
    place: &'a Workplace<S>,
    /// Up to where the state has seen everything.
    position: Position,
    rebuilt: u64,
    heard: Option<Revision>,
}

impl<S: EventStore> Work<'_, S> {
    fn board(&self) -> &Board {
        self.place.host.board()
    }

    async fn work(mut self, again: bool) -> Result<std::convert::Infallible, Exit> {
        let place = self.place;
        let mut bell = self.board().bell();
        self.load_skips().await?;
        if again {
            self.rebuilt = self.board().rebuilt();
            self.replay(self.board().status().position).await?;
        }
        let mut session = Arc::clone(&place.host).session(Start::Shown);
        let mut feed = place.feed(Position::MAX);
        let mut failed_at = (Position::ZERO, 0);
        let mut told = None;
        loop {
            let fetched = place.next(&mut feed, self.position).await?;
            let begun_at = self.board().begun_at(fetched.head);
            let part = self.part(fetched.batch.len(), begun_at);
            let began = Stopwatch::start();
            let span = project_span(place.name(), None, None, fetched.batch.len());
            let applied = span.in_scope(|| session.apply(&fetched.batch, &part));
            if let Ok(changes) = &applied {
                metrics::projected(place.name(), changes.events, began);
            }
            if let Err(failure) = applied {
                failed_at = match failed_at {
                    (position, attempts) if position == failure.position => {
                        (position, attempts + 1)
                    }
                    _ => (failure.position, 1),
                };
                let attempts = failed_at.1;
                if failure.transient && place.retry.allows_more_than(attempts) {
                    let (projection, error) = (place.name(), &failure.error);
                    metrics::retry(Retried::Project);
                    tracing::warn!(target: TARGET, projection, attempts, %error, "event is projected again");
                    place.pause(attempts).await?;
                    self.replay(before(failure.position)).await?;
                } else {
                    feed.rest();
                    self.park(failure, attempts, &mut bell).await?;
                }
                continue;
            }
            self.position = fetched.token;
            let tells = told.is_none_or(|told: Instant| told.elapsed() >= TELL_AGAIN);
            if !fetched.more || tells {
                told = Some(Instant::now());
                self.board().update(|status| {
                    status.position = fetched.token;
                    status.head = status.head.max(fetched.head);
                    status.applied_until = fetched.last_recorded_at.or(status.applied_until);
                    status.state = if fetched.more {
                        ProjectionState::CatchingUp
                    } else {
                        ProjectionState::Live
                    };
                });
            }
            self.rebuild_if_asked().await?;
            if fetched.more {
                if tells {
                    tokio::task::yield_now().await;
                }
                continue;
            }
            match place.wait(Some(self.position), &mut bell, FOREVER).await? {
                Woken::News | Woken::Late => tokio::task::coop::consume_budget().await,
                Woken::Rung => self.rebuild_if_asked().await?,
                Woken::Unheard(error) => place.endure(error.category(), &error, 1).await?,
            }
        }
    }

    fn part(&self, end: usize, replay_until: Position) -> Part {
        Part {
            end,
            skips: self.board().skips(),
            keys: KeySet::default(),
            partition: Partition::ONLY,
            replay_until,
        }
    }

    /// Parks before the event, without anything that its handler left behind, until somebody has
    /// decided.
    async fn park(
        &mut self,
        failure: Failure,
        attempts: u32,
        bell: &mut tokio::sync::watch::Receiver<u64>,
    ) -> Result<(), Exit> {
        let (place, position) = (self.place, failure.position);
        let error = failure.error.clone();
        tracing::error!(target: TARGET, projection = place.name(), position = position.get(), %error, "projection parked");
        bell.mark_unchanged();
        let letter = failure.letter(place.name(), None, Partition::ONLY, attempts);
        // Before anybody is told: who reads then sees nothing of the event.
        self.replay(before(position)).await?;
        self.board().update(|status| {
            // Everything before the event is applied, and whatever lies between is not wanted.
            status.position = before(position);
            status.head = status.head.max(position);
            status.dead_letters = Arc::new(vec![letter]);
            status.state = ProjectionState::Parked { position, error };
        });
        loop {
            let woken = place.wait(None, bell, LOOK_AGAIN).await?;
            let rung = matches!(woken, Woken::Rung);
            if self.load_skips().await? || rung {
                break;
            }
        }
        self.board().update(|status| {
            status.dead_letters = Arc::default();
            status.state = ProjectionState::CatchingUp;
        });
        Ok(())
    }

    /// Takes note of what was skipped, also in other processes. Whether somebody has asked for
    /// something since.
    async fn load_skips(&mut self) -> Result<bool, Exit> {
        let place = self.place;
        let Ok(store) = place.durable() else { return Ok(false) };
        let key = request_key(place.name());
        let revision = place.patiently(|| store.dyn_get(&key)).await?.map(|it| it.revision);
        let news = revision != self.heard;
        if news {
            self.heard = revision;
            self.board().set_skips(Arc::new(skips(place, store).await?));
        }
        Ok(news)
    }

    async fn rebuild_if_asked(&mut self) -> Result<(), Exit> {
        let asked = self.board().rebuilds();
        if asked > self.rebuilt {
            self.replay(self.position).await?;
            self.rebuilt = asked;
            self.board().set_rebuilt(asked);
        }
        Ok(())
    }

    /// Builds the state anew up to a position, beside the one that is shown, and shows it then.
    async fn replay(&mut self, up_to: Position) -> Result<(), Exit> {
        let place = self.place;
        let (began, mut events) = (Instant::now(), 0);
        let mut session = Arc::clone(&place.host).session(Start::Empty);
        let mut feed = place.feed(up_to);
        let mut at = Position::ZERO;
        let mut told = began;
        while at < up_to {
            let fetched = place.next(&mut feed, at).await?;
            let part = self.part(fetched.batch.len(), up_to);
            match session.apply(&fetched.batch, &part) {
                Ok(changes) => events += changes.events,
                // It was applied before: what it does does not depend on the events alone.
                Err(failure) => {
                    let error = failure.error;
                    return Err(Exit::Failed(ProjectionFailure::NotRepeatable { error }));
                }
            }
            at = fetched.token;
            if fetched.more && told.elapsed() < TELL_AGAIN {
                continue;
            }
            told = Instant::now();
            let per_second = (events as f64 / began.elapsed().as_secs_f64().max(1e-6)) as u64;
            self.board().update(|status| {
                status.rebuild = Some(RebuildProgress {
                    generation: None,
                    position: at,
                    head: up_to,
                    events,
                    events_per_second: per_second,
                    ..RebuildProgress::default()
                });
            });
            if !fetched.more {
                break;
            }
            tokio::task::yield_now().await;
        }
        session.publish();
        self.position = up_to;
        self.board().update(|status| {
            status.rebuild = None;
            status.position = up_to;
        });
        Ok(())
    }
}

fn before(position: Position) -> Position {
    Position::new(position.get().saturating_sub(1))
}
