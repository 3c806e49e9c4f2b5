//! The first version at which something is true of an aggregate.

use super::History;
use crate::aggregate::Aggregate;
use crate::recorded::{Recorded, RecordedEvent};
use crate::runtime::replay::{LoadError, Loaded, Step};
use crate::store::{EventStore, StreamRange};
use crate::version::Version;

/// The first version at which something is true, and the event that made it so.
#[derive(Clone, PartialEq, Debug)]
pub struct FirstTime<A> {
    /// The state and its version.
    pub loaded: Loaded<A>,
    /// The event with this version, whose [metadata](RecordedEvent::metadata) says who and what
    /// led to it. `None` if it was true before the first event.
    pub event: Option<RecordedEvent>,
}

/// How far a search in a monotone history goes before it looks.
const STRIDE: u64 = 1024;

impl<A: Aggregate, S: EventStore> History<'_, A, S> {
    /// The first version at which this is true, or `None` if it never was.
    ///
    /// The state after every event is asked: one replay, up to the version that is found.
    ///
    /// # Errors
    /// When the stream can not be read; see [`LoadError`].
    pub async fn first_where(
        &self,
        mut is_true: impl FnMut(&A) -> bool,
    ) -> Result<Option<FirstTime<A>>, LoadError> {
        let mut loaded = Loaded::default();
        if is_true(&loaded.state) {
            return Ok(Some(FirstTime { loaded, event: None }));
        }
        let take = |state: &mut A, recorded: &Recorded<'_>| {
            // The state before this event is the one after the event before.
            let found = recorded.version > Version::new(1) && is_true(state);
            if found { Step::Stop } else { Step::Apply }
        };
        self.go_on(&mut loaded, take, |_, _, _| {}).await?;
        if loaded.version == Version::ZERO || !is_true(&loaded.state) {
            return Ok(None);
        }
        let event = self.event_at(loaded.version).await?;
        Ok(Some(FirstTime { loaded, event }))
    }

    /// The same as [`first_where`](Self::first_where) for something that stays true once it is, such
    /// as "the account was closed".
    ///
    /// It is asked of few states: of every 1,024th, and then by bisection between two of them. All
    /// events up to there are read and applied all the same, the last 1,024 at most twice: a state
    /// comes only from its events. So this is worth it when asking is what costs.
    ///
    /// Of something that does not stay true it may find a later time or none.
    ///
    /// # Errors
    /// When the stream can not be read; see [`LoadError`].
    pub async fn first_where_monotone(
        &self,
        mut is_true: impl FnMut(&A) -> bool,
    ) -> Result<Option<FirstTime<A>>, LoadError>
    where
        A: Clone,
    {
        let mut before = Loaded::default();
        if is_true(&before.state) {
            return Ok(Some(FirstTime { loaded: before, event: None }));
        }
        let mut after = before.clone();
        loop {
            let wanted = before.version.plus(STRIDE);
            self.go_on_to(&mut after, wanted).await?;
            if is_true(&after.state) {
                break;
            }
            if after.version < wanted {
                return Ok(None);
            }
            before = after.clone();
        }
        // False at `before`, true at `after`.
        while before.version.next() < after.version {
            let middle = before.version.get().midpoint(after.version.get());
            let mut probe = before.clone();
            self.go_on_to(&mut probe, Version::new(middle)).await?;
            if is_true(&probe.state) {
                after = probe;
            } else {
                before = probe;
            }
        }
        let event = self.event_at(after.version).await?;
        Ok(Some(FirstTime { loaded: after, event }))
    }

    async fn event_at(&self, version: Version) -> Result<Option<RecordedEvent>, LoadError> {
        let range = StreamRange { from: version, to: version, limit: 1, ..StreamRange::all() };
        let page = self.retry.read(|| self.store.read_stream(&self.stream, range)).await?;
        Ok(page.events.last().map(|recorded| recorded.to_event()))
    }
}
