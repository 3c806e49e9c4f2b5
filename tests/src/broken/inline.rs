//! Steps of inline projections in a broken store.

use es_core::jiff::Timestamp;
use es_core::{
    AppendError, Commit, Direction, Inline, InlinePlace, InlineRows, InlineSet, InlineStep,
    InlineStore, Query, QueryPage, QueryRange, ReadError, RecordedEvent, Revision, RowWork,
    StateCommit, StateError, StateKey, StateRecord, StoreFailure, Version,
};
use std::time::Duration;

use crate::broken::bug::Bug;
use crate::broken::log::{Log, microseconds};
use crate::broken::records::Records;
use crate::broken::rows::{ListRows, ListTransaction, Tables};
use crate::broken::{BrokenStore, lock};

/// The way in which a commit came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Alone,
    Chained,
    AtOnce,
    InPlace,
    Guarded,
    Copied,
}

/// What steps have made of the records and the rows.
pub(super) type Made = (Records, Tables);

impl InlineRows for ListRows {}

/// The open step.
struct Step<'a> {
    store: &'a BrokenStore,
    log: &'a Log,
    records: &'a mut Records,
    tables: &'a mut Tables,
    /// As they were before the last change of the step.
    before_last: Records,
}

impl InlineStep<ListRows> for Step<'_> {
    fn get(&mut self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
        let stale = self.store.has(Bug::InlineReadsOldRecords);
        let records = if stale { &self.before_last } else { &*self.records };
        Ok(records.by_key.get(key).cloned())
    }

    fn read(&mut self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        let wanted = |event: &&RecordedEvent| {
            event.position > range.after
                && event.position <= range.up_to
                && self.log.matches(query, event)
        };
        let by_name = query.items().iter().any(|item| !item.names().is_empty());
        let missed = usize::from(by_name && self.store.has(Bug::InlineNamesBehind));
        let known = &self.log.events[..self.log.events.len().saturating_sub(missed)];
        let mut wanted: Vec<_> = known.iter().filter(wanted).collect();
        if range.direction == Direction::Backward {
            wanted.reverse();
        }
        let more = wanted.len() > range.limit;
        let events = wanted.into_iter().take(range.limit).map(RecordedEvent::as_recorded).collect();
        Ok(QueryPage { events, head: self.log.head(), more })
    }

    fn commit(
        &mut self,
        commit: StateCommit,
        rows: Option<&RowWork<ListRows>>,
    ) -> Result<Revision, StateError> {
        self.store.check_commit(self.records, &commit)?;
        self.before_last = self.records.clone();
        if let Some(work) = rows.filter(|_| !self.store.has(Bug::InlineRowsForgotten)) {
            let bug = self.store.bug;
            let done = work.run(&mut ListTransaction::new(bug, self.tables, work.scope()));
            done.map_err(|_| StateError::Abandoned)?;
        }
        Ok(super::state_commits::write(self.store.bug, self.records, &commit.changes))
    }
}

impl BrokenStore {
    /// Whether a commit that came this way runs the steps.
    fn runs(&self, log: &Log, way: Way) -> bool {
        let forgotten = match self.bug {
            Some(Bug::InlineNotInChains) => way == Way::Chained,
            Some(Bug::InlineNotAtOnce) => way == Way::AtOnce,
            Some(Bug::InlineNotInPlace) => way == Way::InPlace,
            Some(Bug::InlineNotUnderConditions) => way == Way::Guarded,
            Some(Bug::InlineNotForCopies) => way == Way::Copied,
            _ => false,
        };
        !forgotten && !log.inline.is_empty()
    }

    /// Runs the steps for a commit at the end of the log, and answers with what they have made of the
    /// records and the rows.
    pub(super) fn run_steps(
        &self,
        log: &mut Log,
        commit: &Commit,
        way: Way,
    ) -> Result<Option<Made>, AppendError> {
        if !self.runs(log, way) {
            return Ok(None);
        }
        let now = microseconds(log.copied_at.unwrap_or_else(Timestamp::now));
        let now = log.events.last().map_or(now, |last| last.recorded_at.max(now));
        log.stamp = Some(now);
        let versions: Vec<_> = match self.bug {
            Some(Bug::InlinePlaceWithoutVersions) => {
                commit.streams().map(|_| Version::ZERO).collect()
            }
            _ => commit.streams().map(|to| log.version(&to.stream)).collect(),
        };
        let recorded_at = match self.bug {
            Some(Bug::InlineTimeOfItsOwn) => now + Duration::from_secs(1),
            _ => now,
        };
        let place = InlinePlace { commit, before: log.head(), versions: &versions, recorded_at };
        let (mut records, mut tables) = (lock(&self.records).clone(), lock(&self.tables).clone());
        let mut set = std::mem::take(&mut log.inline);
        let mut seen = Log::default();
        if self.has(Bug::InlineSeesOwnEvents) {
            seen.events.clone_from(&log.events);
            seen.add(commit);
        }
        let mut step = Step {
            store: self,
            log: if self.has(Bug::InlineSeesOwnEvents) { &seen } else { log },
            before_last: records.clone(),
            records: &mut records,
            tables: &mut tables,
        };
        let done = set.append(&mut step, &place);
        let before_last = step.before_last;
        log.inline = set;
        let Err(refused) = done else { return Ok(Some((records, tables))) };
        log.stamp = None;
        match self.bug {
            Some(Bug::InlineRefusalLeavesRecords) => *lock(&self.records) = records,
            Some(Bug::InlineUndoesLastChangeOnly) => *lock(&self.records) = before_last,
            Some(Bug::InlineRowsNotRolledBack) => *lock(&self.tables) = tables,
            Some(Bug::InlineRolledBackTooFar) => {
                if let Some(before) = log.before_last_step.clone() {
                    *lock(&self.records) = before;
                }
            }
            Some(Bug::InlineRefusalStored) => {
                log.add(commit);
            }
            Some(Bug::InlineRefusalAsText) => {
                let failure = StoreFailure::new(refused.to_string());
                return Err(AppendError::Permanent(failure));
            }
            _ => {}
        }
        Err(refused)
    }

    /// Stores what steps have made.
    pub(super) fn keep_steps(&self, log: &mut Log, made: Option<Made>) {
        let Some((records, tables)) = made else { return };
        log.stamp = None;
        let before = std::mem::replace(&mut *lock(&self.records), records);
        *lock(&self.tables) = tables;
        log.before_last_step = Some(before);
        if !matches!(self.bug, Some(Bug::InlineToldLater | Bug::InlineToldAfterNews)) {
            log.inline.committed();
        }
    }

    fn enlist_now(
        &self,
        log: &mut Log,
        inline: &Inline,
        stay: bool,
        head: es_core::Position,
    ) -> Result<(), StateError> {
        let (mut records, mut tables) = (lock(&self.records).clone(), lock(&self.tables).clone());
        let mut set = std::mem::take(&mut log.inline);
        let mut step = Step {
            store: self,
            log,
            before_last: records.clone(),
            records: &mut records,
            tables: &mut tables,
        };
        let stay = stay || self.has(Bug::InlineStaysAnyway);
        let done = set.enlist(&mut step, inline, stay, head);
        if done.is_ok() {
            *lock(&self.records) = records;
            *lock(&self.tables) = tables;
            set.committed();
        } else {
            set.rolled_back();
            if self.has(Bug::InlineFailedEnlistingLeavesRecords) {
                *lock(&self.records) = records;
            }
        }
        log.inline = set;
        done
    }
}

impl InlineStore for BrokenStore {
    async fn enlist(&self, inline: Inline, stay: bool) -> Result<(), StateError> {
        let head = lock(&self.log).head();
        if self.has(Bug::InlineEnlistedLater) {
            tokio::task::yield_now().await;
            return self.enlist_now(&mut lock(&self.log), &inline, stay, head);
        }
        let mut log = lock(&self.log);
        let head = log.head();
        self.enlist_now(&mut log, &inline, stay, head)
    }
}

/// A new opening has none yet.
pub(super) fn forget(log: &mut Log) {
    log.inline = InlineSet::default();
    log.before_last_step = None;
}
