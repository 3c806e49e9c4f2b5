//! Append conditions: what fails them, and what does not.

use crate::commit::{AppendCondition, Commit};
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::queries::{a_little_of_everything, random_query};
use crate::conformance::sample::{commit, event, events, exact, note, stream, tagged, valid};
use crate::conformance::subject::Subject;
use crate::query::{Query, QueryItem};
use crate::store::{AppendError, ConditionalAppend, EventStore, QueryRange};
use crate::version::{ExpectedVersion, Position, Version};

fn seat(number: u32) -> Query {
    Query::from(QueryItem::tagged([format!("seat:{number}")]))
}

fn booking(id: impl std::fmt::Display, tag: &str) -> Commit {
    commit(id, ExpectedVersion::Any, vec![tagged("booked", &[tag])])
}

fn unless(query: Query, after: Option<Position>) -> AppendCondition {
    AppendCondition { query, after }
}

pub(super) async fn a_condition_without_after_fails_on_any_match<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    // On an empty store nothing matches.
    subject.append_if(&booking("a", "seat:1"), &[unless(Query::all(), None)]).await?;
    let at = subject.head().await?;
    subject.append(&booking("a", "seat:1")).await?;
    subject.fails(&booking("b", "seat:2"), &[unless(seat(1), None)], 0, at).await?;
    subject.append_if(&booking("b", "seat:2"), &[unless(seat(2), None)]).await?;
    subject.fails(&booking("c", "seat:3"), &[unless(Query::all(), None)], 0, at).await?;
    Ok(())
}

pub(super) async fn a_condition_ignores_what_is_at_or_below_after<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    let first = subject.append(&booking("a", "seat:1")).await?.last_position;
    subject.append(&note("z")).await?;
    let second = subject.append(&booking("a", "seat:1")).await?.last_position;
    let head = subject.append(&note("z")).await?.last_position;
    let below = |position: Position| Position::new(position.get() - 1);
    let fails = [
        (Some(Position::ZERO), first),
        (Some(below(first)), first),
        (Some(first), second),
        (Some(below(second)), second),
        (None, first),
    ];
    for (after, position) in fails {
        let refused = booking("b", "seat:2");
        subject.fails(&refused, &[unless(seat(1), after)], 0, position).await?;
    }
    subject.same("the head", head, subject.head().await?)?;
    for after in [second, head, head.plus(10), Position::MAX] {
        subject.append_if(&booking("b", "seat:2"), &[unless(seat(1), Some(after))]).await?;
    }
    Ok(())
}

pub(super) async fn the_refusal_names_the_first_condition_that_fails<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    let one = subject.append(&booking("a", "seat:1")).await?.last_position;
    let two = subject.append(&booking("a", "seat:2")).await?.last_position;
    subject.append(&booking("a", "seat:2")).await?;
    let holds = unless(seat(9), None);
    let later = unless(seat(2), None);
    let earlier = unless(seat(1), None);
    let refused = booking("b", "seat:9");
    subject.fails(&refused, &[holds.clone(), later.clone()], 1, two).await?;
    // The order of the conditions counts, not that of the events.
    subject.fails(&refused, &[later.clone(), earlier.clone()], 0, two).await?;
    subject.fails(&refused, &[holds.clone(), earlier, later], 1, one).await?;
    let several = Query::from(QueryItem::tagged(["seat:2"])).or(QueryItem::tagged(["seat:1"]));
    subject.fails(&refused, &[unless(several, None)], 0, one).await?;
    subject.append_if(&refused, &[holds.clone(), holds]).await?;
    Ok(())
}

/// A condition fails exactly when a read of its query finds something above `after`.
pub(super) async fn a_condition_matches_what_a_read_finds<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    a_little_of_everything(&subject).await?;
    let mut random = fastrand::Rng::with_seed(2);
    for number in 0..300 {
        let query = random_query(&mut random);
        let head = subject.head().await?;
        let after = match random.u8(0..3) {
            0 => None,
            _ => Some(Position::new(random.u64(0..=head.get()))),
        };
        let found = subject.events_after(&query, after.unwrap_or_default()).await?;
        let conditions = [unless(query, after)];
        let new = note(format!("new {number}"));
        match found.first() {
            Some(first) => subject.fails(&new, &conditions, 0, first.position).await?,
            None => _ = subject.append_if(&new, &conditions).await?,
        }
    }
    Ok(())
}

pub(super) async fn a_refused_commit_leaves_nothing_behind<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    let first = subject.append(&booking("a", "seat:1")).await?.last_position;
    let second = subject.append(&booking("a", "seat:1")).await?.last_position;
    let step = second.get() - first.get();
    let refused =
        commit("b", ExpectedVersion::NoStream, vec![tagged("booked", &["seat:2"]), event()]);
    let refused = valid(refused.and(stream("a"), exact(2), events(1)));
    for _ in 0..3 {
        subject.fails(&refused, &[unless(seat(1), None)], 0, first).await?;
    }
    subject.same("the head", second, subject.head().await?)?;
    subject.same("the number of events", 2, subject.everything().await?.len())?;
    subject.same("what its tag selects", 0, subject.events(&seat(2)).await?.len())?;
    subject.holds(&stream("b"), &[]).await?;
    for event in refused.streams().flat_map(|to| &to.events) {
        subject.same("what `find` finds", None, subject.find(event.id).await?)?;
    }
    let next = subject.append(&note("a")).await?;
    subject.same(
        "the distance of the next position, as without a refusal,",
        step,
        next.first_position.get().saturating_sub(second.get()),
    )?;
    // What was refused can be appended later.
    let again: Vec<_> = refused.first().events.clone();
    subject.append_if(&commit("b", ExpectedVersion::NoStream, again), &[]).await?;
    Ok(())
}

pub(super) async fn versions_and_conditions_are_both_checked<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    let at = subject.append(&booking("a", "seat:1")).await?.last_position;
    let stale = commit("a", ExpectedVersion::NoStream, events(1));
    let answer = subject.store.append_if(&stale, &[unless(seat(2), None)]).await;
    let (expected, actual) = (ExpectedVersion::NoStream, Version::new(1));
    subject.is_conflict(&stale, answer, &stream("a"), expected, actual)?;
    let right = commit("a", exact(1), events(1));
    subject.fails(&right, &[unless(seat(1), None)], 0, at).await?;
    // When neither holds, either may be said.
    match subject.store.append_if(&stale, &[unless(seat(1), None)]).await {
        Err(AppendError::Conflict(_) | AppendError::Condition(_)) => {}
        other => {
            let found = format!("{other:?}");
            return Err(subject.breach("a refusal: neither version nor condition holds", found));
        }
    }
    subject.append_if(&right, &[unless(seat(2), None)]).await?;
    subject.same("the number of events", 2, subject.everything().await?.len())
}

pub(super) async fn a_commit_never_fails_its_own_conditions<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    for number in 0..3 {
        let new: Vec<_> = (0..3).map(|_| tagged("booked", &["seat:7"])).collect();
        let own = commit(number, ExpectedVersion::NoStream, new.clone());
        let own =
            valid(own.and(stream(format!("{number}+")), ExpectedVersion::NoStream, events(1)));
        let query = Query::from(QueryItem::named(["booked"]).and_tagged(["seat:7"]));
        let head = subject.head().await?;
        let after = (number > 0).then_some(head);
        subject.append_if(&own, &[unless(query, after), unless(Query::all(), after)]).await?;
    }
    Ok(())
}

pub(super) async fn unconditional_commits_fail_the_conditions_of_others<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    let range = QueryRange::all();
    let page = subject.page(&seat(1), range).await?;
    let token = page.token(&range);
    // Another stream, by `append` and by `append_if` without conditions.
    let at = subject.append(&booking("other", "seat:1")).await?.last_position;
    let refused = booking("mine", "seat:1");
    subject.fails(&refused, &[unless(seat(1), Some(token))], 0, at).await?;
    let next = subject.append_if(&booking("another", "seat:1"), &[]).await?.last_position;
    subject.fails(&refused, &[unless(seat(1), Some(at))], 0, next).await?;
    let chained = [booking("chained", "seat:1")];
    for answer in subject.store.append_chain(&chained).await {
        subject.accepted(&chained[0], answer)?;
    }
    let last = subject.head().await?;
    subject.fails(&refused, &[unless(seat(1), Some(next))], 0, last).await
}

pub(super) async fn a_read_that_found_nothing_still_guards<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    for _ in 0..3 {
        subject.append(&note("z")).await?;
    }
    let range = QueryRange::all();
    let page = subject.page(&seat(1), range).await?;
    let token = page.token(&range);
    subject.same("the token of a read that found nothing", page.head, token)?;
    let at = subject.append(&booking("a", "seat:1")).await?.last_position;
    subject.fails(&booking("b", "seat:1"), &[unless(seat(1), Some(token))], 0, at).await
}

/// Who decided on a limited read is guarded against what stood behind the limit too.
pub(super) async fn the_token_of_a_limited_read_guards_what_it_did_not_see<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    subject.append(&booking("a", "seat:1")).await?;
    subject.append(&note("z")).await?;
    let unseen = subject.append(&booking("a", "seat:1")).await?.last_position;
    subject.append(&note("z")).await?;
    let range = QueryRange { limit: 1, ..QueryRange::all() };
    let page = subject.page(&seat(1), range).await?;
    let token = page.token(&range);
    subject.fails(&booking("b", "seat:1"), &[unless(seat(1), Some(token))], 0, unseen).await
}

pub(super) async fn what_no_condition_matches_is_never_refused<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    // Names and tags that are near those of the condition, between its read and its append.
    let near = ["seat:10", "seat:", "Seat:1", "seat:1 ", "eat:1"];
    for (number, tag) in near.into_iter().enumerate() {
        let range = QueryRange::all();
        let query = Query::from(QueryItem::named(["booked"]).and_tagged(["seat:1"]));
        let token = subject.page(&query, range).await?.token(&range);
        subject.append(&booking("other", tag)).await?;
        let named = tagged("released", &["seat:1"]);
        subject.append(&commit("other", ExpectedVersion::Any, vec![named])).await?;
        let new = note(number);
        subject.append_if(&new, &[unless(query, Some(token))]).await?;
    }
    Ok(())
}

pub(super) async fn a_condition_need_not_be_about_what_is_appended<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    let at = subject.append(&booking("a", "seat:1")).await?.last_position;
    let unrelated = commit("z", ExpectedVersion::Any, vec![tagged("unrelated", &["no"])]);
    subject.fails(&unrelated, &[unless(seat(1), None)], 0, at).await?;
    subject.append_if(&unrelated, &[unless(seat(1), Some(at))]).await?;
    Ok(())
}

pub(super) async fn a_condition_on_all_events_guards_the_whole_store<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    let mut last = Position::ZERO;
    for number in 0..5 {
        let whole = unless(Query::all(), Some(last));
        let won = subject.append_if(&note(number), std::slice::from_ref(&whole)).await?;
        let late = note(format!("late {number}"));
        subject.fails(&late, &[whole], 0, won.first_position).await?;
        last = won.last_position;
    }
    Ok(())
}

pub(super) async fn a_repeated_commit_is_answered_before_its_conditions<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    let first = booking("a", "seat:1");
    let condition = [unless(seat(1), None)];
    let appended = subject.append_if(&first, &condition).await?;
    subject.append(&booking("b", "seat:1")).await?;
    let count = subject.everything().await?.len();
    for conditions in [&condition[..], &[unless(Query::all(), None)], &[]] {
        let answer = subject.store.append_if(&first, conditions).await;
        let again = subject.accepted(&first, answer)?;
        let expected = crate::Appended { repeated: true, ..appended.clone() };
        subject.same("the answer to the same commit again", expected, again)?;
    }
    // And so does `append`.
    subject.repeat(&first, &appended).await?;
    subject.same("the number of events", count, subject.everything().await?.len())
}

pub(super) async fn an_id_with_another_event_is_refused_under_conditions_too<
    S: ConditionalAppend,
>(
    subject: Subject<S>,
) -> Verdict {
    let old = event();
    let at = subject.append(&commit("a", ExpectedVersion::Any, vec![old.clone()])).await?;
    let other = crate::NewEvent { name: "other".into(), ..old.clone() };
    let other = commit("a", ExpectedVersion::Any, vec![other]);
    let answer = subject.store.append_if(&other, &[unless(seat(1), None)]).await;
    subject.is_reuse(&other, answer, &[(old.id, at.first_position)]).await
}

pub(super) async fn without_conditions_it_appends_as_append_does<S: ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    for expected in [ExpectedVersion::NoStream, exact(1), ExpectedVersion::Exists, exact(0)] {
        let new = commit("a", expected, events(1));
        let actual = Version::new(subject.stream(&stream("a")).await?.len() as u64);
        if expected.admits(actual) {
            let appended = subject.append_if(&new, &[]).await?;
            subject.same("the version", actual.next(), appended.version)?;
        } else {
            let answer = subject.store.append_if(&new, &[]).await;
            subject.is_conflict(&new, answer, &stream("a"), expected, actual)?;
        }
    }
    several_streams(&subject).await
}

async fn several_streams<S: EventStore + ConditionalAppend>(
    subject: &Subject<S>,
) -> Result<(), Breach> {
    let new = commit("b", ExpectedVersion::NoStream, events(2));
    let new = valid(new.and(stream("c"), ExpectedVersion::NoStream, events(3)));
    let appended = subject.append_if(&new, &[unless(seat(1), None)]).await?;
    let found = (appended.version, appended.more_versions);
    subject.same("the versions", (Version::new(2), vec![Version::new(3)]), found)?;
    for to in new.streams() {
        subject.holds(&to.stream, &to.events).await?;
    }
    Ok(())
}
