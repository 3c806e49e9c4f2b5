//! The lease of a generation: who may write to it.
//!
//! The lease is a record. Its holder writes it again and again, and each of its commits expects the
//! revision it wrote last; so whoever takes it over shuts the holder out, however late that one
//! wakes up. Clocks decide only when somebody else may try: each candidate watches the record, by its
//! own clock, and takes it when it has not changed for the lease's time.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::projection::generation::{read, written};
use crate::store::{
    DynProjectionStore, ExpectedRevision, Revision, StateCommit, StateError, StateKey,
};

/// What is stored of a lease.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Holder {
    /// Who holds it; nobody after it was given back.
    holder: Option<Uuid>,
    /// Through which opening of a store that nobody else can open meanwhile.
    opening: Option<Uuid>,
}

/// A lease that is held.
#[derive(Debug)]
pub(crate) struct Lease {
    key: StateKey,
    holder: Holder,
    revision: Revision,
}

/// Somebody who wants a lease.
pub(crate) struct Candidate {
    key: StateKey,
    me: Uuid,
    time: Duration,
    /// The revision that somebody else wrote, and since when it has not changed.
    seen: Option<(Revision, Instant)>,
}

impl Candidate {
    pub(crate) fn new(key: StateKey, me: Uuid, time: Duration) -> Self {
        Self { key, me, time, seen: None }
    }

    /// Takes the lease if nobody holds it, or its holder has not been heard of for its time. Whoever
    /// may not take it only listens.
    pub(crate) async fn try_take(
        &mut self,
        store: &dyn DynProjectionStore,
        may_take: bool,
    ) -> Result<Option<Lease>, StateError> {
        let me = Holder { holder: Some(self.me), opening: store.dyn_opening() };
        let expected = match store.dyn_get(&self.key).await? {
            None => ExpectedRevision::Missing,
            Some(record) => {
                let Holder { holder, opening } = read(&self.key, &record)?;
                // Whoever held it through an earlier opening is gone.
                let void = me.opening.is_some() && opening != me.opening;
                let taken = holder.is_some_and(|holder| holder != self.me) && !void;
                if taken && !self.has_waited_for(record.revision) {
                    return Ok(None);
                }
                ExpectedRevision::Exact(record.revision)
            }
        };
        if !may_take {
            return Ok(None);
        }
        let mut commit = StateCommit::default();
        put(&mut commit, &self.key, &me, expected)?;
        match store.dyn_commit(commit, None).await {
            Ok(revision) => Ok(Some(Lease { key: self.key.clone(), holder: me, revision })),
            // Somebody else was faster.
            Err(StateError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn has_waited_for(&mut self, revision: Revision) -> bool {
        match self.seen {
            Some((seen, since)) if seen == revision => since.elapsed() >= self.time,
            _ => {
                self.seen = Some((revision, Instant::now()));
                false
            }
        }
    }
}

impl Lease {
    /// Makes a commit one that only the holder can make, and that renews the lease. Tell
    /// [`renewed`](Self::renewed) its revision.
    pub(crate) fn guard(&self, commit: &mut StateCommit) -> Result<(), StateError> {
        put(commit, &self.key, &self.holder, ExpectedRevision::Exact(self.revision))
    }

    /// The commit was stored.
    pub(crate) fn renewed(&mut self, revision: Revision) {
        self.revision = revision;
    }

    /// Gives the lease back, so that nobody needs to wait for its time.
    pub(crate) async fn give_back(self, store: &dyn DynProjectionStore) -> Result<(), StateError> {
        let mut commit = StateCommit::default();
        let nobody = Holder { holder: None, opening: None };
        put(&mut commit, &self.key, &nobody, ExpectedRevision::Exact(self.revision))?;
        store.dyn_commit(commit, None).await.map(|_| ())
    }
}

fn put(
    commit: &mut StateCommit,
    key: &StateKey,
    holder: &Holder,
    expected: ExpectedRevision,
) -> Result<(), StateError> {
    commit.put(key.clone(), written(holder)?, expected);
    Ok(())
}
