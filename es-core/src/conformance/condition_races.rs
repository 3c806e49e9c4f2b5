//! Many decisions at once, each guarded by a query.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Barrier;

use crate::commit::{AppendCondition, Commit};
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::sample::{commit, note, tagged};
use crate::conformance::subject::{Subject, shown, together};
use crate::identity::EventId;
use crate::query::{Query, QueryItem};
use crate::store::{AppendError, ConditionalAppend, QueryRange};
use crate::version::{ExpectedVersion, Position};

const WRITERS: usize = 8;
const ROUNDS: usize = 100;

/// A commit to a stream of its own: nothing but conditions can refuse it.
fn free(name: &'static str, tags: &[&str]) -> Commit {
    commit(EventId::generate(), ExpectedVersion::NoStream, vec![tagged(name, tags)])
}

fn tag(text: &str) -> Query {
    Query::from(QueryItem::tagged([text]))
}

/// What a decision saw, and the condition that nothing of it has changed.
async fn look<S: ConditionalAppend>(
    subject: &Subject<S>,
    query: Query,
) -> Result<(usize, AppendCondition), Breach> {
    let (mut range, mut seen) = (QueryRange::all(), 0);
    loop {
        let page = subject.page(&query, range).await?;
        seen += page.events.len();
        range.after = page.token(&range);
        if !page.more {
            return Ok((seen, AppendCondition { query, after: Some(range.after) }));
        }
    }
}

/// Whether a commit was accepted; anything but a failed condition is a breach.
async fn attempt<S: ConditionalAppend>(
    subject: &Subject<S>,
    commit: &Commit,
    condition: AppendCondition,
) -> Result<bool, Breach> {
    match subject.store.append_if(commit, std::slice::from_ref(&condition)).await {
        Ok(_) => Ok(true),
        Err(AppendError::Condition(failed)) => {
            subject.require(
                Some(failed.position) > condition.after,
                format_args!("a refusal because of an event after {:?}", condition.after),
                format_args!("one because of position {}", failed.position),
            )?;
            Ok(false)
        }
        Err(other) => {
            Err(subject.breach("the commit to be accepted or its condition to fail", shown(&other)))
        }
    }
}

pub(super) async fn of_many_decisions_on_one_boundary_exactly_one_wins<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    let barrier = Arc::new(Barrier::new(WRITERS));
    let writers = (0..WRITERS).map(|_| {
        let (subject, barrier) = (subject.clone(), Arc::clone(&barrier));
        async move {
            let mut verdict = Ok(());
            for round in 0..ROUNDS {
                let seat = format!("seat:{round}");
                let looked = look(&subject, tag(&seat)).await;
                // All have looked before the first appends.
                barrier.wait().await;
                let decided = async {
                    let (taken, condition) = looked?;
                    subject.same("the bookings of a free seat", 0, taken)?;
                    attempt(&subject, &free("booked", &[&seat]), condition).await
                };
                verdict = verdict.and(decided.await.map(|_| ()));
                // All stay in step, also after a failure.
                barrier.wait().await;
            }
            verdict
        }
    });
    together(writers).await?;
    for round in 0..ROUNDS {
        let seat = format!("seat:{round}");
        let booked = subject.events(&tag(&seat)).await?.len();
        subject.same(
            format_args!("bookings of `{seat}`, of {WRITERS} who saw it free,"),
            1,
            booked,
        )?;
    }
    Ok(())
}

pub(super) async fn decisions_on_different_boundaries_never_conflict<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    let writers = (0..WRITERS).map(|writer| {
        let subject = subject.clone();
        async move {
            let own = format!("writer:{writer}");
            for round in 0..ROUNDS / 2 {
                let (seen, condition) = look(&subject, tag(&own)).await?;
                subject.same("the events of an own boundary", round, seen)?;
                let own_commit = free("counted", &[&own, "shared"]);
                subject.append_if(&own_commit, &[condition]).await?;
            }
            Ok(())
        }
    });
    together(writers).await?;
    Ok(())
}

/// Two rules over one kind of event, one by tag and one by name: each writes what the other reads.
pub(super) async fn two_rules_that_read_what_the_other_writes_do_not_both_win<
    S: ConditionalAppend,
>(
    subject: Subject<S>,
) -> Verdict {
    for round in 0..ROUNDS {
        let name: &'static str = ["on call", "off call"][round % 2];
        let shift = format!("shift:{round}");
        let other = format!("other:{round}");
        let queries = match round % 3 {
            // By tag, and by name and tag.
            0 => [tag(&shift), Query::from(QueryItem::named([name]).and_tagged([&*shift]))],
            // By two tags that the event has both.
            1 => [tag(&shift), tag(&other)],
            // By one name among others, and by another item.
            _ => [
                Query::from(QueryItem::named(["nobody", name]).and_tagged([&*other])),
                Query::from(QueryItem::named(["nobody"])).or(QueryItem::tagged([&*shift])),
            ],
        };
        let barrier = Arc::new(Barrier::new(2));
        let rules = queries.map(|query| {
            let (subject, barrier) = (subject.clone(), Arc::clone(&barrier));
            let (shift, other) = (shift.clone(), other.clone());
            async move {
                let looked = look(&subject, query).await;
                barrier.wait().await;
                let (_, condition) = looked?;
                attempt(&subject, &free(name, &[&shift, &other]), condition).await
            }
        });
        let won: Vec<_> = together(rules).await?.into_iter().filter(|won| *won).collect();
        subject.same("the number of rules that won", 1, won.len())?;
    }
    Ok(())
}

/// Among writers without conditions, each accepted decision has seen all there was.
pub(super) async fn unconditional_writers_are_seen_by_every_decision<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    let accepted = Arc::new(AtomicU64::new(0));
    let writers = (0..WRITERS).map(|writer| {
        let (subject, accepted) = (subject.clone(), Arc::clone(&accepted));
        async move {
            let mut decisions: Vec<(Position, EventId)> = Vec::new();
            for _ in 0..ROUNDS / 2 {
                if writer % 2 == 0 {
                    subject.append(&free("counted", &["count"])).await?;
                } else {
                    let (_, condition) = look(&subject, tag("count")).await?;
                    let after = condition.after.unwrap_or_default();
                    let decision = free("counted", &["count"]);
                    if attempt(&subject, &decision, condition).await? {
                        accepted.fetch_add(1, Ordering::SeqCst);
                        decisions.push((after, decision.first().events[0].id));
                    }
                }
                tokio::task::yield_now().await;
            }
            Ok(decisions)
        }
    });
    let decisions = together(writers).await?.concat();
    let counted = subject.events(&tag("count")).await?;
    for (after, id) in decisions {
        let place = counted.iter().position(|event| event.event_id == id);
        let before = place.and_then(|place| place.checked_sub(1)).map(|place| &counted[place]);
        let before = before.map_or(Position::ZERO, |before| before.position);
        subject.require(
            place.is_some() && before <= after,
            format_args!("a decision that saw everything up to {after} to be stored only if nothing that matches followed"),
            format_args!("it is stored, behind a match at position {before}"),
        )?;
    }
    let unconditional = ROUNDS / 2 * (WRITERS / 2);
    let expected = unconditional + accepted.load(Ordering::SeqCst) as usize;
    subject.same("the number of events", expected, counted.len())
}

/// Invoice numbers: a hundred at once get one to a hundred, without a hole and without a double.
pub(super) async fn numbers_are_given_out_without_a_hole_or_a_double<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    const EACH: usize = 12;
    let writers = (0..WRITERS).map(|_| {
        let subject = subject.clone();
        async move {
            let mut numbers = Vec::new();
            while numbers.len() < EACH {
                let (given, condition) = look(&subject, tag("invoice")).await?;
                let number = format!("number:{}", given + 1);
                if attempt(&subject, &free("created", &["invoice", &number]), condition).await? {
                    numbers.push(given + 1);
                }
                // What others write beside is no reason to be refused.
                subject.append(&note(EventId::generate())).await?;
            }
            Ok(numbers)
        }
    });
    let mut numbers = together(writers).await?.concat();
    numbers.sort_unstable();
    let expected: Vec<_> = (1..=EACH * WRITERS).collect();
    subject.same("the numbers that were given out", expected, numbers)
}
