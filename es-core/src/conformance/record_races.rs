//! Many who write state records at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Barrier;

use crate::conformance::failure::Verdict;
use crate::conformance::records::key;
use crate::conformance::subject::{Subject, joined, together};
use crate::store::{ExpectedRevision, StateError, StateKey, StateStore};

const WRITERS: usize = 8;

pub(super) async fn of_many_with_one_expected_revision_exactly_one_wins<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    let mut seen = BTreeSet::new();
    for round in 0..100 {
        // Every second round they race for a record that is missing.
        let expected = if round % 2 == 0 {
            subject.remove(&key("a"), ExpectedRevision::Any).await?;
            ExpectedRevision::Missing
        } else {
            let revision = subject.put(&key("a"), "old", ExpectedRevision::Any).await?;
            seen.insert(revision);
            ExpectedRevision::Exact(revision)
        };
        let barrier = Arc::new(Barrier::new(WRITERS));
        let writers = (0..WRITERS).map(|writer| {
            let (subject, barrier) = (subject.clone(), Arc::clone(&barrier));
            async move {
                barrier.wait().await;
                let value = Bytes::from(writer.to_string());
                match subject.store.put(&key("a"), value, expected).await {
                    Ok(revision) => Ok(Some((revision, writer))),
                    Err(StateError::Conflict { actual: Some(_), .. }) => Ok(None),
                    Err(other) => Err(subject.breach("one winner, and conflicts", other)),
                }
            }
        });
        let won: Vec<_> = together(writers).await?.into_iter().flatten().collect();
        let wanted = format!("one of {WRITERS} writers that expect {expected} to win");
        subject.require(won.len() == 1, wanted, format_args!("{won:?}"))?;
        let (revision, writer) = won[0];
        let fresh = seen.insert(revision);
        subject.under(2).require(fresh, "a revision that was never there", revision)?;
        let stored = subject.get(&key("a")).await?;
        let stored = stored.map(|record| (record.revision, record.value));
        let expected = Some((revision, Bytes::from(writer.to_string())));
        subject.same("the record of the winner", expected, stored)?;
    }
    Ok(())
}

pub(super) async fn no_increment_of_a_counter_is_lost<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    const EACH: u64 = 50;
    subject.put(&key("counter"), "0", ExpectedRevision::Missing).await?;
    let writers = (0..WRITERS).map(|_| {
        let subject = subject.clone();
        async move {
            let mut done = 0;
            while done < EACH {
                let Some(record) = subject.get(&key("counter")).await? else {
                    return Err(subject.breach("the counter to be there", "it is gone"));
                };
                let text = String::from_utf8_lossy(&record.value).into_owned();
                let Ok(count) = text.parse::<u64>() else {
                    return Err(subject.breach("a number that was written", text));
                };
                let next = Bytes::from((count + 1).to_string());
                let expected = ExpectedRevision::Exact(record.revision);
                match subject.store.put(&key("counter"), next, expected).await {
                    Ok(_) => done += 1,
                    Err(StateError::Conflict { .. }) => tokio::task::yield_now().await,
                    Err(other) => return Err(subject.breach("a write or a conflict", other)),
                }
            }
            Ok(())
        }
    });
    together(writers).await?;
    let value = subject.get(&key("counter")).await?.map(|record| record.value);
    let expected = (EACH * WRITERS as u64).to_string();
    subject.same("the counter", Some(Bytes::from(expected)), value)
}

pub(super) async fn writers_of_different_records_never_conflict<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    let writers = (0..WRITERS).map(|writer| {
        let subject = subject.clone();
        async move {
            let own = StateKey::new("checkpoint", writer.to_string());
            let mut expected = ExpectedRevision::Missing;
            for number in 0..50 {
                let revision = subject.put(&own, number.to_string(), expected).await?;
                expected = ExpectedRevision::Exact(revision);
            }
            Ok(())
        }
    });
    together(writers).await?;
    subject.same("the number of records", WRITERS, subject.list("checkpoint", 3).await?.len())
}

/// While some records come and go, those that stay are in every list.
pub(super) async fn a_list_is_complete_while_others_write<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    let stays: Vec<_> = (0..20).map(|number| format!("{number:02} stays")).collect();
    for name in &stays {
        subject.put(&key(name), "stays", ExpectedRevision::Missing).await?;
    }
    let writers = (0..4).map(|writer| {
        let subject = subject.clone();
        async move {
            for number in 0..50 {
                let name = key(&format!("{:02} goes {writer}", number % 20));
                subject.put(&name, "goes", ExpectedRevision::Any).await?;
                if number % 3 != 0 {
                    subject.remove(&name, ExpectedRevision::Any).await?;
                }
            }
            Ok(())
        }
    });
    let readers = (0..2).map(|_| {
        let (subject, stays) = (subject.clone(), stays.clone());
        async move {
            for limit in 1..40 {
                let list = subject.list("checkpoint", limit).await?;
                let names: Vec<_> = list.iter().map(|(key, _)| key.name().to_owned()).collect();
                subject.require(
                    names.is_sorted_by(|left, right| left < right),
                    "names that rise",
                    format_args!("{names:?}"),
                )?;
                let missing = stays.iter().find(|name| !names.contains(name));
                subject.same("a record that is missing in a list", None, missing)?;
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
