//! The history of one aggregate: what its state was, and how it became what it is.

mod difference;
mod search;
mod what_if;

use jiff::Timestamp;

use crate::aggregate::Aggregate;
use crate::recorded::Recorded;
use crate::runtime::replay::{LoadError, Loaded, Reach, Step, replay};
use crate::runtime::retry::RetryPolicy;
use crate::store::EventStore;
use crate::stream::StreamId;
use crate::version::{Position, Version};

pub use self::difference::{DifferenceError, FieldChange, field_changes};
pub use self::search::FirstTime;
pub use self::what_if::{WhatIf, WhatIfError};

/// The history of one aggregate, from [`Runtime::history`](crate::Runtime::history).
///
/// ```standalone_crate
/// # use es_core::prelude::*;
/// # use es_memory_store::MemoryStore;
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "account.moved")]
/// # pub struct Moved { by: i64 }
/// # #[derive(Aggregate, Default, Serialize)]
/// # #[aggregate(name = "account", id = u64, events(Moved))]
/// # pub struct Account { balance: i64 }
/// # impl Apply<Moved> for Account { fn apply(&mut self, e: &Moved) { self.balance += e.by } }
/// # #[derive(Command)]
/// # #[command(aggregate = Account)]
/// # pub struct Move { #[command(id)] account: u64, by: i64 }
/// # impl Handle<Move> for Account {
/// #     type Error = std::convert::Infallible;
/// #     fn handle(&self, c: &Move, _: &Context) -> Result<impl IntoEvents<Self>, Self::Error> { Ok(Moved { by: c.by }) }
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// # let runtime = Runtime::builder(MemoryStore::new()).start().await?;
/// for by in [100, -30, -90, 50] {
///     runtime.execute(Move { account: 7, by }).await?;
/// }
/// let history = runtime.history::<Account>(&7)?;
///
/// let then = history.at_version(Version::new(2)).await?;
/// assert_eq!(then.state.balance, 70);
///
/// let overdrawn = history.first_where(|account| account.balance < 0).await?.unwrap();
/// assert_eq!(overdrawn.loaded.version, Version::new(3));
///
/// let changes = history.difference(Version::new(1), Version::new(4)).await?;
/// assert_eq!(changes[0].to_string(), "/balance: 100 -> 30");
///
/// let without = history.what_if().without(Version::new(3)).load().await?;
/// assert_eq!(without.state.balance, 120);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Two times
/// An event has a time at which the store *recorded* it, and may have one at which it *occurred* in
/// the business. [`as_of`](Self::as_of) asks what the store knew at a time. Those who ask what was
/// so in the business, as far as is known today, take
/// [`as_of_business`](Self::as_of_business); [`as_of_both`](Self::as_of_both) answers what was known
/// at one time about another.
///
/// # Cost
/// Every question replays the stream from its first event, page by page, and stops as early as it
/// can. Nothing is stored.
pub struct History<'a, A, S> {
    store: &'a S,
    retry: &'a RetryPolicy,
    stream: StreamId,
    aggregate: std::marker::PhantomData<fn() -> A>,
}

impl<'a, A: Aggregate, S: EventStore> History<'a, A, S> {
    pub(crate) fn new(store: &'a S, retry: &'a RetryPolicy, stream: StreamId) -> Self {
        Self { store, retry, stream, aggregate: std::marker::PhantomData }
    }

    /// The stream of the aggregate.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// The state after the event with this version, or after the last event if there are fewer.
    ///
    /// # Errors
    /// When the stream can not be read; see [`LoadError`].
    pub async fn at_version(&self, version: Version) -> Result<Loaded<A>, LoadError> {
        self.replay_while(|recorded| recorded.version <= version).await
    }

    /// The state as the store knew it at a time: after the last event that was recorded then or
    /// before.
    ///
    /// # Errors
    /// When the stream can not be read; see [`LoadError`].
    pub async fn as_of(&self, time: Timestamp) -> Result<Loaded<A>, LoadError> {
        self.replay_while(|recorded| recorded.recorded_at <= time).await
    }

    /// The state when the store stood at a position, such as that of a projection or of another
    /// aggregate's event.
    ///
    /// # Errors
    /// When the stream can not be read; see [`LoadError`].
    pub async fn as_of_position(&self, position: Position) -> Result<Loaded<A>, LoadError> {
        self.replay_while(|recorded| recorded.position <= position).await
    }

    /// The state at a time of the business, as far as is known today: made of the events that
    /// [happened](Recorded::happened_at) then or before, in the order in which they were recorded.
    ///
    /// Events that were recorded late count from the time at which they occurred. Those that
    /// happened later are left out wherever they stand, so that the state may be one that no
    /// version of the stream had; the version is that of the last event in it.
    ///
    /// # Errors
    /// When the stream can not be read; see [`LoadError`].
    pub async fn as_of_business(&self, time: Timestamp) -> Result<Loaded<A>, LoadError> {
        self.as_of_both(time, Timestamp::MAX).await
    }

    /// The state at the time `business` as it was known at the time `recorded`.
    ///
    /// # Errors
    /// When the stream can not be read; see [`LoadError`].
    pub async fn as_of_both(
        &self,
        business: Timestamp,
        recorded: Timestamp,
    ) -> Result<Loaded<A>, LoadError> {
        self.replay(|event| {
            if event.recorded_at > recorded {
                Step::Stop
            } else if event.happened_at() > business {
                Step::Skip
            } else {
                Step::Apply
            }
        })
        .await
    }

    /// Shows every event with the state after it, and answers with the last state.
    ///
    /// # Errors
    /// When the stream can not be read; see [`LoadError`].
    pub async fn for_each(
        &self,
        show: impl FnMut(&A, &A::Event, &Recorded<'_>),
    ) -> Result<Loaded<A>, LoadError> {
        let mut loaded = Loaded::default();
        self.go_on(&mut loaded, |_, _| Step::Apply, show).await?;
        Ok(loaded)
    }

    /// Shows every event up to and including a version, with the state after it.
    ///
    /// # Errors
    /// When the stream can not be read; see [`LoadError`].
    pub async fn for_each_up_to(
        &self,
        version: Version,
        show: impl FnMut(&A, &A::Event, &Recorded<'_>),
    ) -> Result<Loaded<A>, LoadError> {
        let mut loaded = Loaded::default();
        let take = |_: &mut A, recorded: &Recorded<'_>| {
            if recorded.version <= version { Step::Apply } else { Step::Stop }
        };
        self.go_on(&mut loaded, take, show).await?;
        Ok(loaded)
    }

    /// Shows the events that make the state of [`as_of_business`](Self::as_of_business), each with
    /// the state after it.
    ///
    /// # Errors
    /// When the stream can not be read; see [`LoadError`].
    pub async fn for_each_as_of_business(
        &self,
        time: Timestamp,
        show: impl FnMut(&A, &A::Event, &Recorded<'_>),
    ) -> Result<Loaded<A>, LoadError> {
        let mut loaded = Loaded::default();
        let take = |_: &mut A, recorded: &Recorded<'_>| {
            if recorded.happened_at() <= time { Step::Apply } else { Step::Skip }
        };
        self.go_on(&mut loaded, take, show).await?;
        Ok(loaded)
    }

    async fn replay_while(
        &self,
        wanted: impl Fn(&Recorded<'_>) -> bool,
    ) -> Result<Loaded<A>, LoadError> {
        self.replay(|recorded| if wanted(recorded) { Step::Apply } else { Step::Stop }).await
    }

    async fn replay(
        &self,
        mut take: impl FnMut(&Recorded<'_>) -> Step,
    ) -> Result<Loaded<A>, LoadError> {
        let mut loaded = Loaded::default();
        self.go_on(&mut loaded, |_, recorded| take(recorded), |_, _, _| {}).await?;
        Ok(loaded)
    }

    async fn go_on(
        &self,
        loaded: &mut Loaded<A>,
        take: impl FnMut(&mut A, &Recorded<'_>) -> Step,
        show: impl FnMut(&A, &A::Event, &Recorded<'_>),
    ) -> Result<(), LoadError> {
        replay(self.store, self.retry, &self.stream, loaded, Reach::All, take, show).await
    }

    async fn go_on_to(&self, loaded: &mut Loaded<A>, version: Version) -> Result<(), LoadError> {
        let take = |_: &mut A, recorded: &Recorded<'_>| {
            if recorded.version <= version { Step::Apply } else { Step::Stop }
        };
        self.go_on(loaded, take, |_, _, _| {}).await
    }
}
