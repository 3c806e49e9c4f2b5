//! Subscriptions: the events of a set as they come, for consumers of a program's own.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{ErrorCategory, StoreFailure};
use crate::event_set::{DecodeError, EventSet};
use crate::query::Query;
use crate::recorded::{Page, RecordedEvent};
use crate::runtime::RetryPolicy;
use crate::store::{
    EventStore, ExpectedRevision, QueryRange, ReadError, Revision, StateCommit, StateError,
    StateKey, StateRecord,
};
use crate::version::Position;

/// The events of the set `E` in their global order, one by one: those that are there and then those
/// that come. From [`Runtime::subscribe`](crate::Runtime::subscribe).
///
/// Ask for the next one when you are ready for it: nothing is read ahead but a page.
///
/// # Guarantees
/// 1. Every event of the set comes, in the order of positions. One that can not be read is an error
///    with its place, again and again until it can be.
/// 2. A durable subscription goes on after the last event that was
///    [acknowledged](Self::acknowledge), also after a crash: what was handed out and not
///    acknowledged comes again. Its position tells it from others, so whoever passes it on does so
///    at least once and drops what it has seen.
pub struct Subscription<E, S> {
    store: Arc<S>,
    retry: RetryPolicy,
    query: Arc<Query>,
    /// Up to where everything was read.
    read: Position,
    /// Up to where everything was handed out.
    handed_out: Position,
    waiting: VecDeque<RecordedEvent>,
    progress: Option<Progress>,
    events: PhantomData<fn() -> E>,
}

/// Where a subscription begins.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StartAt {
    /// With the event after the one that is the last now.
    Now,
    /// With the event after this position; [`Position::ZERO`] for all of them.
    After(Position),
    /// Where the durable subscription of this name has come to, or with the very first event. The
    /// name is stored, and one consumer at a time uses it: of two, the slower is told so.
    Durable(String),
}

/// An event that a subscription hands out.
#[derive(Clone, PartialEq, Debug)]
pub struct Delivery<E> {
    /// The events that the stored one is today: mostly one.
    pub events: Vec<E>,
    /// The stored event, with everything that is known about it.
    pub recorded: RecordedEvent,
}

/// How far a durable subscription is, and its record.
struct Progress {
    key: StateKey,
    stored: Stored,
    expected: ExpectedRevision,
}

#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    store: Uuid,
    position: Position,
    at: Timestamp,
}

impl<E: EventSet, S: EventStore> Subscription<E, S> {
    pub(crate) async fn start(
        store: Arc<S>,
        retry: RetryPolicy,
        start: StartAt,
    ) -> Result<Self, SubscriptionError> {
        let (after, progress) = match start {
            StartAt::Now => (retry.read(|| store.head()).await?, None),
            StartAt::After(position) => (position, None),
            StartAt::Durable(name) => {
                let progress = Progress::load(&*store, name).await?;
                (progress.stored.position, Some(progress))
            }
        };
        Ok(Self {
            store,
            retry,
            query: Arc::new(E::query()),
            read: after,
            handed_out: after,
            waiting: VecDeque::new(),
            progress,
            events: PhantomData,
        })
    }

    /// The next event; waits until there is one.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the store can not be read or the event can not: call it again when the cause is gone.
    pub async fn next(&mut self) -> Result<Delivery<E>, SubscriptionError> {
        loop {
            // It is taken out only when it can be handed out.
            if let Some(recorded) = self.waiting.front() {
                let events = E::decode(&recorded.as_recorded())?.into_vec();
                let position = recorded.position;
                let Some(recorded) = self.waiting.pop_front() else { continue };
                self.handed_out = position;
                if !events.is_empty() {
                    return Ok(Delivery { events, recorded });
                }
                continue;
            }
            let range = QueryRange { limit: PAGE_EVENTS, ..QueryRange::after(self.read) };
            let page = self.retry.read(|| self.store.read(&self.query, range)).await?;
            let token = page.token(&range);
            let found = !page.events.is_empty();
            self.keep(&page.events);
            self.read = token;
            if !found {
                self.handed_out = token;
                self.retry.read(|| self.store.wait_beyond(token)).await?;
            }
        }
    }

    fn keep(&mut self, page: &Page) {
        self.waiting.extend(page.iter().map(|recorded| recorded.to_event()));
    }

    /// Up to where every event was handed out.
    pub fn position(&self) -> Position {
        self.handed_out
    }

    /// Says that everything up to this position was dealt with. A durable subscription goes on behind
    /// it; for any other one there is nothing to store. It may be called seldom: what is in between
    /// comes again after a crash.
    ///
    /// # Errors
    /// [`SubscriptionError::Overtaken`] if somebody else uses the name, or the store can not be
    /// written.
    pub async fn acknowledge(&mut self, position: Position) -> Result<(), SubscriptionError> {
        let Some(progress) = &mut self.progress else { return Ok(()) };
        if position <= progress.stored.position {
            return Ok(());
        }
        progress.store(&*self.store, position).await
    }
}

const PAGE_EVENTS: usize = 256;

/// The space of the records that say how far durable subscriptions are; the name is theirs.
pub(crate) const SPACE: &str = "subscription";

/// How far the subscription is that a record is of.
pub(crate) fn position(key: &StateKey, record: &StateRecord) -> Result<Position, StateError> {
    Ok(stored(key, record)?.position)
}

fn stored(key: &StateKey, record: &StateRecord) -> Result<Stored, StateError> {
    serde_json::from_slice(&record.value).map_err(|error| {
        let what = format!("state record `{key}` is no position of a subscription");
        StateError::Permanent(StoreFailure::caused_by(what, error))
    })
}

impl Progress {
    async fn load(store: &impl EventStore, name: String) -> Result<Self, SubscriptionError> {
        let home = store
            .projection_store()
            .ok_or_else(|| SubscriptionError::NotDurable { name: name.clone() })?;
        let key = StateKey::new(SPACE, name.as_str());
        let identity = home.dyn_identity().await?;
        let Some(record) = home.dyn_get(&key).await? else {
            let stored = Stored { store: identity, position: Position::ZERO, at: Timestamp::now() };
            return Ok(Self { key, stored, expected: ExpectedRevision::Missing });
        };
        let stored = stored(&key, &record)?;
        if stored.store != identity {
            return Err(SubscriptionError::OtherHistory { name });
        }
        Ok(Self { key, stored, expected: ExpectedRevision::Exact(record.revision) })
    }

    async fn store(
        &mut self,
        store: &impl EventStore,
        position: Position,
    ) -> Result<(), SubscriptionError> {
        let name = || self.key.name().to_owned();
        let home = store
            .projection_store()
            .ok_or_else(|| SubscriptionError::NotDurable { name: name() })?;
        let stored = Stored { position, at: Timestamp::now(), ..self.stored.clone() };
        let value = serde_json::to_vec(&stored).map_err(|error| {
            StateError::Permanent(StoreFailure::caused_by("a position can not be written", error))
        })?;
        let mut commit = StateCommit::default();
        commit.put(self.key.clone(), value, self.expected);
        let revision: Revision = match home.dyn_commit(commit, None).await {
            Ok(revision) => revision,
            Err(StateError::Conflict { .. }) => {
                return Err(SubscriptionError::Overtaken { name: name() });
            }
            Err(error) => return Err(error.into()),
        };
        (self.stored, self.expected) = (stored, ExpectedRevision::Exact(revision));
        Ok(())
    }
}

/// Why a subscription does not go on.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The next event could not be read. It is not passed over.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The store could not keep or tell how far it is.
    #[error(transparent)]
    State(#[from] StateError),
    /// The store keeps nothing for subscriptions.
    #[error(
        "subscription `{name}` is to be durable, which this store can not: use one that implements `ProjectionStore`, or keep the position yourself"
    )]
    NotDurable {
        /// The stored name of the subscription.
        name: String,
    },
    /// Somebody else has acknowledged events under the same name.
    #[error(
        "somebody else has gone on with subscription `{name}`: one consumer at a time uses a name; subscribe again, or under another one"
    )]
    Overtaken {
        /// The stored name of the subscription.
        name: String,
    },
    /// The position counts the events of another store.
    #[error(
        "subscription `{name}` has come to a position in another store; use another name, or restore the events that belong to it"
    )]
    OtherHistory {
        /// The stored name of the subscription.
        name: String,
    },
}

impl SubscriptionError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Read(error) => error.category(),
            Self::State(error) => error.category(),
            Self::Overtaken { .. } => ErrorCategory::Conflict,
            Self::Decode(_) | Self::NotDurable { .. } | Self::OtherHistory { .. } => {
                ErrorCategory::Permanent
            }
        }
    }
}
