//! Appending to a broken store.

use std::sync::Arc;

use es_core::{
    AppendCondition, AppendError, Appended, Commit, ConditionalAppend, ExpectedVersion,
    ImmediateAppend, InPlaceAppend, Moment, Position, StoreFailure, VersionConflict,
};

use crate::broken::bug::Bug;
use crate::broken::inline::{Made, Way};
use crate::broken::{BrokenStore, lock};

impl BrokenStore {
    pub(super) fn tell(&self, head: Position) {
        match self.bug {
            Some(Bug::NewsMissed) => {}
            _ => _ = self.head.send_replace(head),
        }
    }

    pub(super) async fn append_guarded(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
        way: Way,
    ) -> Result<Appended, AppendError> {
        let mut held = Vec::new();
        match self.bug {
            Some(Bug::OneWriterAtATime | Bug::OneWriterOfAnyAtATime) => {
                let to = commit.first();
                let before = {
                    let log = lock(&self.log);
                    (log.head(), log.version(&to.stream))
                };
                tokio::task::yield_now().await;
                let of_any = self.has(Bug::OneWriterOfAnyAtATime);
                if lock(&self.log).head() != before.0
                    && of_any == (to.expected == ExpectedVersion::Any)
                {
                    let (stream, expected, actual) = (to.stream.clone(), to.expected, before.1);
                    return Err(VersionConflict { stream, expected, actual }.into());
                }
            }
            Some(Bug::LockedAsNamed) => {
                for to in commit.streams() {
                    let stream =
                        Arc::clone(lock(&self.locks).entry(to.stream.clone()).or_default());
                    held.push(stream.lock_owned().await);
                    tokio::task::yield_now().await;
                }
            }
            Some(
                Bug::TornCommit
                | Bug::TornForReaders
                | Bug::TornByDropping
                | Bug::CopyTornByDropping,
            ) => {
                return self.append_torn(commit).await;
            }
            Some(Bug::LatePosition) => return self.append_late(commit).await,
            Some(Bug::LostRace) => {
                {
                    let mut log = lock(&self.log);
                    if let Some(first_answer) = log.repeated(commit)? {
                        return Ok(first_answer);
                    }
                    log.check_versions(commit)?;
                }
                // Somebody else comes here.
                tokio::task::yield_now().await;
                let appended = lock(&self.log).add(commit);
                self.tell(appended.last_position);
                return Ok(appended);
            }
            Some(Bug::ConditionNotAtomic) => {
                lock(&self.log).check_conditions(commit, conditions)?;
                tokio::task::yield_now().await;
                let mut log = lock(&self.log);
                if let Some(first_answer) = log.repeated(commit)? {
                    return Ok(first_answer);
                }
                log.check_versions(commit)?;
                let appended = log.add(commit);
                self.tell(appended.last_position);
                return Ok(appended);
            }
            _ => {}
        }
        let (appended, made) = self.append_locked(commit, conditions, way)?;
        if appended.repeated {
            return Ok(appended);
        }
        if made.is_some() {
            tokio::task::yield_now().await;
            self.keep_steps(&mut lock(&self.log), made);
        }
        self.tell(appended.last_position);
        if self.has(Bug::InlineToldAfterNews) {
            tokio::task::yield_now().await;
            lock(&self.log).inline.committed();
        }
        Ok(appended)
    }

    /// What steps have made, and is not kept yet, comes with the answer.
    fn append_locked(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
        way: Way,
    ) -> Result<(Appended, Option<Made>), AppendError> {
        let mut log = lock(&self.log);
        if log.is_unusable {
            return Err(AppendError::Permanent(StoreFailure::new("there is no log")));
        }
        if self.has(Bug::VersionBeforeRetry) {
            log.check_versions(commit)?;
        }
        if self.has(Bug::ConditionBeforeRetry) {
            log.check_conditions(commit, conditions)?;
        }
        if self.has(Bug::FenceBeforeRetry) {
            self.check_fence(&mut log, commit, way)?;
        }
        if let Some(first_answer) = log.repeated(commit)? {
            if self.has(Bug::InlineRunOnRetry) {
                let made = self.run_steps(&mut log, commit, way)?;
                self.keep_steps(&mut log, made);
            }
            return Ok((first_answer, None));
        }
        self.check_fence(&mut log, commit, way)?;
        if self.has(Bug::BurntEventIds)
            && let Some(event) = commit
                .streams()
                .flat_map(|to| &to.events)
                .find(|event| log.refused.contains(&event.id))
        {
            let (event_id, position) = (event.id, log.head());
            return Err(AppendError::EventIdReused { event_id, position });
        }
        let skips_versions = self.has(Bug::ConditionWithoutVersions) && !conditions.is_empty();
        let versions = if skips_versions { Ok(()) } else { log.check_versions(commit) };
        let checked = versions.and_then(|()| log.check_conditions(commit, conditions));
        if let Err(refused) = checked {
            if self.has(Bug::InlineRunBeforeChecks) {
                let made = self.run_steps(&mut log, commit, way)?;
                self.keep_steps(&mut log, made);
            }
            let burns = matches!(refused, AppendError::Condition(_));
            if self.has(Bug::BurntPosition) && !burns
                || self.has(Bug::ConditionBurnsPosition) && burns
            {
                log.burnt += commit.event_count() as u64;
            }
            log.refused.extend(commit.streams().flat_map(|to| &to.events).map(|event| event.id));
            return Err(refused);
        }
        let made = self.run_steps(&mut log, commit, way)?;
        let appended = log.add(commit);
        let made = if self.has(Bug::InlineRecordsLater) {
            made
        } else {
            self.keep_steps(&mut log, made);
            None
        };
        if self.has(Bug::ConditionFailedByOwnEvents)
            && let Err(refused) = log.check_conditions(commit, conditions)
        {
            for event in commit.streams().flat_map(|to| &to.events) {
                log.by_id.remove(&event.id);
                log.events.pop();
            }
            return Err(refused);
        }
        if !conditions.is_empty() {
            log.conditional
                .extend(commit.streams().flat_map(|to| &to.events).map(|event| event.id));
        }
        Ok((appended, made))
    }

    /// One stream after another.
    async fn append_torn(&self, commit: &Commit) -> Result<Appended, AppendError> {
        {
            let mut log = lock(&self.log);
            if let Some(first_answer) = log.repeated(commit)? {
                return Ok(first_answer);
            }
            if !self.has(Bug::TornCommit) {
                log.check_versions(commit)?;
            }
        }
        let mut versions = Vec::new();
        let mut first_position = None;
        for to in commit.streams() {
            if matches!(self.bug, Some(Bug::TornByDropping | Bug::CopyTornByDropping)) {
                tokio::task::yield_now().await;
            }
            {
                let mut log = lock(&self.log);
                if let Ok(one) = Commit::new(to.stream.clone(), to.expected, to.events.clone()) {
                    log.check_versions(&one)?;
                }
                let before = log.events.len();
                versions.push(log.add_to_stream(to));
                first_position = first_position.or(log.events.get(before).map(|e| e.position));
                self.tell(log.head());
            }
            if self.has(Bug::TornForReaders) {
                tokio::task::yield_now().await;
            }
        }
        let first_position = first_position.unwrap_or_default();
        Ok(Appended {
            first_position,
            last_position: first_position.plus(commit.event_count() as u64 - 1),
            version: versions.remove(0),
            more_versions: versions,
            repeated: false,
        })
    }

    /// As a sequence of a database does it: numbers are drawn, and rows appear when they are
    /// committed.
    async fn append_late(&self, commit: &Commit) -> Result<Appended, AppendError> {
        let (rows, appended) = {
            let mut log = lock(&self.log);
            if let Some(first_answer) = log.repeated(commit)? {
                return Ok(first_answer);
            }
            log.check_versions(commit)?;
            let (events, head) = (log.events.len(), log.burnt.max(log.head().get()));
            let mut appended = log.add(commit);
            let mut rows = log.events.split_off(events);
            for (index, row) in (1..).zip(&mut rows) {
                row.position = Position::new(head + index);
                log.by_id.remove(&row.event_id);
            }
            log.burnt = head + rows.len() as u64;
            appended.first_position = Position::new(head + 1);
            appended.last_position = Position::new(log.burnt);
            (rows, appended)
        };
        if appended.first_position.get() % 3 == 0 {
            tokio::task::yield_now().await;
        }
        let mut log = lock(&self.log);
        for row in rows {
            let at = log.events.partition_point(|event| event.position < row.position);
            log.events.insert(at, row);
        }
        let by_id = log.events.iter().enumerate().map(|(index, event)| (event.event_id, index));
        log.by_id = by_id.collect();
        self.tell(log.head());
        Ok(appended)
    }
}

impl ImmediateAppend for BrokenStore {
    fn append_now(&self, commit: &Commit, _: &Moment) -> Result<Appended, AppendError> {
        self.append_without_waiting(commit, Way::AtOnce)
    }
}

impl InPlaceAppend for BrokenStore {
    fn try_append(&self, commit: &Commit) -> Option<Result<Appended, AppendError>> {
        Some(self.append_without_waiting(commit, Way::InPlace))
    }
}

impl BrokenStore {
    fn append_without_waiting(&self, commit: &Commit, way: Way) -> Result<Appended, AppendError> {
        let mut log = lock(&self.log);
        if !self.has(Bug::ImmediateDuplicateOnRetry)
            && let Some(first_answer) = log.repeated(commit)?
        {
            return Ok(first_answer);
        }
        self.check_fence(&mut log, commit, way)?;
        if !self.has(Bug::ImmediateVersionsNotChecked) {
            log.check_versions(commit)?;
        }
        let made = self.run_steps(&mut log, commit, way)?;
        let mut appended = log.add(commit);
        self.keep_steps(&mut log, made);
        drop(log);
        if !self.has(Bug::ImmediateNewsMissed) {
            self.tell(appended.last_position);
        }
        if self.has(Bug::ImmediateAnswersTooFew) {
            appended.more_versions.clear();
        }
        Ok(appended)
    }
}

impl ConditionalAppend for BrokenStore {
    async fn append_if(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        self.append_guarded(commit, conditions, Way::Guarded).await
    }
}
