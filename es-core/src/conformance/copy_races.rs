//! Many who take over events at once.

use std::sync::Arc;

use tokio::sync::Barrier;

use crate::conformance::copies::{history, recorded, time};
use crate::conformance::failure::Verdict;
use crate::conformance::sample::{commit, events, note, stream, valid};
use crate::conformance::subject::{Subject, together};
use crate::store::{AppendError, RecordedAppend, RecordedCommit};
use crate::version::ExpectedVersion;

const COPIERS: usize = 6;

pub(super) async fn one_history_that_many_take_over_is_stored_once<S: RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    for round in 0..20 {
        let id = format!("copied {round}");
        let commits = history(&id, 0, 8);
        let copiers = (0..COPIERS).map(|copier| {
            let (subject, commits) = (subject.clone(), commits.clone());
            async move {
                for part in commits.chunks(1 + copier % 4) {
                    subject.take_over(part).await?;
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
        });
        together(copiers).await?;
        let all: Vec<_> = commits.iter().flat_map(|of| of.commit.first().events.clone()).collect();
        subject.holds(&stream(&id), &all).await?;
    }
    Ok(())
}

/// Two histories that continue one version: each is what the other makes impossible.
pub(super) async fn of_two_histories_of_one_stream_exactly_one_is_taken_over<S: RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    for round in 0..50 {
        let id = format!("forked {round}");
        let barrier = Arc::new(Barrier::new(COPIERS));
        let copiers = (0..COPIERS).map(|copier| {
            let (subject, id, barrier) = (subject.clone(), id.clone(), Arc::clone(&barrier));
            async move {
                let mut commits = history(&id, 0, 3);
                barrier.wait().await;
                // Half of them write by the other way.
                if copier % 2 == 0 {
                    let answers = subject.store.append_recorded(&commits).await;
                    return match answers.first() {
                        Some(Ok(_)) if answers.len() == 3 && answers.iter().all(Result::is_ok) => {
                            Ok(Some(commits))
                        }
                        Some(Err(AppendError::Conflict(_))) if answers.len() == 1 => Ok(None),
                        _ => Err(subject.breach(
                            "all three commits to be stored, or a conflict of the first",
                            format_args!("{answers:?}"),
                        )),
                    };
                }
                commits.truncate(1);
                match subject.store.append(&commits[0].commit).await {
                    Ok(_) => Ok(Some(commits)),
                    Err(AppendError::Conflict(_)) => Ok(None),
                    Err(other) => Err(subject.breach("an answer or a conflict", other)),
                }
            }
        });
        let won: Vec<_> = together(copiers).await?.into_iter().flatten().collect();
        subject.same("how many histories are taken over", 1, won.len())?;
        let events: Vec<_> =
            won[0].iter().flat_map(|of| of.commit.first().events.clone()).collect();
        subject.holds(&stream(&id), &events).await?;
    }
    Ok(())
}

pub(super) async fn times_do_not_fall_while_others_append<S: RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    let writers = (0..COPIERS).map(|writer| {
        let subject = subject.clone();
        async move {
            for round in 0..30_i64 {
                if writer % 2 == 0 {
                    subject.append(&note(writer)).await?;
                } else {
                    let both = commit(writer, ExpectedVersion::Any, events(1));
                    let shared = stream("shared");
                    let both = valid(both.and(shared, ExpectedVersion::Any, events(1)));
                    let one: RecordedCommit = recorded(both, time(round * 1_000));
                    subject.take_over(&[one]).await?;
                }
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    });
    together(writers).await?;
    let stored = subject.everything().await?;
    let times: Vec<_> = stored.iter().map(|event| event.recorded_at).collect();
    subject.require(times.is_sorted(), "times that do not fall", format_args!("{times:?}"))?;
    subject.same("the number of events", 3 * 30 + 3 * 60, stored.len())
}
