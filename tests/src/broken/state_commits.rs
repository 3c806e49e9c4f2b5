//! Commits of several state records to a broken store.

use es_core::uuid::Uuid;
use es_core::{
    DynInlineStore, ExpectedRevision, ProjectionStore, Revision, RowWork, StateChange, StateCommit,
    StateError, StateKey, StateRecord, StoreFailure,
};

use crate::broken::bug::Bug;
use crate::broken::records::Records;
use crate::broken::rows::{ListRows, ListTransaction};
use crate::broken::{BrokenStore, lock};

impl ProjectionStore for BrokenStore {
    type Rows = ListRows;

    async fn identity(&self) -> Result<Uuid, StateError> {
        let full = !lock(&self.log).events.is_empty();
        Ok(if self.has(Bug::IdentityChanges) && full { self.opening } else { self.identity })
    }

    fn inline_store(&self) -> Option<&dyn DynInlineStore> {
        if self.has(Bug::InlineStoreHidden) { None } else { Some(self) }
    }

    fn opening(&self) -> Option<Uuid> {
        Some(self.opening)
    }

    async fn get_many(&self, keys: &[StateKey]) -> Result<Vec<Option<StateRecord>>, StateError> {
        let mut keys: Vec<_> = keys.iter().map(|key| self.committed_key(key)).collect();
        if self.has(Bug::ManySorted) {
            keys.sort();
        }
        let mut found = Vec::with_capacity(keys.len());
        for key in &keys {
            found.push(lock(&self.records).by_key.get(key).cloned());
            if self.has(Bug::ManyNotSnapshot) {
                tokio::task::yield_now().await;
            }
        }
        if self.has(Bug::ManyWithoutMissing) {
            found.retain(Option::is_some);
        }
        Ok(found)
    }

    async fn commit(
        &self,
        mut commit: StateCommit,
        rows: Option<RowWork<ListRows>>,
    ) -> Result<Revision, StateError> {
        for (key, _) in &mut commit.checks {
            *key = self.committed_key(key);
        }
        for change in &mut commit.changes {
            change.key = self.committed_key(&change.key);
        }
        if self.has(Bug::FenceStopsRecords) && lock(&self.log).fence.is_some() {
            return Err(StateError::Permanent(StoreFailure::new("the store is fenced")));
        }
        match self.bug {
            Some(Bug::CommitTorn | Bug::CommitTornForReaders | Bug::CommitTornByDropping) => {
                return self.commit_torn(&commit).await;
            }
            Some(Bug::CommitNotAtomic) => {
                self.check_commit(&lock(&self.records), &commit)?;
                tokio::task::yield_now().await;
                commit.checks.clear();
                expect_nothing(&mut commit.changes);
            }
            Some(Bug::CommitChecksNotAtomic) => {
                self.check_commit(&lock(&self.records), &commit)?;
                tokio::task::yield_now().await;
                commit.checks.clear();
            }
            Some(Bug::CommitsExcludeOnlyCommits) => {
                let _turn = self.turn.lock().await;
                self.check_commit(&lock(&self.records), &commit)?;
                tokio::task::yield_now().await;
                expect_nothing(&mut commit.changes);
                return self.commit_now(&commit, rows.as_ref());
            }
            Some(Bug::RowsRolledBackTooFar) if rows.is_some() => {
                let before = lock(&self.tables).clone();
                let answer = self.commit_now(&commit, rows.as_ref());
                if matches!(answer, Err(StateError::Abandoned)) {
                    tokio::task::yield_now().await;
                    *lock(&self.tables) = before;
                }
                return answer;
            }
            _ => {}
        }
        self.commit_now(&commit, rows.as_ref())
    }
}

fn expect_nothing(changes: &mut [StateChange]) {
    changes.iter_mut().for_each(|change| change.expected = ExpectedRevision::Any);
}

impl BrokenStore {
    /// Where commits keep a record.
    fn committed_key(&self, key: &StateKey) -> StateKey {
        if self.has(Bug::CommitsApart) {
            StateKey::new(format!("committed {}", key.space()), key.name())
        } else {
            self.key(key)
        }
    }

    pub(super) fn check_commit(
        &self,
        records: &Records,
        commit: &StateCommit,
    ) -> Result<(), StateError> {
        for (key, expected) in &commit.checks {
            if !self.has(Bug::CommitChecksIgnored) {
                self.check_record(records, key, *expected)?;
            }
        }
        for StateChange { key, value, expected } in &commit.changes {
            let looks = match self.bug {
                Some(Bug::CommitVersionsNotChecked) => false,
                Some(Bug::CommitRemovalsNotChecked) => value.is_some(),
                _ => true,
            };
            if looks {
                self.check_record(records, key, *expected)?;
            }
        }
        Ok(())
    }

    fn commit_now(
        &self,
        commit: &StateCommit,
        rows: Option<&RowWork<ListRows>>,
    ) -> Result<Revision, StateError> {
        let mut records = lock(&self.records);
        if !self.has(Bug::RowsBeforeChecks) {
            self.check_commit(&records, commit)?;
        }
        if let Some(work) = rows.filter(|_| !self.has(Bug::RowsForgotten)) {
            let mut tables = lock(&self.tables);
            let before = tables.clone();
            let done = work.run(&mut ListTransaction::new(self.bug, &mut tables, work.scope()));
            if done.is_err() {
                match self.bug {
                    Some(Bug::RowsNotRolledBack) => {}
                    Some(Bug::PublishedAtOnce) => tables.roll_back_rows(before),
                    _ => *tables = before,
                }
                match self.bug {
                    Some(Bug::RecordsThoughGivenUp) => {
                        write(self.bug, &mut records, &commit.changes);
                    }
                    Some(Bug::GivenUpIsPermanent) => {
                        let failure = StoreFailure::new("the rows could not be written");
                        return Err(StateError::Permanent(failure));
                    }
                    _ => {}
                }
                return Err(StateError::Abandoned);
            }
        }
        if self.has(Bug::RowsBeforeChecks) {
            self.check_commit(&records, commit)?;
        }
        let stored = if self.has(Bug::LargeCommitCut) { 1_000 } else { usize::MAX };
        let stored = commit.changes.len().min(stored);
        Ok(write(self.bug, &mut records, &commit.changes[..stored]))
    }

    /// One record after another.
    async fn commit_torn(&self, commit: &StateCommit) -> Result<Revision, StateError> {
        if !self.has(Bug::CommitTorn) {
            self.check_commit(&lock(&self.records), commit)?;
        }
        let mut revision = Revision::new(lock(&self.records).last_revision);
        for change in &commit.changes {
            if self.has(Bug::CommitTornByDropping) {
                tokio::task::yield_now().await;
            }
            {
                let mut records = lock(&self.records);
                self.check_record(&records, &change.key, change.expected)?;
                revision = write(self.bug, &mut records, std::slice::from_ref(change));
            }
            if self.has(Bug::CommitTornForReaders) {
                tokio::task::yield_now().await;
            }
        }
        Ok(revision)
    }
}

/// Writes records that were checked, and answers with their revision.
pub(super) fn write(bug: Option<Bug>, records: &mut Records, changes: &[StateChange]) -> Revision {
    let of_records = changes.iter().filter_map(|change| records.by_key.get(&change.key));
    let of_records = of_records.map(|record| record.revision.get()).max();
    records.last_revision += 1;
    let mut revision = Revision::new(records.last_revision);
    if bug == Some(Bug::CommitRevisionOfRecords) {
        revision = Revision::new(of_records.unwrap_or(0) + 1);
    }
    for StateChange { key, value, .. } in changes {
        match value {
            Some(value) => {
                if bug == Some(Bug::CommitRevisionOfEach) {
                    records.last_revision += 1;
                    revision = Revision::new(records.last_revision);
                }
                let value = value.clone();
                if records.by_key.insert(key.clone(), StateRecord { revision, value }).is_none() {
                    records.keys.push(key.clone());
                }
            }
            None => {
                records.by_key.remove(key);
                records.keys.retain(|other| other != key);
            }
        }
    }
    records.stale = None;
    revision
}
