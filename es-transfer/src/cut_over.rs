//! Moving a store that is in use.

use std::time::{Duration, Instant};

use es_core::bytes::Bytes;
use es_core::uuid::Uuid;
use es_core::{
    COMMANDS_WITHOUT_EVENTS, Direction, ExpectedRevision, Fence, FenceError, FencedStore, Position,
    ProjectionStore, Query, QueryRange, StateError, StateKey, StateStore, StoreFailure,
    SubscriptionRecord,
};
use serde::{Deserialize, Serialize};

use crate::comparison::{Comparison, Verified};
use crate::copy::{Copy, Progress, last_event};
use crate::digest::Digest;
use crate::error::{CallOffError, CutOverError, TransferError};

/// The space of the target's record that says that a cut-over has come to its end; the name is the
/// identity of the source.
const DONE: &str = "cut-over";

/// When a round of catching up finds no more events than this, the store is fenced.
const FEW: u64 = 256;

const RECORDS: usize = 256;

impl<S: FencedStore + ProjectionStore, T: ProjectionStore> Copy<'_, S, T> {
    /// Moves a store that is in use: copies and verifies what is there while programs go on
    /// appending, and again until little is left; fences the source; copies and verifies the rest;
    /// and notes in the target that it is the store from now on. Then programs go on with the
    /// target: their appends to the source fail with
    /// [`AppendError::Fenced`](es_core::AppendError::Fenced), which names `successor`.
    ///
    /// ```
    /// use es_memory_store::MemoryStore;
    /// use es_transfer::{Copy, CutOver};
    ///
    /// # async fn example(old: MemoryStore, new: MemoryStore) -> Result<(), Box<dyn std::error::Error>> {
    /// let CutOver { verified, closed_for, .. } =
    ///     Copy::new(&old, &new).cut_over("the new store", |_| {}).await?;
    /// println!("{} events; none could be appended for {closed_for:?}", verified.events);
    /// # Ok(()) }
    /// ```
    ///
    /// What comes over besides the events is what can not be made anew: how far durable subscriptions
    /// are, and the commands that led to no event, by whose ids they are known when they are sent again.
    ///
    /// # Guarantees
    /// 1. **Nothing is lost**: an append is acknowledged before the fence, and copied, or refused.
    /// 2. **Killed at any moment and run again**, it ends the same. Once it has ended it answers with
    ///    what it found then, so that a program can run it at every start.
    /// 3. **No two stores live.** Until it has ended nothing says that the target may be written to;
    ///    once the fence stands the source takes nothing. In between nobody can append:
    ///    [`closed_for`](CutOver::closed_for) says for how long.
    ///
    /// # Errors
    /// See [`CutOverError`], which says whether the source is fenced. Then run it again, or open the
    /// source again with [`call_off`](Self::call_off).
    pub async fn cut_over(
        &self,
        successor: &str,
        mut step: impl FnMut(CutOverStep),
    ) -> Result<CutOver, CutOverError> {
        let key = self.key().await.map_err(CutOverError::State)?;
        let done = self.target().get(&key).await.map_err(CutOverError::State)?;
        if let Some(record) = done {
            return CutOver::read(&key, &record.value);
        }
        // Before the work and not after it.
        let fence =
            self.source().fenced().await.map_err(|error| CutOverError::Open(error.into()))?;
        if let Some(fence) = fence.filter(|fence| fence.successor != successor) {
            return Err(CutOverError::Fence(FenceError::Fenced { fence: Box::new(fence) }));
        }
        let mut comparison = Comparison::new(self);
        let (mut copied, mut last_round) = (0, u64::MAX);
        loop {
            let report = self.run(|progress| step(CutOverStep::Copying(progress))).await;
            let report = report.map_err(CutOverError::Open)?;
            copied += report.copied;
            step(CutOverStep::Verifying(report.position));
            comparison.up_to(report.position).await.map_err(CutOverError::Open)?;
            let round = report.copied + report.left_out;
            // When the rounds do not become shorter, programs append faster than a copy follows, and
            // every further round would leave more behind it.
            if round <= FEW || round > last_round / 2 {
                break;
            }
            last_round = round;
        }
        let begun = Instant::now();
        let (fence, head) = self.source().fence(successor).await.map_err(CutOverError::Fence)?;
        step(CutOverStep::Fenced(head));
        let closed = |error| CutOverError::Closed { fence: Box::new(fence.clone()), error };
        let report = self.run(|progress| step(CutOverStep::Copying(progress))).await;
        copied += report.map_err(closed)?.copied;
        step(CutOverStep::Verifying(head));
        comparison.up_to(head).await.map_err(closed)?;
        let verified = comparison.end().await.map_err(closed)?;
        let subscriptions = self.move_subscriptions().await?;
        copy_records(self.source(), self.target(), COMMANDS_WITHOUT_EVENTS)
            .await
            .map_err(CutOverError::State)?;
        let mut cut_over = CutOver {
            fence: fence.clone(),
            head,
            copied,
            subscriptions,
            verified,
            closed_for: begun.elapsed(),
            repeated: false,
        };
        step(CutOverStep::Noting);
        let value = cut_over.written(&key)?;
        let written = self.target().put(&key, value, ExpectedRevision::Any).await;
        written.map_err(CutOverError::State)?;
        cut_over.closed_for = begun.elapsed();
        Ok(cut_over)
    }

    /// Opens the source again, as if [`cut_over`](Self::cut_over) had never been run; also after it
    /// has ended, as long as the target has taken no event of its own. Answers with the fence that
    /// stood there.
    ///
    /// See to it that no program writes to the target any more.
    ///
    /// # Errors
    /// When the target has events that the source lacks, which would be lost, or a store fails.
    pub async fn call_off(&self) -> Result<Option<Fence>, CallOffError> {
        if let Some(last) = last_event(self.target()).await.map_err(TransferError::from)?
            && self.source().find(last.event_id).await.map_err(TransferError::from)?.is_none()
        {
            let (event_id, stream, version) = (last.event_id, last.stream, last.version);
            return Err(CallOffError::TargetLives { event_id, stream, version });
        }
        let key = self.key().await.map_err(CallOffError::State)?;
        self.target().remove(&key, ExpectedRevision::Any).await.map_err(CallOffError::State)?;
        self.source().lift_fence().await.map_err(CallOffError::Fence)
    }

    async fn key(&self) -> Result<StateKey, StateError> {
        Ok(StateKey::new(DONE, self.source().identity().await?.to_string()))
    }

    /// Moves how far durable subscriptions are, to the position of the same event in the target.
    async fn move_subscriptions(&self) -> Result<u64, CutOverError> {
        let (mut after, mut moved) = (None::<String>, 0);
        let identity: Uuid = self.target().identity().await.map_err(CutOverError::State)?;
        loop {
            let page = self.source().list(SubscriptionRecord::SPACE, after.as_deref(), RECORDS);
            let page = page.await.map_err(CutOverError::State)?;
            for (key, record) in &page.records {
                let record = SubscriptionRecord::read(key, record).map_err(CutOverError::State)?;
                let position = self.place_in_target(record.position()).await;
                let position = position.map_err(CutOverError::Records)?;
                let value = record.moved(identity, position).map_err(CutOverError::State)?;
                self.target()
                    .put(key, value, ExpectedRevision::Any)
                    .await
                    .map_err(CutOverError::State)?;
                moved += 1;
            }
            match page.next() {
                Some(name) => after = Some(name.to_owned()),
                None => return Ok(moved),
            }
        }
    }

    /// Where the target has the last event that came over of those up to a position of the source.
    async fn place_in_target(&self, position: Position) -> Result<Position, TransferError> {
        let mut range = QueryRange {
            up_to: position,
            direction: Direction::Backward,
            limit: 64,
            ..QueryRange::all()
        };
        loop {
            let page = self.source().read(&Query::all(), range).await?;
            for event in page.events.iter() {
                if let Some(found) = self.target().find(event.event_id).await? {
                    return Ok(found.position);
                }
                range.up_to = Position::new(event.position.get().saturating_sub(1));
            }
            if !page.more {
                return Ok(Position::ZERO);
            }
        }
    }
}

/// Copies the state records of a space, such as one of a program's own, and says how many there are.
/// Those that the target has under the same names are overwritten, so that it can be done again.
///
/// Records of es-core itself are not for this: a cut-over moves what can be moved of them.
///
/// # Errors
/// When a store fails. What was copied stays.
pub async fn copy_records(
    source: &impl StateStore,
    target: &impl StateStore,
    space: &str,
) -> Result<u64, StateError> {
    let (mut after, mut copied) = (None::<String>, 0);
    loop {
        let page = source.list(space, after.as_deref(), RECORDS).await?;
        for (key, record) in &page.records {
            target.put(key, record.value.clone(), ExpectedRevision::Any).await?;
            copied += 1;
        }
        match page.next() {
            Some(name) => after = Some(name.to_owned()),
            None => return Ok(copied),
        }
    }
}

/// How far a cut-over is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CutOverStep {
    /// Events are copied; before the fence stands, and behind it those that were left.
    Copying(Progress),
    /// What was copied is verified, up to this position of the source.
    Verifying(Position),
    /// The source is fenced, with this head.
    Fenced(Position),
    /// Everything is verified, and the target is told that it is the store from now on.
    Noting,
}

/// A store that was moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CutOver {
    /// The fence of the source.
    pub fence: Fence,
    /// The last position of the source.
    pub head: Position,
    /// How many events this run has copied.
    pub copied: u64,
    /// How many durable subscriptions go on in the target.
    pub subscriptions: u64,
    /// What the target has now.
    pub verified: Verified,
    /// How long nobody could append, if this run has put up the fence.
    pub closed_for: Duration,
    /// Whether it was done before, and this is what was found then.
    pub repeated: bool,
}

/// [`CutOver`] as the target keeps it.
#[derive(Serialize, Deserialize)]
struct Done {
    successor: String,
    since: es_core::jiff::Timestamp,
    head: u64,
    subscriptions: u64,
    events: u64,
    streams: u64,
    digest: String,
    closed_for_micros: u64,
}

impl CutOver {
    fn written(&self, key: &StateKey) -> Result<Bytes, CutOverError> {
        let done = Done {
            successor: self.fence.successor.clone(),
            since: self.fence.since,
            head: self.head.get(),
            subscriptions: self.subscriptions,
            events: self.verified.events,
            streams: self.verified.streams,
            digest: self.verified.digest.to_string(),
            closed_for_micros: u64::try_from(self.closed_for.as_micros()).unwrap_or(u64::MAX),
        };
        serde_json::to_vec(&done).map(Bytes::from).map_err(|error| no_record(key, error))
    }

    fn read(key: &StateKey, value: &[u8]) -> Result<Self, CutOverError> {
        let done: Done = serde_json::from_slice(value).map_err(|error| no_record(key, error))?;
        let digest: Digest = done.digest.parse().map_err(|error| no_record(key, error))?;
        Ok(Self {
            fence: Fence { successor: done.successor, since: done.since },
            head: Position::new(done.head),
            copied: 0,
            subscriptions: done.subscriptions,
            verified: Verified { events: done.events, streams: done.streams, digest },
            closed_for: Duration::from_micros(done.closed_for_micros),
            repeated: true,
        })
    }
}

fn no_record(
    key: &StateKey,
    error: impl std::error::Error + Send + Sync + 'static,
) -> CutOverError {
    let what = format!("state record `{key}` of the target is none of a cut-over");
    CutOverError::State(StateError::Permanent(StoreFailure::caused_by(what, error)))
}
