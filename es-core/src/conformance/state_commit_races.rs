//! Many who commit state records at once.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Barrier;

use crate::conformance::failure::Verdict;
use crate::conformance::record_races::{count_together, number};
use crate::conformance::records::key;
use crate::conformance::subject::{Subject, joined, together};
use crate::store::{ExpectedRevision, ProjectionStore, StateCommit, StateError, StateRecord};

const WRITERS: usize = 8;

pub(super) async fn of_many_commits_on_one_revision_exactly_one_is_stored<S: ProjectionStore>(
    subject: Subject<S>,
) -> Verdict {
    for round in 0..100 {
        let lease = subject.put(&key("lease"), "old", ExpectedRevision::Any).await?;
        let expected = ExpectedRevision::Exact(lease);
        let barrier = Arc::new(Barrier::new(WRITERS));
        let writers = (0..WRITERS).map(|writer| {
            let (subject, barrier) = (subject.clone(), Arc::clone(&barrier));
            async move {
                let mut commit = StateCommit::default();
                commit.put(key(&format!("{round} by {writer}")), "", ExpectedRevision::Missing);
                commit.put(key("lease"), writer.to_string(), expected);
                barrier.wait().await;
                match subject.store.commit(commit, None).await {
                    Ok(revision) => Ok(Some((revision, writer))),
                    Err(StateError::Conflict { actual: Some(_), .. }) => Ok(None),
                    Err(other) => Err(subject.breach("one winner, and conflicts", other)),
                }
            }
        });
        let won: Vec<_> = together(writers).await?.into_iter().flatten().collect();
        let wanted = format!("one of {WRITERS} commits that expect {expected} to be stored");
        subject.require(won.len() == 1, wanted, format_args!("{won:?}"))?;
        let (revision, winner) = won[0];
        let record = StateRecord { revision, value: Bytes::from(winner.to_string()) };
        subject.same(
            "the record of the winner",
            Some(record),
            subject.get(&key("lease")).await?,
        )?;
        for writer in 0..WRITERS {
            let own = subject.get(&key(&format!("{round} by {writer}"))).await?;
            let what = format_args!("whether the other record of commit {writer} is there");
            subject.same(what, writer == winner, own.is_some())?;
        }
    }
    Ok(())
}

/// Two who each may only go while the other stays: each checks the record that the other removes.
pub(super) async fn two_commits_that_check_what_the_other_changes_are_not_both_stored<
    S: ProjectionStore,
>(
    subject: Subject<S>,
) -> Verdict {
    for _ in 0..100 {
        let mut there = StateCommit::default();
        there.put(key("left"), "there", ExpectedRevision::Any);
        there.put(key("right"), "there", ExpectedRevision::Any);
        let revision = subject.commit(there).await?;
        let barrier = Arc::new(Barrier::new(2));
        let writers = [("left", "right"), ("right", "left")].map(|(own, other)| {
            let (subject, barrier) = (subject.clone(), Arc::clone(&barrier));
            async move {
                let mut commit = StateCommit::default();
                commit.check(key(other), ExpectedRevision::Exact(revision));
                commit.remove(key(own), ExpectedRevision::Exact(revision));
                barrier.wait().await;
                match subject.store.commit(commit, None).await {
                    Ok(_) => Ok(1),
                    Err(StateError::Conflict { .. }) => Ok(0),
                    Err(other) => Err(subject.breach("an answer or a conflict", other)),
                }
            }
        });
        let stored: usize = together(writers).await?.into_iter().sum();
        subject.same("how many of the two commits are stored", 1, stored)?;
    }
    Ok(())
}

/// What is moved between three records, whole commits at a time, never shows another sum.
pub(super) async fn no_reader_sees_a_part_of_a_commit<S: ProjectionStore>(
    subject: Subject<S>,
) -> Verdict {
    const SUM: i64 = 300;
    let names = ["a", "b", "c"];
    let mut begin = StateCommit::default();
    for name in names {
        begin.put(key(name), "100", ExpectedRevision::Missing);
    }
    subject.commit(begin).await?;
    let writers = (0..4).map(|writer: usize| {
        let subject = subject.clone();
        async move {
            for round in 0..60 {
                let (from, to) = (names[(writer + round) % 3], names[(writer + round + 1) % 3]);
                let records = subject.get_many(&[key(from), key(to)]).await?;
                let mut commit = StateCommit::default();
                for (name, record, by) in [(from, &records[0], -1), (to, &records[1], 1)] {
                    let (number, expected) = number(&subject, record.as_ref())?;
                    commit.put(key(name), (number + by).to_string(), expected);
                }
                match subject.store.commit(commit, None).await {
                    Ok(_) | Err(StateError::Conflict { .. }) => {}
                    Err(other) => return Err(subject.breach("a commit or a conflict", other)),
                }
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    });
    let readers = (0..3).map(|reader| {
        let subject = subject.clone();
        async move {
            for _ in 0..150 {
                let records = if reader == 0 {
                    let page = subject.list_page("checkpoint", None, 9).await?;
                    // A page may end early: then it is not of all three.
                    if page.more {
                        continue;
                    }
                    page.records.into_iter().map(|(_, record)| record).collect()
                } else {
                    let records = subject.get_many(&names.map(key)).await?;
                    records.into_iter().flatten().collect::<Vec<_>>()
                };
                let mut sum = 0;
                for record in &records {
                    sum += number(&subject, Some(record))?.0;
                }
                subject.same("the sum of the three records", SUM, sum)?;
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    });
    let written = tokio::spawn(together(writers.collect::<Vec<_>>()));
    let read = together(readers).await;
    joined(written.await)?;
    read?;
    Ok(())
}

/// One counter that some raise with a commit and some with a single write.
pub(super) async fn no_increment_is_lost_between_commits_and_single_writes<S: ProjectionStore>(
    subject: Subject<S>,
) -> Verdict {
    count_together(subject, 40, |subject, writer, next, expected| async move {
        if writer % 2 == 0 {
            let mut commit = StateCommit::default();
            commit.put(key("counter"), next, expected);
            subject.store.commit(commit, None).await
        } else {
            subject.store.put(&key("counter"), next, expected).await
        }
    })
    .await
}
