//! What the state would be if history had been another. Nothing is stored.

use std::sync::Mutex;

use super::History;
use crate::aggregate::Aggregate;
use crate::command::{Events, IntoEvents};
use crate::error::{ErrorCategory, ignore_poison};
use crate::recorded::Recorded;
use crate::runtime::replay::{LoadError, Loaded, Step};
use crate::store::EventStore;
use crate::stream::StreamId;
use crate::version::Version;

/// A history with events left out or added, from [`History::what_if`].
///
/// The events that remain are applied as they are. No command is decided again: what would have
/// been refused on the other state is in it all the same.
#[must_use = "a replay runs when `load` or `for_each` is awaited"]
pub struct WhatIf<'a, A: Aggregate, S> {
    history: &'a History<'a, A, S>,
    left_out: Vec<Version>,
    added: Vec<(Version, Events<A>)>,
}

impl<A: Aggregate, S: EventStore> History<'_, A, S> {
    /// Asks what the state would be if history had been another.
    pub fn what_if(&self) -> WhatIf<'_, A, S> {
        WhatIf { history: self, left_out: Vec::new(), added: Vec::new() }
    }
}

impl<A: Aggregate, S: EventStore> WhatIf<'_, A, S> {
    /// As if the event with this version had not happened.
    pub fn without(mut self, version: Version) -> Self {
        self.left_out.push(version);
        self
    }

    /// As if these events had happened right after the one with this version; with
    /// [`Version::ZERO`] before the first.
    pub fn with(mut self, after: Version, events: impl IntoEvents<A>) -> Self {
        let mut added = Events::new();
        events.into_events(&mut added);
        self.added.push((after, added));
        self
    }

    /// The state at the end of that history. The version is that of the last recorded event that
    /// is in it.
    ///
    /// # Errors
    /// When the stream can not be read, or does not have a version that was named.
    ///
    /// # Panics
    /// When an `Apply` panics on a state that the decisions would never have led to.
    pub async fn load(self) -> Result<Loaded<A>, WhatIfError> {
        self.for_each(|_, _, _| {}).await
    }

    /// Shows every event of that history with the state after it; those that were added have no
    /// record.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    ///
    /// # Panics
    /// As [`load`](Self::load).
    pub async fn for_each(
        self,
        show: impl FnMut(&A, &A::Event, Option<&Recorded<'_>>),
    ) -> Result<Loaded<A>, WhatIfError> {
        let Self { history, left_out, added } = self;
        let show = Mutex::new(show);
        let add = |state: &mut A, after: Version| {
            for (_, events) in added.iter().filter(|(place, _)| *place == after) {
                for event in events.as_slice() {
                    state.apply_event(event);
                    ignore_poison(show.lock())(state, event, None);
                }
            }
        };
        let (mut loaded, mut last) = (Loaded::default(), Version::ZERO);
        let take = |state: &mut A, recorded: &Recorded<'_>| {
            add(state, last);
            last = recorded.version;
            if left_out.contains(&last) { Step::Skip } else { Step::Apply }
        };
        history
            .go_on(&mut loaded, take, |state, event, recorded| {
                ignore_poison(show.lock())(state, event, Some(recorded));
            })
            .await?;
        add(&mut loaded.state, last);
        let named = left_out.iter().chain(added.iter().map(|(place, _)| place));
        let missing = named.copied().find(|version| *version > last);
        // Version zero is no event that could be left out.
        match missing.or_else(|| left_out.contains(&Version::ZERO).then_some(Version::ZERO)) {
            Some(version) => {
                let stream = history.stream.clone();
                Err(WhatIfError::NoSuchVersion { stream, version, last })
            }
            None => Ok(loaded),
        }
    }
}

/// Why it can not be said what would have been.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WhatIfError {
    /// The history could not be had.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The stream does not have a version that was named.
    #[error("stream `{stream}` has versions 1 to {last}, but not {version}; name one of those")]
    NoSuchVersion {
        /// The stream.
        stream: StreamId,
        /// What was named.
        version: Version,
        /// The version of its last event.
        last: Version,
    },
}

impl WhatIfError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Load(error) => error.category(),
            Self::NoSuchVersion { .. } => ErrorCategory::Permanent,
        }
    }
}
