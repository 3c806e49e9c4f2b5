//! The ways in which a commit comes to a store.

use std::future::Future;
use std::slice;

use jiff::Timestamp;

use crate::clock::Moment;
use crate::commit::{AppendCondition, Appended, Commit};
use crate::query::{Query, QueryItem};
use crate::store::{AppendError, ConditionalAppend, EventStore, RecordedAppend, RecordedCommit};
use crate::tag::Tag;

type Answer = Result<Appended, AppendError>;

/// One way of appending.
pub(super) trait Way<S>: Copy + Send + Sync + 'static {
    /// Appends a commit. `None`: the store has no such way, and nothing has happened.
    fn append(self, store: &S, commit: &Commit) -> impl Future<Output = Option<Answer>> + Send;
}

/// By itself.
#[derive(Clone, Copy)]
pub(super) struct Alone;

/// As a chain of one.
#[derive(Clone, Copy)]
pub(super) struct Chained;

/// Without waiting.
#[derive(Clone, Copy)]
pub(super) struct AtOnce;

/// On the thread that asks, and by itself where the store would rather wait.
#[derive(Clone, Copy)]
pub(super) struct InPlace;

/// Under a condition that holds.
#[derive(Clone, Copy)]
pub(super) struct Guarded;

/// As an event of another store.
#[derive(Clone, Copy)]
pub(super) struct Copied;

impl<S: EventStore> Way<S> for Alone {
    async fn append(self, store: &S, commit: &Commit) -> Option<Answer> {
        Some(store.append(commit).await)
    }
}

impl<S: EventStore> Way<S> for Chained {
    async fn append(self, store: &S, commit: &Commit) -> Option<Answer> {
        store.append_chain(slice::from_ref(commit)).await.pop()
    }
}

impl<S: EventStore> Way<S> for AtOnce {
    async fn append(self, store: &S, commit: &Commit) -> Option<Answer> {
        store.immediate().map(|store| store.append_now(commit, &Moment::default()))
    }
}

impl<S: EventStore> Way<S> for InPlace {
    async fn append(self, store: &S, commit: &Commit) -> Option<Answer> {
        match store.in_place()?.try_append(commit) {
            Some(answer) => Some(answer),
            None => Some(store.append(commit).await),
        }
    }
}

impl<S: ConditionalAppend> Way<S> for Guarded {
    async fn append(self, store: &S, commit: &Commit) -> Option<Answer> {
        let query = Query::from(QueryItem::tagged([Tag::from("nobody")]));
        Some(store.append_if(commit, &[AppendCondition { query, after: None }]).await)
    }
}

impl<S: RecordedAppend> Way<S> for Copied {
    async fn append(self, store: &S, commit: &Commit) -> Option<Answer> {
        let recorded =
            RecordedCommit { commit: commit.clone(), recorded_at: Timestamp::UNIX_EPOCH };
        store.append_recorded(&[recorded]).await.pop()
    }
}
