//! State records in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use es_core::bytes::Bytes;
use es_core::uuid::Uuid;
use es_core::{
    DynInlineStore, ExpectedRevision, Inline, InlineStep, InlineStore, NoRows, ProjectionStore,
    Query, QueryPage, QueryRange, ReadError, Revision, RowWork, StateCommit, StateError, StateKey,
    StatePage, StateRecord, StateStore,
};

use crate::MemoryStore;
use crate::log::Log;

#[derive(Default)]
pub(crate) struct States(Mutex<Records>);

#[derive(Default)]
pub(crate) struct Records {
    by_key: BTreeMap<StateKey, StateRecord>,
    /// Counts all writes of the store, so that no record ever has a revision twice.
    last_revision: u64,
}

impl Records {
    fn check(&self, key: &StateKey, expected: ExpectedRevision) -> Result<(), StateError> {
        let actual = self.by_key.get(key).map(|record| record.revision);
        if expected.admits(actual) {
            Ok(())
        } else {
            Err(StateError::Conflict { key: key.clone(), expected, actual })
        }
    }
}

impl States {
    fn lock(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log and the records while a commit is appended, as inline projections see them.
pub(crate) struct Step<'a> {
    log: &'a Log,
    records: MutexGuard<'a, Records>,
    /// What the step changes; nobody else sees it before it is stored.
    changed: BTreeMap<StateKey, Option<StateRecord>>,
    last_revision: u64,
}

impl<'a> Step<'a> {
    pub(crate) fn new(log: &'a mut Log, states: &'a States) -> Self {
        // It may read by name and tag.
        log.extend_indexes();
        let records = states.lock();
        let last_revision = records.last_revision;
        Self { log, records, changed: BTreeMap::new(), last_revision }
    }

    pub(crate) fn store(mut self) {
        self.records.last_revision = self.last_revision;
        for (key, record) in self.changed {
            match record {
                Some(record) => self.records.by_key.insert(key, record),
                None => self.records.by_key.remove(&key),
            };
        }
    }

    fn record(&self, key: &StateKey) -> Option<&StateRecord> {
        match self.changed.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.records.by_key.get(key),
        }
    }
}

impl InlineStep<NoRows> for Step<'_> {
    fn get(&mut self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
        Ok(self.record(key).cloned())
    }

    fn read(&mut self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        self.log.read(query, range)
    }

    fn commit(
        &mut self,
        commit: StateCommit,
        _: Option<&RowWork<NoRows>>,
    ) -> Result<Revision, StateError> {
        let changes = commit.changes.iter().map(|change| (&change.key, change.expected));
        for (key, expected) in
            commit.checks.iter().map(|(key, expected)| (key, *expected)).chain(changes)
        {
            let actual = self.record(key).map(|record| record.revision);
            if !expected.admits(actual) {
                return Err(StateError::Conflict { key: key.clone(), expected, actual });
            }
        }
        self.last_revision += 1;
        let revision = Revision::new(self.last_revision);
        let records = commit.changes.into_iter();
        self.changed.extend(
            records.map(|change| {
                (change.key, change.value.map(|value| StateRecord { revision, value }))
            }),
        );
        Ok(revision)
    }
}

impl InlineStore for MemoryStore {
    async fn enlist(&self, inline: Inline, stay: bool) -> Result<(), StateError> {
        self.log.write().enlist(&self.states, &inline, stay)
    }
}

impl StateStore for MemoryStore {
    async fn get(&self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
        Ok(self.states.lock().by_key.get(key).cloned())
    }

    async fn put(
        &self,
        key: &StateKey,
        value: Bytes,
        expected: ExpectedRevision,
    ) -> Result<Revision, StateError> {
        let mut records = self.states.lock();
        records.check(key, expected)?;
        records.last_revision += 1;
        let revision = Revision::new(records.last_revision);
        records.by_key.insert(key.clone(), StateRecord { revision, value });
        Ok(revision)
    }

    async fn remove(&self, key: &StateKey, expected: ExpectedRevision) -> Result<(), StateError> {
        let mut records = self.states.lock();
        records.check(key, expected)?;
        records.by_key.remove(key);
        Ok(())
    }

    async fn list(
        &self,
        space: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<StatePage, StateError> {
        let from = match after {
            Some(name) => Bound::Excluded(StateKey::new(space, name)),
            None => Bound::Included(StateKey::new(space, "")),
        };
        let records = self.states.lock();
        let mut of_space = records
            .by_key
            .range((from, Bound::Unbounded))
            .take_while(|(key, _)| key.space() == space)
            .map(|(key, record)| (key.clone(), record.clone()));
        let page = of_space.by_ref().take(limit).collect();
        Ok(StatePage { records: page, more: of_space.next().is_some() })
    }
}

impl ProjectionStore for MemoryStore {
    type Rows = NoRows;

    async fn identity(&self) -> Result<Uuid, StateError> {
        Ok(self.identity)
    }

    fn opening(&self) -> Option<Uuid> {
        Some(self.identity)
    }

    fn inline_store(&self) -> Option<&dyn DynInlineStore> {
        Some(self)
    }

    async fn get_many(&self, keys: &[StateKey]) -> Result<Vec<Option<StateRecord>>, StateError> {
        let records = self.states.lock();
        Ok(keys.iter().map(|key| records.by_key.get(key).cloned()).collect())
    }

    async fn commit(
        &self,
        commit: StateCommit,
        _: Option<RowWork<NoRows>>,
    ) -> Result<Revision, StateError> {
        let mut records = self.states.lock();
        for (key, expected) in &commit.checks {
            records.check(key, *expected)?;
        }
        for change in &commit.changes {
            records.check(&change.key, change.expected)?;
        }
        // Everything is checked: from here on nothing can fail.
        records.last_revision += 1;
        let revision = Revision::new(records.last_revision);
        for change in commit.changes {
            match change.value {
                Some(value) => {
                    records.by_key.insert(change.key, StateRecord { revision, value });
                }
                None => {
                    records.by_key.remove(&change.key);
                }
            }
        }
        Ok(revision)
    }
}
