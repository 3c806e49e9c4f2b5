//! Queries: which events, of all streams, somebody wants to see or to be guarded against.

use std::borrow::Cow;

use crate::recorded::Recorded;
use crate::tag::Tag;

/// Selects events across streams by stored name and tag.
///
/// A query is one item or more, combined with *or*. It can not be empty.
///
/// ```
/// use es_core::{Query, QueryItem};
///
/// // Everything about course 1, and every payment of student 7.
/// let query = Query::from(QueryItem::tagged(["course:1"]))
///     .or(QueryItem::named(["fee.paid"]).and_tagged(["student:7"]));
/// assert_eq!(query.items().len(), 2);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query(Vec<QueryItem>);

impl Query {
    /// Every event.
    pub fn all() -> Self {
        Self::from(QueryItem::default())
    }

    /// Also the events that `item` matches.
    #[must_use]
    pub fn or(mut self, item: QueryItem) -> Self {
        self.0.push(item);
        self
    }

    /// The items: at least one.
    pub fn items(&self) -> &[QueryItem] {
        &self.0
    }

    /// Whether some item matches an event with this name and these tags.
    pub fn matches(&self, name: &str, tags: &[Tag]) -> bool {
        self.0.iter().any(|item| item.matches(name, tags))
    }

    /// Whether some item matches the recorded event.
    pub fn matches_recorded(&self, recorded: &Recorded<'_>) -> bool {
        self.matches(recorded.name, recorded.tags)
    }
}

impl From<QueryItem> for Query {
    fn from(item: QueryItem) -> Self {
        Self(vec![item])
    }
}

/// One alternative of a [`Query`]: the event's name is one of the names, *and* its tags include
/// all of the tags. Without names any name matches, without tags any tags.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct QueryItem {
    names: Vec<Cow<'static, str>>,
    tags: Vec<Tag>,
}

impl QueryItem {
    /// Events with one of these stored names.
    pub fn named<N: Into<Cow<'static, str>>>(names: impl IntoIterator<Item = N>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), tags: Vec::new() }
    }

    /// Events with all of these tags.
    pub fn tagged<T: Into<Tag>>(tags: impl IntoIterator<Item = T>) -> Self {
        Self::default().and_tagged(tags)
    }

    /// Only those of them that also have all of these tags.
    #[must_use]
    pub fn and_tagged<T: Into<Tag>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// The names, of which one must be the event's; none stands for any.
    pub fn names(&self) -> &[Cow<'static, str>] {
        &self.names
    }

    /// The tags, which the event must all have.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// Whether an event with this name and these tags is one of them.
    pub fn matches(&self, name: &str, tags: &[Tag]) -> bool {
        (self.names.is_empty() || self.names.iter().any(|wanted| wanted == name))
            && self.tags.iter().all(|wanted| tags.contains(wanted))
    }
}
