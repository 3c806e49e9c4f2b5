//! Taking over events into a broken store.

use es_core::jiff::Timestamp;
use es_core::{
    AppendError, Appended, ChainLink, Commit, RecordedAppend, RecordedCommit, StoreFailure, Tags,
};

use crate::broken::bug::Bug;
use crate::broken::inline::Way;
use crate::broken::{BrokenStore, lock};

impl RecordedAppend for BrokenStore {
    async fn append_recorded(
        &self,
        commits: &[RecordedCommit],
    ) -> Vec<Result<Appended, AppendError>> {
        if commits.is_empty() && self.has(Bug::CopyOfNothingAnswered) {
            let failure = StoreFailure::new("there is nothing to append");
            return vec![Err(AppendError::Permanent(failure))];
        }
        let before = lock(&self.log).events.len();
        let mut answers = Vec::with_capacity(commits.len());
        let mut link = ChainLink::default();
        for RecordedCommit { commit, recorded_at } in commits {
            let recorded_at = match self.bug {
                Some(Bug::CopyStampedNow) => Timestamp::now(),
                Some(Bug::CopyStampedWithFirst) => commits[0].recorded_at,
                _ => *recorded_at,
            };
            let linked = if self.has(Bug::CopyWithoutLink) { Ok(()) } else { link.check(commit) };
            let answer = match linked {
                Ok(()) => self.copy(commit, recorded_at).await,
                Err(conflict) => Err(conflict.into()),
            };
            if let Ok(appended) = &answer {
                link.extend(commit, appended);
            }
            let refused = answer.is_err();
            answers.push(answer);
            if refused && !self.has(Bug::CopyGoesOn) {
                if self.has(Bug::CopyRolledBack) {
                    let mut log = lock(&self.log);
                    for event in log.events.split_off(before) {
                        log.by_id.remove(&event.event_id);
                    }
                }
                break;
            }
        }
        answers
    }
}

impl BrokenStore {
    async fn copy(&self, commit: &Commit, recorded_at: Timestamp) -> Result<Appended, AppendError> {
        let mut recorded_at = recorded_at;
        {
            // What is looked at here may be otherwise a moment later.
            let mut log = lock(&self.log);
            let last = log.events.last().map(|last| last.recorded_at);
            match self.bug {
                Some(Bug::CopyRetryNotAtomic) => {
                    if let Some(first_answer) = log.repeated(commit)? {
                        return Ok(first_answer);
                    }
                }
                Some(Bug::CopyVersionsNotAtomic) if log.repeated(commit)?.is_none() => {
                    log.check_versions(commit)?;
                }
                Some(Bug::CopyTimeNotAtomic) => {
                    recorded_at = last.map_or(recorded_at, |last| last.max(recorded_at));
                }
                _ => {}
            }
        }
        if let Some(Bug::CopyRetryNotAtomic | Bug::CopyVersionsNotAtomic | Bug::CopyTimeNotAtomic) =
            self.bug
        {
            tokio::task::yield_now().await;
        }
        if self.has(Bug::CopyTornByDropping) {
            return self.append_guarded(commit, &[], Way::Copied).await;
        }
        let appended = self.copy_now(commit, recorded_at)?;
        if !self.has(Bug::CopyNewsMissed) {
            self.tell(appended.last_position);
        }
        Ok(appended)
    }

    fn copy_now(&self, commit: &Commit, recorded_at: Timestamp) -> Result<Appended, AppendError> {
        let mut log = lock(&self.log);
        let looks = !matches!(self.bug, Some(Bug::CopyDuplicateOnRetry | Bug::CopyRetryNotAtomic));
        if looks && let Some(first_answer) = log.repeated(commit)? {
            if self.has(Bug::CopyTimeOfRetry) {
                for event in commit.streams().flat_map(|to| &to.events) {
                    if let Some(index) = log.by_id.get(&event.id).copied() {
                        log.events[index].recorded_at = recorded_at;
                    }
                }
            }
            return Ok(first_answer);
        }
        self.check_fence(&mut log, commit, Way::Copied)?;
        let checks = !matches!(
            self.bug,
            Some(
                Bug::CopyVersionsNotChecked
                    | Bug::CopyDuplicateOnRetry
                    | Bug::CopyVersionsNotAtomic
                    | Bug::CopyRetryNotAtomic
            )
        );
        if checks {
            log.check_versions(commit)?;
        }
        let before = log.events.len();
        log.copied_at = Some(recorded_at);
        let made = self.run_steps(&mut log, commit, Way::Copied);
        if made.is_err() {
            log.copied_at = None;
        }
        let made = made?;
        let mut appended = log.add(commit);
        log.copied_at = None;
        self.keep_steps(&mut log, made);
        if self.has(Bug::CopyWithoutTags) {
            log.events[before..].iter_mut().for_each(|event| event.tags = Tags::default());
        }
        if self.has(Bug::CopyAnswersTooFew) {
            appended.more_versions.clear();
        }
        Ok(appended)
    }
}
