//! State records in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use es_core::bytes::Bytes;
use es_core::{
    ExpectedRevision, Revision, StateError, StateKey, StatePage, StateRecord, StateStore,
};

use crate::MemoryStore;

#[derive(Default)]
pub(crate) struct States(Mutex<Records>);

#[derive(Default)]
struct Records {
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
