//! Which events go into the archive.

use std::collections::HashMap;
use std::sync::Arc;

use es_core::jiff::Timestamp;
use es_core::{
    Direction, ExpectedVersion, Position, Query, QueryItem, QueryRange, Recorded, StreamId,
    StreamRange, StreamRemoval, Version,
};

use crate::error::ArchiveError;

type Predicate = dyn Fn(&Recorded<'_>) -> bool + Send + Sync;

/// Says which events go into the archive.
///
/// ```
/// use es_archive::Policy;
/// use es_core::jiff::Timestamp;
///
/// # fn example(new_year: Timestamp) {
/// // Accounts that were closed before the new year, whole.
/// let closed = Policy::ended_with(["account.closed"]).before(new_year);
/// // Of every other stream what is older, but never its last hundred events.
/// let old = Policy::older_than(new_year).keep(100);
/// # }
/// ```
///
/// The last event of a stream always stays in the store.
#[derive(Clone)]
pub struct Policy {
    query: Query,
    rule: Rule,
    category: Option<String>,
    keep: u64,
}

#[derive(Clone)]
enum Rule {
    /// Streams as a whole, if this is true of the last event.
    Whole(Arc<Predicate>),
    /// The first events of a stream, up to the first of which this is not true.
    First(Arc<Predicate>),
}

impl Policy {
    /// Streams as a whole whose last event has one of these stored names: streams that are closed.
    pub fn ended_with<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let query = Query::from(QueryItem::named(names.iter().cloned()));
        let ended = move |last: &Recorded<'_>| names.iter().any(|name| name == last.name);
        Self { query, ..Self::whole_where(ended) }
    }

    /// Streams as a whole if this is true of their last event.
    pub fn whole_where(wanted: impl Fn(&Recorded<'_>) -> bool + Send + Sync + 'static) -> Self {
        let rule = Rule::Whole(Arc::new(wanted));
        Self { query: Query::all(), rule, category: None, keep: 1 }
    }

    /// Streams as a whole in which nothing has [happened](Recorded::happened_at) since a time.
    pub fn quiet_since(time: Timestamp) -> Self {
        Self::whole_where(move |last| last.happened_at() < time)
    }

    /// The first events of every stream, as far as they [happened](Recorded::happened_at) before a
    /// time.
    pub fn older_than(time: Timestamp) -> Self {
        Self::first_where(move |event| event.happened_at() < time)
    }

    /// The first events of every stream, up to the first of which this is not true.
    pub fn first_where(wanted: impl Fn(&Recorded<'_>) -> bool + Send + Sync + 'static) -> Self {
        let rule = Rule::First(Arc::new(wanted));
        Self { query: Query::all(), rule, category: None, keep: 1 }
    }

    /// Only what [happened](Recorded::happened_at) before a time: of whole streams it is asked of the last
    /// event.
    #[must_use]
    pub fn before(self, time: Timestamp) -> Self {
        let and = |wanted: Arc<Predicate>| -> Arc<Predicate> {
            Arc::new(move |event: &Recorded<'_>| event.happened_at() < time && wanted(event))
        };
        let rule = match self.rule {
            Rule::Whole(wanted) => Rule::Whole(and(wanted)),
            Rule::First(wanted) => Rule::First(and(wanted)),
        };
        Self { rule, ..self }
    }

    /// Only streams of this category, which is the stored name of an aggregate.
    #[must_use]
    pub fn of_category(self, category: impl Into<String>) -> Self {
        Self { category: Some(category.into()), ..self }
    }

    /// Leaves the last so many events of each stream where they are: at least one.
    #[must_use]
    pub fn keep(self, events: u64) -> Self {
        Self { keep: events.max(1), ..self }
    }
}

/// What is to go of one stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    pub(crate) stream: StreamId,
    /// The first version that is live.
    pub(crate) from: Version,
    pub(crate) to: Version,
    /// What must hold of the stream then: what is to go as a whole must not have gone on meanwhile.
    pub(crate) expected: ExpectedVersion,
    /// The place of its first event, by which streams are put together.
    pub(crate) first_position: Position,
}

impl Policy {
    /// Finds what is to go: one pass over the live events that the policy is about.
    pub(crate) async fn find<S: StreamRemoval>(
        &self,
        store: &S,
    ) -> Result<Vec<Wanted>, ArchiveError> {
        let mut candidates = HashMap::<StreamId, Option<Version>>::new();
        let mut range = QueryRange::all();
        loop {
            let page = store.read_sparse(&self.query, range).await?;
            // Bounded by what the first page saw, or a busy store would never end.
            range.up_to = range.up_to.min(page.head);
            for event in page.events.iter() {
                if self.category.as_ref().is_none_or(|it| it == event.stream.category()) {
                    self.note(&mut candidates, &event);
                }
            }
            if !page.more {
                break;
            }
            range.after = page.token(&range);
            tokio::task::yield_now().await;
        }
        let mut wanted = Vec::new();
        for (stream, last) in candidates {
            wanted.extend(self.settle(store, stream, last).await?);
        }
        wanted.sort_by(|one, other| {
            (one.first_position, &one.stream).cmp(&(other.first_position, &other.stream))
        });
        Ok(wanted)
    }

    /// Takes note of an event: of which version of its stream the policy has come to, if it is about
    /// first events.
    fn note(&self, candidates: &mut HashMap<StreamId, Option<Version>>, event: &Recorded<'_>) {
        match &self.rule {
            Rule::Whole(_) => {
                candidates.entry(event.stream.to_stream_id()).or_insert(None);
            }
            Rule::First(wanted) => {
                let known = candidates.get(&event.stream.to_stream_id()).copied();
                let follows = match known {
                    None => true,
                    Some(last) => last.is_some_and(|last| event.version == last.next()),
                };
                if follows && wanted(event) {
                    candidates.insert(event.stream.to_stream_id(), Some(event.version));
                } else if known.is_none() {
                    candidates.insert(event.stream.to_stream_id(), None);
                }
            }
        }
    }

    async fn settle<S: StreamRemoval>(
        &self,
        store: &S,
        stream: StreamId,
        found: Option<Version>,
    ) -> Result<Option<Wanted>, ArchiveError> {
        let range = StreamRange { direction: Direction::Backward, limit: 1, ..StreamRange::all() };
        let page = store.read_live(&stream, range).await?;
        let Some(last) = page.events.last() else { return Ok(None) };
        let found = match &self.rule {
            Rule::Whole(wanted) => wanted(&last).then_some(last.version),
            Rule::First(_) => found,
        };
        let kept = Version::new(last.version.get().saturating_sub(self.keep));
        let Some(to) = found.map(|found| found.min(kept)) else { return Ok(None) };
        let expected = match &self.rule {
            Rule::Whole(_) => ExpectedVersion::Exact(last.version),
            Rule::First(_) => ExpectedVersion::Exists,
        };
        find(store, stream, to, expected).await
    }
}

/// What is to go of a stream when it goes up to a version; `None` if nothing is left to go.
pub(crate) async fn find<S: StreamRemoval>(
    store: &S,
    stream: StreamId,
    to: Version,
    expected: ExpectedVersion,
) -> Result<Option<Wanted>, ArchiveError> {
    let from = store.stub(&stream).await?.map_or(Version::ZERO, |stub| stub.up_to()).next();
    if to < from {
        return Ok(None);
    }
    let range = StreamRange { from, to: from, limit: 1, ..StreamRange::all() };
    let page = store.read_live(&stream, range).await?;
    let first_position = page.events.last().map(|first| first.position);
    Ok(first_position.map(|first_position| Wanted { stream, from, to, expected, first_position }))
}
