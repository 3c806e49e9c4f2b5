//! The history of one aggregate.

use jiff::Timestamp;

use crate::aggregate::Aggregate;
use crate::recorded::Recorded;
use crate::runtime::replay::{LoadError, Loaded, Step, replay};
use crate::runtime::retry::RetryPolicy;
use crate::store::EventStore;
use crate::stream::StreamId;
use crate::version::Version;

/// The history of one aggregate, from [`Runtime::history`](crate::Runtime::history).
///
/// Every question replays the stream from its first event, page by page.
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

    /// Shows every event with the state after it, and answers with the last state.
    ///
    /// # Errors
    /// When the stream can not be read; see [`LoadError`].
    pub async fn for_each(
        &self,
        show: impl FnMut(&A, &A::Event, &Recorded<'_>),
    ) -> Result<Loaded<A>, LoadError> {
        let mut loaded = Loaded::default();
        replay(self.store, self.retry, &self.stream, &mut loaded, |_| Step::Apply, show).await?;
        Ok(loaded)
    }

    async fn replay_while(
        &self,
        wanted: impl Fn(&Recorded<'_>) -> bool,
    ) -> Result<Loaded<A>, LoadError> {
        let mut loaded = Loaded::default();
        let take =
            |recorded: &Recorded<'_>| if wanted(recorded) { Step::Apply } else { Step::Stop };
        replay(self.store, self.retry, &self.stream, &mut loaded, take, |_, _, _| {}).await?;
        Ok(loaded)
    }
}
