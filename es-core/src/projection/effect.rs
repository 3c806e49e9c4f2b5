//! Side effects: what goes out of the program because of an event, and is not done in replays.
//!
//! The handlers of a read model are run as often as it is built. A side effect is a thing of its own:
//! it is run after its event is stored, in order, and has a cursor in the store that only moves on.

use std::any::Any;
use std::collections::HashSet;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use crate::event::Event;
use crate::event_set::EventSet;
use crate::projection::batch::{self, Batch, panic_message};
use crate::projection::board::Board;
use crate::projection::chunk::Chunk;
use crate::projection::failure::caught;
use crate::projection::feed::Fetched;
use crate::projection::handover::Handover;
use crate::projection::host::{Effects, Host, Needs, ProjectionType, Start};
use crate::projection::ledger::{Entry, Ledger};
use crate::projection::partition::Partition;
use crate::projection::race::{First, race};
use crate::projection::session::{Changes, Failure, Part, Session, guarded};
use crate::projection::worker::Shift;
use crate::projection::workplace::Exit;
use crate::projection::{Keys, ProjectError, Projection, ProjectionHome};
use crate::query::Query;
use crate::recorded::{Page, Recorded};
use crate::store::EventStore;
use crate::telemetry::TARGET;
use crate::telemetry::metrics::{self, Stopwatch};

/// What a program does outside because of events. `#[projection(effects)]` generates it.
pub trait EffectProjection: Projection<Home = Effects> {
    /// Does what the event asks for, by the `React` of that event.
    ///
    /// # Errors
    /// When that `React` fails.
    fn react_event<'a>(
        &'a self,
        event: &'a Self::Event,
        occasion: &'a Occasion<'a>,
    ) -> impl Future<Output = Result<(), ProjectError>> + Send + 'a;
}

/// What a program does outside because of one event: send a mail, call a service, push a message.
///
/// ```
/// use es_core::prelude::*;
/// use es_core::{Occasion, React};
///
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "account.opened")]
/// # pub struct Opened { owner: String }
/// # #[derive(Default)]
/// # struct Mailer;
/// # impl Mailer { async fn send(&self, _: &str, _: &str) -> std::io::Result<()> { Ok(()) } }
/// #[derive(Projection, Default)]
/// #[projection(name = "welcome-mail", events(Opened), effects)]
/// pub struct WelcomeMail {
///     mailer: Mailer,
/// }
///
/// impl React<Opened> for WelcomeMail {
///     async fn react(&self, event: &Opened, occasion: &Occasion<'_>) -> Result<(), ProjectError> {
///         // The mailer drops a mail whose key it has seen.
///         self.mailer.send(&occasion.key(), &event.owner).await?;
///         Ok(())
///     }
/// }
/// ```
///
/// # Contract
/// 1. It runs after its event is stored, for one event after the other, in their order; with
///    `partitions`, in that order for the events of each key.
/// 2. It runs for every event after the first start of a program that has it, and for none before:
///    not in a rebuild, not for another version, not because the cursor is not there yet.
/// 3. It runs at least once. It runs again only if it has failed, or the program has ended before it
///    was noted that it was done; [`Occasion::may_be_repeated`] tells when that may be, and
///    [`Occasion::key`] is the same then.
/// 4. It runs in one process at a time, as long as that one renews its lease; with `partitions`, each
///    of them does.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what it does because of event `{E}`",
    label = "missing `impl React<{E}> for {Self}`",
    note = "write `impl React<{E}> for {Self} {{ async fn react(&self, event: &{E}, occasion: &Occasion<'_>) -> Result<(), ProjectError> {{ .. }} }}`"
)]
pub trait React<E: Event> {
    /// Does it.
    ///
    /// Give what it waits for a deadline of its own: nothing else ends it, and a graceful stop waits
    /// for it.
    ///
    /// # Errors
    /// A failure that may pass ([`ProjectError::transient`]) is tried again; then, and after any other
    /// one, it parks before the event until somebody resumes it or skips the event.
    fn react(
        &self,
        event: &E,
        occasion: &Occasion<'_>,
    ) -> impl Future<Output = Result<(), ProjectError>> + Send;
}

/// What a handler does, so that those of all events are of one type.
pub fn boxed<'a>(
    reacting: impl Future<Output = Result<(), ProjectError>> + Send + 'a,
) -> Pin<Box<dyn Future<Output = Result<(), ProjectError>> + Send + 'a>> {
    Box::pin(reacting)
}

/// For what a side effect runs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Occasion<'a> {
    /// The stored event.
    pub recorded: Recorded<'a>,
    /// Which of the events that the stored one is today, counted from zero: more than zero only if an
    /// upcast splits it.
    pub part: usize,
    /// How often it is tried by this process, from one.
    pub attempt: u32,
    /// Whether it may have run for this event before: it has failed, or is the first event of its
    /// partition after a start or a takeover; or the first one of a former partition, if their number
    /// was changed.
    pub may_be_repeated: bool,
}

impl Occasion<'_> {
    /// What tells this event from every other one of the store, whenever it runs for it: the key by
    /// which a receiver drops what it has seen.
    pub fn key(&self) -> String {
        match self.part {
            0 => self.recorded.event_id.to_string(),
            part => format!("{}.{part}", self.recorded.event_id),
        }
    }
}

/// A side effect, in this process.
pub(crate) struct EffectHost<P> {
    board: Board,
    effect: P,
}

impl<P: EffectProjection> EffectHost<P> {
    pub(crate) fn new(effect: P) -> Self {
        Self { board: Board::new(&ProjectionType::of::<P>(), ProjectionHome::Effects), effect }
    }
}

impl<P: EffectProjection> Host for EffectHost<P> {
    fn projection(&self) -> ProjectionType {
        ProjectionType::of::<P>()
    }

    fn board(&self) -> &Board {
        &self.board
    }

    fn query(&self) -> Query {
        P::Event::query()
    }

    fn decode(&self, page: &Page, part: Range<usize>) -> Chunk {
        batch::decode::<P::Event>(page, part)
    }

    fn session(self: Arc<Self>, _: Start) -> Box<dyn Session> {
        Box::new(NothingHeld)
    }

    fn needs(&self) -> Needs {
        Needs::Effects
    }

    fn concerns(&self, batch: &Batch, partition: Partition) -> bool {
        batch
            .events::<P::Event>()
            .any(|(_, recorded, event)| partition.takes::<P>(&recorded, event))
    }

    fn places(&self, batch: &Batch, partition: Partition) -> Vec<usize> {
        let events = batch.events::<P::Event>();
        let own = events.filter(|(_, recorded, event)| partition.takes::<P>(recorded, event));
        own.map(|(index, ..)| index).collect()
    }

    fn react<'a>(&'a self, batch: &'a Batch, index: usize, turn: Turn<'a>) -> Reacting<'a> {
        Box::pin(async move {
            let mut reacted = Reacted::default();
            let Some((_, recorded, event)) = batch.events::<P::Event>().nth(index) else {
                return Ok(reacted);
            };
            let events =
                event.as_ref().map_err(|error| Failure::unread(index, &recorded, error))?;
            for (part, event) in events.as_slice().iter().enumerate() {
                let key = key_of::<P>(index, event, &recorded)?;
                if !turn.partition.holds(&key) || turn.handover.has_done(&key, recorded.position) {
                    continue;
                }
                let former: Vec<_> = turn.handover.partitions(&key).collect();
                let is_first = former.iter().any(|it| !turn.met.contains(it));
                let occasion = Occasion {
                    recorded,
                    part,
                    attempt: turn.attempt,
                    may_be_repeated: turn.may_be_repeated || is_first,
                };
                match caught(self.effect.react_event(event, &occasion)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Err(Failure::refused(index, &recorded, &error)),
                    Err(panic) => {
                        return Err(Failure::because(index, &recorded, panic_message(&*panic)));
                    }
                }
                reacted.ran = true;
                reacted.former.extend(former);
            }
            Ok(reacted)
        })
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

/// The key that decides the partition of an event.
fn key_of<P: EffectProjection>(
    index: usize,
    event: &P::Event,
    recorded: &Recorded<'_>,
) -> Result<String, Failure> {
    if P::PARTITIONED_BY_STREAM {
        return Ok(recorded.stream.as_str().to_owned());
    }
    let mut keys = Keys::default();
    guarded(index, recorded, || {
        P::partition_key(event, recorded, &mut keys);
        Ok(())
    })?;
    Ok(keys.iter().next().unwrap_or_default().to_owned())
}

/// A side effect on its way.
pub(crate) type Reacting<'a> = Pin<Box<dyn Future<Output = Result<Reacted, Failure>> + Send + 'a>>;

/// For which partition a side effect is run, and how often it was tried.
#[derive(Clone, Copy)]
pub(crate) struct Turn<'a> {
    partition: Partition,
    attempt: u32,
    may_be_repeated: bool,
    handover: &'a Handover,
    /// The former partitions of which an event was run, so that the next one was not run before.
    met: &'a HashSet<(usize, usize)>,
}

/// What became of a side effect.
#[derive(Default)]
pub(crate) struct Reacted {
    /// Whether it was run, or all of it was done already.
    ran: bool,
    /// The former partitions of what was run.
    former: Vec<(usize, usize)>,
}

struct NothingHeld;

impl Session for NothingHeld {
    fn apply(&mut self, _: &Arc<Batch>, _: &Part) -> Result<Changes, Failure> {
        Ok(Changes::default())
    }
}

impl<S: EventStore> Shift<'_, S> {
    /// Runs the side effect for one event after the other, and notes each that is done. Whether it is
    /// parked then.
    pub(crate) async fn react(
        &mut self,
        ledger: &mut Ledger,
        fetched: &Fetched,
    ) -> Result<bool, Exit> {
        let place = &*self.worker.place;
        let store = place.durable()?;
        let skips = ledger.skips();
        for index in place.host.places(&fetched.batch, self.worker.partition) {
            if place.is_stopped() {
                return Err(Exit::Stopped);
            }
            let mut entry = Entry::of_one(fetched, index);
            let began = Stopwatch::start();
            let mut events = 0;
            if !skips.contains(&entry.token()) {
                let mut attempt = 1;
                loop {
                    match self.react_to_one(ledger, fetched, index, attempt).await? {
                        Ok(reacted) => {
                            events = u64::from(reacted.ran);
                            self.reacted |= reacted.ran;
                            self.met.extend(reacted.former);
                            break;
                        }
                        Err(failure)
                            if failure.transient && place.retry.allows_more_than(attempt) =>
                        {
                            let (projection, position) = (place.name(), failure.position.get());
                            let error = &failure.error;
                            tracing::warn!(target: TARGET, projection, position, attempts = attempt, %error, "event is projected again");
                            place.pause(attempt).await?;
                            attempt += 1;
                        }
                        Err(failure) => {
                            let (projection, position) = (place.name(), failure.position.get());
                            let error = &failure.error;
                            tracing::error!(target: TARGET, projection, position, %error, "projection parked");
                            ledger.park(&mut entry, failure, attempt);
                            self.reacted = true;
                            break;
                        }
                    }
                }
                if events == 0 && !entry.parks() {
                    // It was done in another number of partitions: so it is noted already.
                    ledger.see(entry.token());
                    continue;
                }
            }
            let mut attempts = 1;
            loop {
                let changes = Changes { events, ..Changes::default() };
                match ledger.commit(store, &entry, changes).await {
                    Ok(()) => break,
                    Err(error) => place.endure(error.category(), &error, attempts).await?,
                }
                attempts += 1;
            }
            self.renewed = Instant::now();
            metrics::projected(place.name(), events, began);
            if ledger.is_parked() {
                return Ok(true);
            }
            self.report(ledger);
        }
        ledger.see(fetched.token);
        // Pages in which nothing is its own are no reason to lose the lease.
        if self.renewed.elapsed() >= self.renewal() {
            self.renew(ledger).await?;
        }
        Ok(false)
    }

    /// Runs it for one event, and keeps the lease meanwhile. A stop waits for it.
    async fn react_to_one(
        &mut self,
        ledger: &mut Ledger,
        fetched: &Fetched,
        index: usize,
        attempt: u32,
    ) -> Result<Result<Reacted, Failure>, Exit> {
        let place = &*self.worker.place;
        let may_be_repeated = attempt > 1 || !self.reacted;
        let (handover, met) = (Arc::clone(ledger.handover()), self.met.clone());
        let partition = self.worker.partition;
        let turn = Turn { partition, attempt, may_be_repeated, handover: &handover, met: &met };
        let mut reacting = place.host.react(&fetched.batch, index, turn);
        loop {
            match race(&mut reacting, tokio::time::sleep(self.renewal())).await {
                First::Left(outcome) => return Ok(outcome),
                // Whoever has taken the lease over will run it too: then this one is of no use.
                First::Right(()) => self.renew(ledger).await?,
            }
        }
    }
}
