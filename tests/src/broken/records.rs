//! State records of a broken store.

use std::collections::BTreeMap;

use es_core::bytes::Bytes;
use es_core::{
    ExpectedRevision, Revision, StateError, StateKey, StatePage, StateRecord, StateStore,
};

use crate::broken::bug::Bug;
use crate::broken::{BrokenStore, lock};

#[derive(Clone, Default)]
pub(super) struct Records {
    pub(super) by_key: BTreeMap<StateKey, StateRecord>,
    /// The keys in the order in which they were made.
    pub(super) keys: Vec<StateKey>,
    pub(super) last_revision: u64,
    pub(super) stale: Option<(StateKey, Option<StateRecord>)>,
}

impl BrokenStore {
    pub(super) fn check_record(
        &self,
        records: &Records,
        key: &StateKey,
        expected: ExpectedRevision,
    ) -> Result<(), StateError> {
        let actual = records.by_key.get(key).map(|record| record.revision);
        let admits = match (self.bug, expected) {
            (Some(Bug::MissingIsAny), ExpectedRevision::Missing) => true,
            (Some(Bug::ExactOnlyWhenThere), ExpectedRevision::Exact(_)) if actual.is_none() => true,
            _ => expected.admits(actual),
        };
        if admits {
            Ok(())
        } else {
            let actual = if self.has(Bug::RecordConflictWithoutActual) { None } else { actual };
            Err(StateError::Conflict { key: key.clone(), expected, actual })
        }
    }

    pub(super) fn key(&self, key: &StateKey) -> StateKey {
        if self.has(Bug::RecordKeysCutAtNul) {
            let cut = |text: &str| text.split('\0').next().unwrap_or_default().to_owned();
            StateKey::new(cut(key.space()), cut(key.name()))
        } else if self.has(Bug::RecordKeysJoined) {
            StateKey::new("", format!("{}/{}", key.space(), key.name()))
        } else {
            key.clone()
        }
    }
}

impl StateStore for BrokenStore {
    async fn get(&self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
        let records = lock(&self.records);
        let key = self.key(key);
        match &records.stale {
            Some((of, record)) if self.has(Bug::RecordStale) && *of == key => Ok(record.clone()),
            _ => Ok(records.by_key.get(&key).cloned()),
        }
    }

    async fn put(
        &self,
        key: &StateKey,
        value: Bytes,
        expected: ExpectedRevision,
    ) -> Result<Revision, StateError> {
        let key = &self.key(key);
        let mut value = value;
        if self.has(Bug::RecordValueCut) {
            value.truncate(64 * 1024);
        }
        if self.has(Bug::OneRecordAtATime) {
            let before = lock(&self.records).last_revision;
            tokio::task::yield_now().await;
            let records = lock(&self.records);
            if records.last_revision != before {
                let actual = records.by_key.get(key).map(|record| record.revision);
                return Err(StateError::Conflict { key: key.clone(), expected, actual });
            }
        }
        if self.has(Bug::SwapNotAtomic) {
            self.check_record(&lock(&self.records), key, expected)?;
            tokio::task::yield_now().await;
        }
        let mut records = lock(&self.records);
        if !self.has(Bug::SwapNotAtomic) {
            self.check_record(&records, key, expected)?;
        }
        let before = records.by_key.get(key).cloned();
        let revision = match (self.bug, &before) {
            (Some(Bug::RevisionOfRecord), before) => {
                before.as_ref().map_or(1, |record| record.revision.get() + 1)
            }
            (Some(Bug::RevisionUnchanged), Some(record)) if record.value == value => {
                record.revision.get()
            }
            _ => {
                records.last_revision += 1;
                records.last_revision
            }
        };
        let revision = Revision::new(revision);
        if before.is_none() {
            records.keys.push(key.clone());
        }
        records.stale = Some((key.clone(), before));
        records.by_key.insert(key.clone(), StateRecord { revision, value });
        Ok(revision)
    }

    async fn remove(&self, key: &StateKey, expected: ExpectedRevision) -> Result<(), StateError> {
        let key = &self.key(key);
        let mut records = lock(&self.records);
        if !self.has(Bug::RemoveNotChecked) {
            self.check_record(&records, key, expected)?;
        }
        records.stale = None;
        records.by_key.remove(key);
        records.keys.retain(|other| other != key);
        Ok(())
    }

    async fn list(
        &self,
        space: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<StatePage, StateError> {
        let records = lock(&self.records);
        let mut keys: Vec<_> = if self.has(Bug::ListUnsorted) {
            records.keys.iter().collect()
        } else {
            records.by_key.keys().collect()
        };
        if self.has(Bug::ListIgnoresCase) {
            keys.sort_by_key(|key| key.name().to_lowercase());
        }
        let wanted: Vec<_> = keys
            .into_iter()
            .filter(|key| {
                key.space() == space
                    || self.has(Bug::ListByPrefix) && key.space().starts_with(space)
            })
            .filter(|key| {
                after.is_none_or(|after| {
                    key.name() > after || self.has(Bug::ListAfterIncluded) && key.name() == after
                })
            })
            .map(|key| (key.clone(), records.by_key[key].clone()))
            .collect();
        let limit = if self.has(Bug::ListCut) { limit.min(10) } else { limit };
        let more = wanted.len() > limit;
        let more = match self.bug {
            Some(Bug::ListCut) => more && limit < 10,
            Some(Bug::ListMoreForgotten) => false,
            _ => more,
        };
        Ok(StatePage { records: wanted.into_iter().take(limit).collect(), more })
    }
}
