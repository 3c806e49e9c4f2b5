//! Side effects: what goes out of the program because of an event, and is not done in replays.
//!
//! The handlers of a read model are run as often as it is built. A side effect is a thing of its own:
//! it is run after its event is stored, in order, and has a cursor in the store that only moves on.

use std::any::Any;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use crate::event::Event;
use crate::event_set::EventSet;
use crate::projection::batch::{self, Batch, Chunk, panic_message};
use crate::projection::board::Board;
use crate::projection::failure::caught;
use crate::projection::feed::Fetched;
use crate::projection::host::{Effects, Host, Needs, ProjectionType, Start};
use crate::projection::ledger::{Entry, Ledger};
use crate::projection::race::{First, race};
use crate::projection::session::{Changes, Failure, Part, Session};
use crate::projection::worker::Shift;
use crate::projection::workplace::Exit;
use crate::projection::{ProjectError, Projection, ProjectionHome};
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
    fn react_event(
        &self,
        event: &Self::Event,
        occasion: &Occasion<'_>,
    ) -> impl Future<Output = Result<(), ProjectError>> + Send;
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
/// 1. It runs after its event is stored, for one event after the other, in their order.
/// 2. It runs for every event after the first start of a program that has it, and for none before:
///    not in a rebuild, not for another version, not because the cursor is not there yet.
/// 3. It runs at least once. It runs again only if it has failed, or the program has ended before it
///    was noted that it was done; [`Occasion::may_be_repeated`] tells when that may be, and
///    [`Occasion::key`] is the same then.
/// 4. It runs in one process at a time, as long as that one renews its lease.
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
    /// Whether it may have run for this event before: it has failed, or is the first event after a
    /// start or a takeover.
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

    fn react<'a>(&'a self, batch: &'a Batch, index: usize, again: Again) -> Reacting<'a> {
        Box::pin(async move {
            let Some((_, recorded, event)) = batch.events::<P::Event>().nth(index) else {
                return Ok(());
            };
            let events =
                event.as_ref().map_err(|error| Failure::unread(index, &recorded, error))?;
            for (part, event) in events.as_slice().iter().enumerate() {
                let (attempt, may_be_repeated) = (again.attempt, again.may_be_repeated);
                let occasion = Occasion { recorded, part, attempt, may_be_repeated };
                match caught(self.effect.react_event(event, &occasion)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Err(Failure::refused(index, &recorded, &error)),
                    Err(panic) => {
                        return Err(Failure::because(index, &recorded, panic_message(&*panic)));
                    }
                }
            }
            Ok(())
        })
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

/// A side effect on its way.
pub(crate) type Reacting<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// How often a side effect was tried.
#[derive(Clone, Copy)]
pub(crate) struct Again {
    attempt: u32,
    may_be_repeated: bool,
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
        for (index, recorded) in fetched.batch.records().enumerate() {
            if place.is_stopped() {
                return Err(Exit::Stopped);
            }
            let mut entry = Entry::of_one(fetched, index);
            let began = Stopwatch::start();
            let mut events = 0;
            if !skips.contains(&recorded.position) {
                events = 1;
                let mut attempt = 1;
                while let Err(failure) = self.react_to_one(ledger, fetched, index, attempt).await? {
                    let (projection, position) = (place.name(), failure.position.get());
                    let error = &failure.error;
                    if failure.transient && place.retry.allows_more_than(attempt) {
                        tracing::warn!(target: TARGET, projection, position, attempts = attempt, %error, "event is projected again");
                        place.pause(attempt).await?;
                        attempt += 1;
                        continue;
                    }
                    tracing::error!(target: TARGET, projection, position, %error, "projection parked");
                    ledger.park(&mut entry, failure, attempt);
                    events = 0;
                    break;
                }
                self.reacted = true;
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
        Ok(false)
    }

    /// Runs it for one event, and keeps the lease meanwhile. A stop waits for it.
    async fn react_to_one(
        &mut self,
        ledger: &mut Ledger,
        fetched: &Fetched,
        index: usize,
        attempt: u32,
    ) -> Result<Result<(), Failure>, Exit> {
        let place = &*self.worker.place;
        let may_be_repeated = attempt > 1 || !self.reacted;
        let again = Again { attempt, may_be_repeated };
        let mut reacting = place.host.react(&fetched.batch, index, again);
        loop {
            match race(&mut reacting, tokio::time::sleep(self.renewal())).await {
                First::Left(outcome) => return Ok(outcome),
                // Whoever has taken the lease over will run it too: then this one is of no use.
                First::Right(()) => self.renew(ledger).await?,
            }
        }
    }
}
