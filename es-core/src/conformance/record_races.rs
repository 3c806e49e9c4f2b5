//! Many who write state records at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Barrier;

use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::records::key;
use crate::conformance::subject::{Subject, joined, together};
use crate::store::{ExpectedRevision, Revision, StateError, StateKey, StateRecord, StateStore};

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
    count_together(subject, 50, |subject, _, next, expected| async move {
        subject.store.put(&key("counter"), next, expected).await
    })
    .await
}

/// Many raise one counter, each so often. `write` is told which of them writes.
pub(super) async fn count_together<S, W, F>(subject: Subject<S>, each: u64, write: W) -> Verdict
where
    S: StateStore,
    W: Fn(Subject<S>, usize, Bytes, ExpectedRevision) -> F + Copy + Send + 'static,
    F: Future<Output = Result<Revision, StateError>> + Send + 'static,
{
    let all = each * WRITERS as u64;
    subject.put(&key("counter"), "0", ExpectedRevision::Missing).await?;
    let writers = (0..WRITERS).map(|writer| {
        let subject = subject.clone();
        async move {
            let (mut done, mut refused) = (0, 0);
            while done < each {
                // Each conflict is because of a write that somebody else made.
                subject.require(
                    refused <= all,
                    format_args!("at most one conflict for each of {all} writes"),
                    format_args!("{refused} conflicts of one writer"),
                )?;
                let record = subject.get(&key("counter")).await?;
                let (count, expected) = number(&subject, record.as_ref())?;
                let next = Bytes::from((count + 1).to_string());
                match write(subject.clone(), writer, next, expected).await {
                    Ok(_) => done += 1,
                    Err(StateError::Conflict { .. }) => refused += 1,
                    Err(other) => return Err(subject.breach("a write or a conflict", other)),
                }
            }
            Ok(())
        }
    });
    together(writers).await?;
    let record = subject.get(&key("counter")).await?;
    let (count, _) = number(&subject, record.as_ref())?;
    subject.same("the counter", all as i64, count)
}

/// The number that a record holds, and the revision that whoever changes it must expect.
pub(super) fn number<S: StateStore>(
    subject: &Subject<S>,
    record: Option<&StateRecord>,
) -> Result<(i64, ExpectedRevision), Breach> {
    let text = record.map(|record| String::from_utf8_lossy(&record.value).into_owned());
    match (record, text.as_deref().and_then(|text| text.parse().ok())) {
        (Some(record), Some(number)) => Ok((number, ExpectedRevision::Exact(record.revision))),
        _ => Err(subject.breach("a number that was written", format_args!("{text:?}"))),
    }
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
