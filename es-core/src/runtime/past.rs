//! The past of the whole store: where it stood at a time, and read models as they were.

use jiff::Timestamp;

use crate::error::ErrorCategory;
use crate::event_set::{DecodeError, EventSet};
use crate::projection::{ProjectError, StateProjection};
use crate::query::Query;
use crate::runtime::Runtime;
use crate::runtime::retry::RetryPolicy;
use crate::store::{EventStore, QueryRange, ReadError};
use crate::stream::StreamId;
use crate::version::{Position, Version};

impl<S: EventStore> Runtime<S> {
    /// The position of the last event that was recorded at this time or before; zero if there is
    /// none.
    ///
    /// Recorded times never fall along the global order, so that a search by bisection finds it: about
    /// twenty reads of one event in a store of a million.
    ///
    /// # Errors
    /// When the store can not be read.
    pub async fn position_at(&self, time: Timestamp) -> Result<Position, ReadError> {
        last_recorded(&*self.shared.store, &self.shared.retry, |at| at <= time).await
    }

    /// A read model as it was when the store stood at a position: built anew from the first event,
    /// beside the live one and without a trace.
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
    /// # #[derive(Projection, Default)]
    /// # #[projection(name = "bookings", events(Booked))]
    /// # pub struct Bookings { count: u64 }
    /// # impl Project<Booked> for Bookings {
    /// #     fn project(&mut self, _: &Booked, _: &Recorded) -> Result<(), ProjectError> { self.count += 1; Ok(()) }
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// # let runtime = Runtime::builder(MemoryStore::new()).start().await?;
    /// runtime.execute(Book { seat: 1 }).await?;
    /// let receipt = runtime.execute(Book { seat: 2 }).await?;
    /// runtime.execute(Book { seat: 3 }).await?;
    ///
    /// let then: Bookings = runtime.projection_as_of(receipt.position.unwrap()).await?;
    /// assert_eq!(then.count, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// With [`position_at`](Self::position_at) it answers for a time.
    ///
    /// # Errors
    /// When the store can not be read, or an event can not be read or projected.
    pub async fn projection_as_of<P: StateProjection + Default>(
        &self,
        position: Position,
    ) -> Result<P, PastError> {
        let (store, retry) = (&*self.shared.store, &self.shared.retry);
        let query = P::Event::query();
        let mut projection = P::default();
        let mut range = QueryRange { up_to: position, ..QueryRange::all() };
        loop {
            let page = retry.read(|| store.read(&query, range)).await?;
            for recorded in page.events.iter() {
                // An event that is not of the set came because of another one that it becomes.
                let decoded = P::Event::decode(&recorded)?;
                for event in decoded.as_slice() {
                    projection.project_event::<true>(event, &recorded).map_err(|error| {
                        PastError::Project {
                            projection: P::NAME,
                            stream: recorded.stream.to_stream_id(),
                            version: recorded.version,
                            position: recorded.position,
                            error,
                        }
                    })?;
                }
            }
            if !page.more {
                return Ok(projection);
            }
            range.after = page.token(&range);
            // A store that answers at once would let nothing else run on this thread meanwhile.
            tokio::task::yield_now().await;
        }
    }
}

/// The position of the last event that was recorded at an early time, found by halving: recorded times
/// never fall along the global order.
pub(crate) async fn last_recorded(
    store: &impl EventStore,
    retry: &RetryPolicy,
    early: impl Fn(Timestamp) -> bool,
) -> Result<Position, ReadError> {
    let everything = Query::all();
    let head = retry.read(|| store.head()).await?;
    // All events at or below `known` are early, those above `beyond` are not.
    let (mut known, mut beyond) = (Position::ZERO, head);
    while known < beyond {
        let middle = Position::new(known.get().midpoint(beyond.get()));
        let range = QueryRange { up_to: beyond, limit: 1, ..QueryRange::after(middle) };
        let page = retry.read(|| store.read(&everything, range)).await?;
        match page.events.last() {
            Some(event) if early(event.recorded_at) => known = event.position,
            // Positions may have gaps: there is no event between `middle` and this one.
            _ => beyond = middle,
        }
    }
    Ok(known)
}

/// Why a read model of the past could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PastError {
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An event could not be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The projection could not apply an event.
    #[error(
        "projection `{projection}` can not apply version {version} of stream `{stream}`, position {position}: {error}"
    )]
    Project {
        /// The stored name of the projection.
        projection: &'static str,
        /// The stream of the event.
        stream: StreamId,
        /// Its place there.
        version: Version,
        /// Its place in the global order.
        position: Position,
        /// What the projection says.
        error: ProjectError,
    },
}

impl PastError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Read(error) => error.category(),
            Self::Decode(_) | Self::Project { .. } => ErrorCategory::Permanent,
        }
    }
}
