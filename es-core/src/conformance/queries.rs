//! Queries: what they select.

use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::sample::{commit, tagged};
use crate::conformance::subject::{Subject, backward};
use crate::query::{Query, QueryItem};
use crate::recorded::RecordedEvent;
use crate::store::{EventStore, QueryRange};
use crate::version::ExpectedVersion;

/// Names and tags that are parts of each other, differ in case only, or mean something to a pattern.
pub(super) const NAMES: [&str; 6] =
    ["course.opened", "course.open", "Course.opened", "course", "course_opened", "k\u{16f}\u{148}"];
pub(super) const TAGS: [&str; 9] =
    ["user:1", "user:10", "user:1 ", "User:1", "user:%", "user:_", "u\u{17e}ivatel:1", "1", "a,b"];

/// One event for each name with no tag, one, two and three.
pub(super) async fn a_little_of_everything<S: EventStore>(
    subject: &Subject<S>,
) -> Result<Vec<RecordedEvent>, Breach> {
    for (number, name) in NAMES.into_iter().enumerate() {
        let mut events = vec![tagged(name, &[])];
        for count in 1..=3 {
            for start in 0..TAGS.len() {
                if (start + number + count) % 2 == 0 {
                    let tags: Vec<_> =
                        (0..count).map(|index| TAGS[(start + index * 2) % TAGS.len()]).collect();
                    events.push(tagged(name, &tags));
                }
            }
        }
        subject.append(&commit(number, ExpectedVersion::Any, events)).await?;
    }
    subject.everything().await
}

/// Checks that a query selects what its definition says, in both directions.
async fn selects<S: EventStore>(
    subject: &Subject<S>,
    all: &[RecordedEvent],
    query: &Query,
) -> Verdict {
    let wanted = all.iter().filter(|event| query.matches_recorded(&event.as_recorded()));
    let expected: Vec<_> = wanted.map(facts).collect();
    let found: Vec<_> = subject.events(query).await?.iter().map(facts).collect();
    subject.same(format_args!("the events of {query:?}"), &expected, &found)?;
    let range = backward(QueryRange { limit: usize::MAX, ..QueryRange::all() });
    let page = subject.page(query, range).await?;
    let found: Vec<_> = page.events.iter().map(|recorded| facts(&recorded.to_event())).collect();
    let expected: Vec<_> = expected.into_iter().rev().take(found.len().max(1)).collect();
    subject.same(format_args!("the events of {query:?} backward"), expected, found)
}

fn facts(event: &RecordedEvent) -> (u64, String, String) {
    (event.position.get(), event.name.clone(), format!("{:?}", event.tags.as_slice()))
}

pub(super) async fn without_names_and_tags_every_event_is_selected<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let all = a_little_of_everything(&subject).await?;
    subject.require(all.len() > 60, "all events of the commits", all.len())?;
    selects(&subject, &all, &Query::from(QueryItem::default())).await?;
    selects(&subject, &all, &Query::all().or(QueryItem::named(["course"]))).await
}

pub(super) async fn names_combine_with_or<S: EventStore>(subject: Subject<S>) -> Verdict {
    let all = a_little_of_everything(&subject).await?;
    for first in NAMES {
        selects(&subject, &all, &Query::from(QueryItem::named([first]))).await?;
        for second in NAMES {
            selects(&subject, &all, &Query::from(QueryItem::named([first, second]))).await?;
        }
    }
    selects(&subject, &all, &Query::from(QueryItem::named(NAMES))).await
}

pub(super) async fn tags_combine_with_and<S: EventStore>(subject: Subject<S>) -> Verdict {
    let all = a_little_of_everything(&subject).await?;
    for first in TAGS {
        for second in TAGS {
            selects(&subject, &all, &Query::from(QueryItem::tagged([first, second]))).await?;
        }
    }
    selects(&subject, &all, &Query::from(QueryItem::tagged(TAGS))).await
}

pub(super) async fn names_and_tags_are_compared_whole<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let all = a_little_of_everything(&subject).await?;
    for tag in TAGS {
        selects(&subject, &all, &Query::from(QueryItem::tagged([tag]))).await?;
    }
    let near = ["user", "user:", "user:100", "ser:1", "USER:1", "%", "_", "*", ".*", "a", "a,b,"];
    for text in near {
        selects(&subject, &all, &Query::from(QueryItem::tagged([text]))).await?;
        selects(&subject, &all, &Query::from(QueryItem::named([text]))).await?;
    }
    Ok(())
}

pub(super) async fn a_name_and_a_tag_combine_with_and<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let all = a_little_of_everything(&subject).await?;
    for name in NAMES {
        for tag in TAGS {
            let item = QueryItem::named([name]).and_tagged([tag]);
            selects(&subject, &all, &Query::from(item)).await?;
        }
    }
    Ok(())
}

pub(super) async fn items_combine_with_or_and_an_event_comes_once<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let all = a_little_of_everything(&subject).await?;
    let items = [
        QueryItem::named(["course"]),
        QueryItem::tagged(["user:1"]),
        QueryItem::named(["course", "course.open"]).and_tagged(["user:1"]),
        QueryItem::tagged(["user:1", "user:1 "]),
        QueryItem::named(["nobody"]),
    ];
    for first in &items {
        for second in &items {
            let query = Query::from(first.clone()).or(second.clone());
            selects(&subject, &all, &query).await?;
        }
    }
    let every = items[1..].iter().cloned();
    selects(&subject, &all, &every.fold(Query::from(items[0].clone()), Query::or)).await?;
    // What is written twice counts once.
    let twice = QueryItem::named(["course", "course"]).and_tagged(["user:1", "user:1"]);
    selects(&subject, &all, &Query::from(twice.clone()).or(twice)).await
}

pub(super) async fn a_query_of_many_items_is_answered<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let all = a_little_of_everything(&subject).await?;
    let many = (0..300).map(|number| QueryItem::tagged([format!("user:{number}")]));
    let many = many.fold(Query::from(QueryItem::named(["course"])), Query::or);
    selects(&subject, &all, &many).await?;
    let names = (0..300).map(|number| format!("name {number}")).chain(["course".to_owned()]);
    selects(&subject, &all, &Query::from(QueryItem::named(names))).await?;
    let tags = (0..200).map(|number| format!("user:{number}"));
    selects(&subject, &all, &Query::from(QueryItem::tagged(tags))).await
}

pub(super) async fn any_query_selects_what_its_definition_says<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let all = a_little_of_everything(&subject).await?;
    let mut random = fastrand::Rng::with_seed(10);
    for _ in 0..300 {
        let query = random_query(&mut random);
        selects(&subject, &all, &query).await?;
    }
    Ok(())
}

pub(super) fn random_query(random: &mut fastrand::Rng) -> Query {
    let mut item = || {
        let names: Vec<_> =
            (0..random.usize(0..3)).map(|_| NAMES[random.usize(..NAMES.len())]).collect();
        let tags: Vec<_> =
            (0..random.usize(0..3)).map(|_| TAGS[random.usize(..TAGS.len())]).collect();
        QueryItem::named(names).and_tagged(tags)
    };
    let first = Query::from(item());
    let more = [item(), item()];
    let count = random.usize(0..3);
    more.into_iter().take(count).fold(first, Query::or)
}
