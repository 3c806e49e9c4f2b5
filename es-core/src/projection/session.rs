//! What a generation does with events: the seam between the worker and the homes.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jiff::Timestamp;

use crate::error::ErrorCategory;
use crate::event_set::DecodeError;
use crate::projection::ProjectError;
use crate::projection::batch::{Batch, panic_message};
use crate::projection::dead_letter::DeadLetter;
use crate::projection::partition::Partition;
use crate::recorded::Recorded;
use crate::store::AnyRowWork;
use crate::version::{Position, Version};

/// One generation of a projection, which applies events; its type is forgotten.
pub(crate) trait Session: Send {
    /// The documents that the part needs and that the session has not loaded.
    fn missing(&mut self, _: &Batch, _: &Part) -> Vec<String> {
        Vec::new()
    }

    /// Takes documents as they are stored.
    fn load(&mut self, _: Vec<(String, Option<bytes::Bytes>)>) {}

    /// Applies a part of the batch, and says what must be stored for it.
    ///
    /// At the first event that fails it stops. What it did until then is not to be stored:
    /// `forget` it and apply again what comes before.
    fn apply(&mut self, batch: &Arc<Batch>, part: &Part) -> Result<Changes, Failure>;

    /// Why the rows' work of the last part gave up.
    fn take_failure(&mut self) -> Option<Failure> {
        None
    }

    /// What was applied is stored.
    fn committed(&mut self) {}

    /// Forgets everything that is not stored.
    fn forget(&mut self) {}

    /// Forgets one document, which somebody else has stored.
    fn forget_key(&mut self, _: &str) {}

    /// Shows what the session holds to readers, if it did not do so all the time.
    fn publish(&mut self) {}
}

/// Which events of a batch are applied.
#[derive(Clone)]
pub(crate) struct Part {
    /// Those before this place.
    pub(crate) end: usize,
    /// Not those at these positions.
    pub(crate) skips: Arc<BTreeSet<Position>>,
    /// For which keys.
    pub(crate) keys: KeySet,
    /// Those that belong here.
    pub(crate) partition: Partition,
    /// Those up to here are a replay.
    pub(crate) replay_until: Position,
}

impl Part {
    /// Whether the event may be applied.
    pub(crate) fn holds(&self, index: usize, recorded: &Recorded<'_>) -> bool {
        index < self.end && (self.skips.is_empty() || !self.skips.contains(&recorded.position))
    }

    /// Whether the event is applied in a replay.
    pub(crate) fn replays(&self, recorded: &Recorded<'_>) -> bool {
        recorded.position <= self.replay_until
    }

    /// Whether the event at this position changes the document.
    pub(crate) fn holds_key(&self, key: &str, position: Position) -> bool {
        self.partition.holds(key) && self.keys.holds(key, position)
    }
}

/// Which documents are changed.
#[derive(Clone)]
pub(crate) enum KeySet {
    /// All; but those that are parked only before the event that they are parked at.
    Except(Arc<BTreeMap<String, DeadLetter>>),
    /// One that was parked.
    Only(String),
}

impl Default for KeySet {
    fn default() -> Self {
        Self::Except(Arc::default())
    }
}

impl KeySet {
    fn holds(&self, key: &str, position: Position) -> bool {
        match self {
            Self::Except(parked) if parked.is_empty() => true,
            Self::Except(parked) => parked.get(key).is_none_or(|letter| position < letter.position),
            Self::Only(only) => only == key,
        }
    }
}

/// Documents by key; those without a value are removed.
pub(crate) type ChangedDocuments = Vec<(String, Option<Vec<u8>>)>;

/// What must be stored for a part.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) documents: ChangedDocuments,
    /// What is done with rows.
    pub(crate) rows: Option<AnyRowWork>,
    /// How many events were applied.
    pub(crate) events: u64,
}

/// An event that could not be applied.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// Its place in the batch.
    pub(crate) index: usize,
    /// The only document that it is about.
    pub(crate) key: Option<String>,
    pub(crate) position: Position,
    place: Box<Place>,
    /// What went wrong, with the place of the event.
    pub(crate) error: String,
    /// Whether it may pass by itself.
    pub(crate) transient: bool,
}

/// Where the event stands beside its position.
#[derive(Clone, Debug)]
struct Place {
    stream: String,
    version: Version,
    event: String,
    /// What went wrong, without the place.
    reason: String,
}

impl Failure {
    fn new(
        index: usize,
        recorded: &Recorded<'_>,
        (error, reason): (String, String),
        transient: bool,
    ) -> Self {
        Self {
            index,
            key: None,
            position: recorded.position,
            place: Box::new(Place {
                stream: recorded.stream.as_str().to_owned(),
                version: recorded.version,
                event: recorded.name.to_owned(),
                reason,
            }),
            error,
            transient,
        }
    }

    /// The event could not be read.
    pub(crate) fn unread(index: usize, recorded: &Recorded<'_>, error: &DecodeError) -> Self {
        let error = error.to_string();
        Self::new(index, recorded, (error.clone(), error), false)
    }

    /// The projection said no.
    pub(crate) fn refused(index: usize, recorded: &Recorded<'_>, error: &ProjectError) -> Self {
        let transient = error.category() == ErrorCategory::Transient;
        let reason = error.to_string();
        Self::new(index, recorded, (describe(recorded, &reason), reason), transient)
    }

    /// This went wrong with the event.
    pub(crate) fn because(index: usize, recorded: &Recorded<'_>, what: &str) -> Self {
        Self::new(index, recorded, (describe(recorded, what), what.to_owned()), false)
    }

    pub(crate) fn stream(&self) -> &str {
        &self.place.stream
    }

    pub(crate) fn version(&self) -> Version {
        self.place.version
    }

    pub(crate) fn event(&self) -> &str {
        &self.place.event
    }

    /// What went wrong, without the place of the event.
    pub(crate) fn reason(&self) -> &str {
        &self.place.reason
    }

    pub(crate) fn of_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// The same as people are told of it.
    pub(crate) fn letter(
        self,
        projection: &str,
        generation: Option<u64>,
        partition: Partition,
        attempts: u32,
    ) -> DeadLetter {
        DeadLetter {
            projection: projection.to_owned(),
            generation,
            partition: partition.number(),
            key: self.key,
            position: self.position,
            stream: self.place.stream,
            version: self.place.version,
            event: self.place.event,
            error: self.error,
            attempts,
            at: Timestamp::now(),
        }
    }
}

fn describe(recorded: &Recorded<'_>, error: &str) -> String {
    format!(
        "event `{}` at version {} of stream `{}`, position {}: {error}",
        recorded.name, recorded.version, recorded.stream, recorded.position
    )
}

/// Runs a handler. One that panics must not take the worker with it: that would be a projection
/// that stands still and does not say so.
pub(crate) fn guarded(
    index: usize,
    recorded: &Recorded<'_>,
    handler: impl FnOnce() -> Result<(), ProjectError>,
) -> Result<(), Failure> {
    match catch_unwind(AssertUnwindSafe(handler)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::refused(index, recorded, &error)),
        Err(panic) => Err(Failure::because(index, recorded, panic_message(&*panic))),
    }
}
