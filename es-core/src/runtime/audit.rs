//! Who did what, when, and what came of it.

mod causal_tree;

use jiff::Timestamp;
use uuid::Uuid;

use crate::identity::EventId;
use crate::query::Query;
use crate::recorded::Recorded;
use crate::runtime::Runtime;
use crate::runtime::past::last_recorded;
use crate::runtime::retry::RetryPolicy;
use crate::store::{EventStore, QueryRange, ReadError};
use crate::version::Position;

pub use self::causal_tree::{CausalMessage, CausalNode, CausalTree, CausedCommand};

impl<S: EventStore> Runtime<S> {
    /// Asks who did what: everything, until more is said.
    ///
    /// ```standalone_crate
    /// # use es_core::prelude::*;
    /// # use es_memory_store::MemoryStore;
    /// # #[derive(Event, Serialize, Deserialize)]
    /// # #[event(name = "seat.booked")]
    /// # pub struct Booked {}
    /// # #[derive(Aggregate, Default)]
    /// # #[aggregate(name = "seat", id = u64, events(Booked))]
    /// # pub struct Seat {}
    /// # impl Apply<Booked> for Seat { fn apply(&mut self, _: &Booked) {} }
    /// # #[derive(Command)]
    /// # #[command(aggregate = Seat)]
    /// # pub struct Book { #[command(id)] seat: u64 }
    /// # impl Handle<Book> for Seat {
    /// #     type Error = std::convert::Infallible;
    /// #     fn handle(&self, _: &Book, _: &Context) -> Result<impl IntoEvents<Self>, Self::Error> { Ok(Booked {}) }
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// # let runtime = Runtime::builder(MemoryStore::new()).start().await?;
    /// let request = es_core::uuid::Uuid::from_u128(17);
    /// runtime.execute(Book { seat: 1 }).actor("Ada").correlation_id(request).await?;
    /// runtime.execute(Book { seat: 2 }).actor("Grace").await?;
    ///
    /// let mut lines = Vec::new();
    /// let audit = runtime.audit().by("Grace");
    /// audit.for_each(|event| lines.push(format!("{} {}", event.stream, event.name))).await?;
    /// assert_eq!(lines, ["seat/2 seat.booked"]);
    ///
    /// let tree = runtime.audit().tree(request).await?;
    /// assert_eq!(tree.nodes().len(), 2);                    // the command and its event
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn audit(&self) -> Audit<'_, S> {
        Audit {
            store: &self.shared.store,
            retry: &self.shared.retry,
            query: Query::all(),
            range: QueryRange::all(),
            actor: None,
            correlation_id: None,
            since: Timestamp::MIN,
            until: Timestamp::MAX,
        }
    }
}

/// A question about who did what, from [`Runtime::audit`]. What is said about it narrows it.
///
/// # Cost
/// What is read is bounded by what is said:
/// - a [query](Self::matching) is found by the store's indexes;
/// - times are found by halving, because recorded times never fall along the global order: with
///   [`since`](Self::since) and [`until`](Self::until) the events between are read, and some twenty
///   others to find them;
/// - a request that an event began is read from that event on;
/// - actor, and a request whose id is that of no event, are compared with every event that is left.
///   If nothing else is said that is the whole store, so say since when.
///
/// Memory is that of a page in any case, and of what was found for a tree.
#[must_use = "a question is answered when `for_each` or `tree` is awaited"]
pub struct Audit<'a, S> {
    store: &'a S,
    retry: &'a RetryPolicy,
    query: Query,
    range: QueryRange,
    actor: Option<String>,
    correlation_id: Option<Uuid>,
    since: Timestamp,
    until: Timestamp,
}

impl<S: EventStore> Audit<'_, S> {
    /// Only events that the query selects by name and tag.
    pub fn matching(mut self, query: Query) -> Self {
        self.query = query;
        self
    }

    /// Only events behind this position.
    pub fn after(mut self, position: Position) -> Self {
        self.range.after = position;
        self
    }

    /// Only events up to and including this position.
    pub fn up_to(mut self, position: Position) -> Self {
        self.range.up_to = position;
        self
    }

    /// Only events that were recorded at this time or later.
    pub fn since(mut self, time: Timestamp) -> Self {
        self.since = time;
        self
    }

    /// Only events that were recorded at this time or before.
    pub fn until(mut self, time: Timestamp) -> Self {
        self.until = time;
        self
    }

    /// Only events of this actor.
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    /// Only events of the request with this correlation id; also the event with this very id, which
    /// began the request if [`Metadata::caused_by`](crate::Metadata::caused_by) made it one.
    pub fn of_request(mut self, correlation_id: Uuid) -> Self {
        self.correlation_id = Some(correlation_id);
        self
    }

    /// Shows the events in the global order: each has who, when and why in its
    /// [metadata](Recorded::metadata).
    ///
    /// # Errors
    /// When the store can not be read.
    pub async fn for_each(self, mut show: impl FnMut(&Recorded<'_>)) -> Result<(), ReadError> {
        let mut range = self.range;
        range.after = self.begin().await?;
        loop {
            let page = self.retry.read(|| self.store.read(&self.query, range)).await?;
            // Recorded times never fall along the global order.
            let late = page.events.last().is_some_and(|last| last.recorded_at > self.until);
            page.events.iter().filter(|event| self.wants(event)).for_each(|event| show(&event));
            if late || !page.more {
                return Ok(());
            }
            // Bounded by what the first page saw, or a busy store would never end.
            range.up_to = range.up_to.min(page.head);
            range.after = page.token(&range);
            // A store that answers at once would let nothing else run on this thread meanwhile.
            tokio::task::yield_now().await;
        }
    }

    /// Everything that a request caused, as a tree: commands, their events, the commands that these
    /// led to, and so on.
    ///
    /// # Errors
    /// When the store can not be read.
    pub async fn tree(self, correlation_id: Uuid) -> Result<CausalTree, ReadError> {
        let mut events = Vec::new();
        self.of_request(correlation_id).for_each(|event| events.push(event.to_event())).await?;
        Ok(CausalTree::new(correlation_id, events))
    }

    /// The position behind which everything is that is asked for.
    async fn begin(&self) -> Result<Position, ReadError> {
        let mut begin = self.range.after;
        if let Some(id) = self.correlation_id
            && let Some(first) = self.retry.read(|| self.store.find(EventId::from_uuid(id))).await?
        {
            // What an event led to comes after it.
            begin = begin.max(Position::new(first.position.get().saturating_sub(1)));
        }
        if self.since > Timestamp::MIN {
            let earlier = last_recorded(self.store, self.retry, |at| at < self.since).await?;
            begin = begin.max(earlier);
        }
        Ok(begin)
    }

    fn wants(&self, event: &Recorded<'_>) -> bool {
        let of_request = self.correlation_id.is_none_or(|id| {
            event.metadata.correlation_id() == Some(id) || event.event_id == EventId::from_uuid(id)
        });
        let by_actor = self.actor.is_none() || event.metadata.actor() == self.actor.as_deref();
        of_request && by_actor && (self.since..=self.until).contains(&event.recorded_at)
    }
}
