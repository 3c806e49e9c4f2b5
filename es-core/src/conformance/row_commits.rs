//! Rows of a user's own are written with the records of a commit, or not at all.

use std::sync::Arc;

use crate::conformance::failure::Verdict;
use crate::conformance::fixture::RowFixture;
use crate::conformance::records::key;
use crate::conformance::row_work::{Done, Step, done, holds, run, work};
use crate::conformance::rule::Rule;
use crate::conformance::state_commits::puts;
use crate::conformance::subject::{open, together};
use crate::store::{ExpectedRevision, StateCommit, StateError};

pub(super) async fn rows_are_written_with_the_records_of_their_commit<F: RowFixture>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict {
    let subject = open(&*fixture, rule).await;
    let mut checkpoint = ExpectedRevision::Missing;
    for number in 0..10 {
        let mut commit = StateCommit::default();
        commit.put(key("checkpoint"), number.to_string(), checkpoint);
        let steps = [Step::Create, Step::Insert(number)];
        let (revision, _) = done::<F>(&subject, commit, 1, &steps).await?;
        checkpoint = ExpectedRevision::Exact(revision);
        let stored = subject.get(&key("checkpoint")).await?.map(|record| record.revision);
        subject.same("the checkpoint", Some(revision), stored)?;
    }
    holds::<F>(&subject, 1, &(0..10).collect::<Vec<_>>()).await
}

pub(super) async fn a_commit_that_conflicts_leaves_no_rows<F: RowFixture>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict {
    let subject = open(&*fixture, rule).await;
    work::<F>(&subject, 1, &[Step::Create, Step::Insert(1)]).await?;
    let at = subject.put(&key("there"), "1", ExpectedRevision::Missing).await?;
    let missing = ExpectedRevision::Missing;
    let put = puts([(&key("new"), "2", missing), (&key("there"), "2", missing)]);
    let mut check = puts([(&key("new"), "2", missing)]);
    check.check(key("there"), missing);
    let mut remove = puts([(&key("new"), "2", missing)]);
    remove.remove(key("there"), missing);
    for commit in [put, check, remove] {
        let Done { answer, .. } = run::<F>(&subject, commit, 1, &[Step::Insert(2)]).await?;
        subject.is_refused(answer, &key("there"), missing, Some(at))?;
        holds::<F>(&subject, 1, &[1]).await?;
    }
    subject.same("a record that was refused", None, subject.get(&key("new")).await?)
}

pub(super) async fn work_that_gives_up_leaves_neither_rows_nor_records<F: RowFixture>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict {
    let subject = open(&*fixture, rule).await;
    work::<F>(&subject, 1, &[Step::Create, Step::Insert(1)]).await?;
    for steps in [
        &[Step::GiveUp][..],
        &[Step::Insert(2), Step::GiveUp],
        &[Step::Insert(2), Step::Insert(3), Step::Look, Step::GiveUp],
        &[Step::Discard, Step::GiveUp],
    ] {
        let commit = puts([(&key("checkpoint"), "2", ExpectedRevision::Missing)]);
        let Done { answer, .. } = run::<F>(&subject, commit, 1, steps).await?;
        let abandoned = matches!(answer, Err(StateError::Abandoned));
        let wanted = format!("`StateError::Abandoned` of a commit with {steps:?}");
        subject.require(abandoned, wanted, format_args!("{answer:?}"))?;
        subject.same("the record", None, subject.get(&key("checkpoint")).await?)?;
        holds::<F>(&subject, 1, &[1]).await?;
    }
    // It is nobody's fault but its own: the next one is stored.
    let commit = puts([(&key("checkpoint"), "2", ExpectedRevision::Missing)]);
    done::<F>(&subject, commit, 1, &[Step::Insert(2)]).await?;
    holds::<F>(&subject, 1, &[1, 2]).await
}

pub(super) async fn work_that_gives_up_does_not_touch_the_commits_of_others<F: RowFixture>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict {
    const WRITERS: i64 = 8;
    const EACH: i64 = 25;
    let subject = open(&*fixture, rule).await;
    work::<F>(&subject, 1, &[Step::Create]).await?;
    let writers = (0..WRITERS).map(|writer| {
        let subject = subject.clone();
        async move {
            for round in 0..EACH {
                let number = writer * EACH + round;
                let mut commit = StateCommit::default();
                commit.put(key(&number.to_string()), "", ExpectedRevision::Missing);
                if number % 2 == 0 {
                    done::<F>(&subject, commit, 1, &[Step::Insert(number)]).await?;
                } else {
                    let steps = [Step::Insert(number), Step::GiveUp];
                    let Done { answer, .. } = run::<F>(&subject, commit, 1, &steps).await?;
                    let abandoned = matches!(answer, Err(StateError::Abandoned));
                    subject.require(
                        abandoned,
                        "`StateError::Abandoned`",
                        format_args!("{answer:?}"),
                    )?;
                }
            }
            Ok(())
        }
    });
    together(writers).await?;
    let even: Vec<_> = (0..WRITERS * EACH).filter(|number| number % 2 == 0).collect();
    let records = subject.list("checkpoint", 1_000).await?;
    subject.same("the number of records", even.len(), records.len())?;
    holds::<F>(&subject, 1, &even).await
}
