//! Reading: ranges, directions, limits, pages and their tokens.

use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::sample::{commit, events, note, numbered_id, stream, tagged};
use crate::conformance::subject::{Subject, backward};
use crate::query::{Query, QueryItem};
use crate::recorded::RecordedEvent;
use crate::store::{Direction, EventStore, QueryRange, StreamRange};
use crate::version::{ExpectedVersion, Position, Version};

const LIMITS: [usize; 6] = [0, 1, 2, 5, 6, usize::MAX];
const DIRECTIONS: [Direction; 2] = [Direction::Forward, Direction::Backward];

pub(super) async fn an_empty_store_has_nothing<S: EventStore>(subject: Subject<S>) -> Verdict {
    subject.same("the head", Position::ZERO, subject.head().await?)?;
    subject.same("what `find` finds", None, subject.find(numbered_id(7)).await?)?;
    for direction in DIRECTIONS {
        let range = QueryRange { direction, ..QueryRange::all() };
        let page = subject.page(&Query::all(), range).await?;
        let found = (page.events.len(), page.head, page.more);
        subject.same("events, head and `more`", (0, Position::ZERO, false), found)?;
    }
    Ok(())
}

pub(super) async fn a_stream_that_does_not_exist_is_empty<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    subject.append(&note("there")).await?;
    for direction in DIRECTIONS {
        let range = StreamRange { direction, ..StreamRange::all() };
        let page = subject.stream_page(&stream("missing"), range).await?;
        let found = (page.events.len(), page.version, page.next);
        subject.same("events, version and `next`", (0, Version::ZERO, None), found)?;
    }
    Ok(())
}

/// Two streams whose events alternate: five in `a`.
async fn two_streams<S: EventStore>(subject: &Subject<S>) -> Result<Vec<RecordedEvent>, Breach> {
    for _ in 0..5 {
        subject.append(&note("a")).await?;
        subject.append(&note("b")).await?;
    }
    subject.stream(&stream("a")).await
}

pub(super) async fn every_range_of_a_stream_is_read_in_both_directions<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let all = two_streams(&subject).await?;
    subject.same("the number of events of the stream", 5, all.len())?;
    let bounds = [0, 1, 2, 3, 5, 6, u64::MAX].map(Version::new);
    for from in bounds {
        for to in bounds {
            for direction in DIRECTIONS {
                for limit in LIMITS {
                    let range = StreamRange { from, to, direction, limit };
                    check_stream_range(&subject, &all, range).await?;
                }
            }
        }
    }
    Ok(())
}

async fn check_stream_range<S: EventStore>(
    subject: &Subject<S>,
    all: &[RecordedEvent],
    range: StreamRange,
) -> Verdict {
    let mut wanted: Vec<_> = all
        .iter()
        .filter(|event| event.version >= range.from && event.version <= range.to)
        .collect();
    if range.direction == Direction::Backward {
        wanted.reverse();
    }
    let page = subject.stream_page(&stream("a"), range).await?;
    let found: Vec<_> = page.events.iter().map(|recorded| recorded.to_event()).collect();
    let count = found.len().min(wanted.len());
    let expected: Vec<_> = wanted.iter().take(count.max(1).min(range.limit)).copied().collect();
    subject.same(
        format_args!("the events of {range:?}, or the first of them,"),
        expected,
        found.iter().collect(),
    )?;
    let next = wanted.get(found.len()).map(|event| event.version);
    subject.same(format_args!("`next` of a page of {count} of {range:?}"), next, page.next)?;
    subject.same("the version of the stream", Version::new(5), page.version)
}

pub(super) async fn every_range_of_positions_is_read_in_both_directions<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    for number in 0..10 {
        let name = if number % 2 == 0 { "wanted" } else { "other" };
        subject.append(&commit(number, ExpectedVersion::Any, vec![tagged(name, &[])])).await?;
    }
    let all = subject.everything().await?;
    let head = subject.head().await?;
    let mut bounds = vec![0, u64::MAX];
    for event in &all {
        bounds.extend([event.position.get() - 1, event.position.get()]);
    }
    bounds.extend([head.get() + 1]);
    bounds.sort_unstable();
    bounds.dedup();
    for query in [Query::all(), Query::from(QueryItem::named(["wanted"]))] {
        for after in &bounds {
            for up_to in &bounds {
                for direction in DIRECTIONS {
                    for limit in [0, 1, 3, usize::MAX] {
                        let (after, up_to) = (Position::new(*after), Position::new(*up_to));
                        let range = QueryRange { after, up_to, direction, limit };
                        check_range(&subject, &query, &all, head, range).await?;
                    }
                }
            }
        }
    }
    Ok(())
}

async fn check_range<S: EventStore>(
    subject: &Subject<S>,
    query: &Query,
    all: &[RecordedEvent],
    head: Position,
    range: QueryRange,
) -> Verdict {
    let mut wanted: Vec<_> = all
        .iter()
        .filter(|event| event.position > range.after && event.position <= range.up_to)
        .filter(|event| query.matches_recorded(&event.as_recorded()))
        .collect();
    if range.direction == Direction::Backward {
        wanted.reverse();
    }
    let page = subject.page(query, range).await?;
    let found: Vec<_> = page.events.iter().map(|recorded| recorded.to_event()).collect();
    let count = found.len().min(wanted.len());
    let expected: Vec<_> = wanted.iter().take(count.max(1).min(range.limit)).copied().collect();
    subject.same(
        format_args!("the events of {query:?} in {range:?}, or the first of them,"),
        expected,
        found.iter().collect(),
    )?;
    let more = wanted.len() > found.len();
    subject.same(format_args!("`more` of a page of {count} of {range:?}"), more, page.more)?;
    subject.same("the head", head, page.head)?;
    if range.direction == Direction::Forward && range.after <= range.up_to {
        let token = if more {
            found.last().map_or(range.after, |last| last.position)
        } else {
            head.min(range.up_to).max(range.after)
        };
        subject.same(format_args!("the token of {range:?}"), token, page.token(&range))?;
    }
    Ok(())
}

pub(super) async fn pages_join_to_the_whole<S: EventStore>(subject: Subject<S>) -> Verdict {
    let all = two_streams(&subject).await?;
    let everything = subject.everything().await?;
    for limit in 1..=6 {
        for direction in DIRECTIONS {
            let mut found = Vec::new();
            let mut range = StreamRange { direction, limit, ..StreamRange::all() };
            loop {
                let page = subject.stream_page(&stream("a"), range).await?;
                found.extend(page.events.iter().map(|recorded| recorded.event_id));
                subject.require(found.len() <= 5, "five events", format_args!("{found:?}"))?;
                match page.next {
                    Some(next) => range = range.continued(next),
                    None => break,
                }
            }
            let mut expected: Vec<_> = all.iter().map(|event| event.event_id).collect();
            if direction == Direction::Backward {
                expected.reverse();
            }
            let what = format_args!("the pages of {limit} of a stream, {direction:?}, together");
            subject.same(what, expected, found)?;
        }
        let mut found = Vec::new();
        let mut range = QueryRange { limit, ..QueryRange::all() };
        loop {
            let page = subject.page(&Query::all(), range).await?;
            found.extend(page.events.iter().map(|recorded| recorded.event_id));
            subject.require(found.len() <= 10, "ten events", format_args!("{found:?}"))?;
            if !page.more {
                break;
            }
            range.after = page.token(&range);
        }
        let expected: Vec<_> = everything.iter().map(|event| event.event_id).collect();
        subject.same(
            format_args!("the pages of {limit} of all events together"),
            expected,
            found,
        )?;
    }
    Ok(())
}

/// The token of a limited read is where the page ends, not the head: who goes on after it, or
/// guards a commit by it, has seen everything before it.
pub(super) async fn the_token_of_a_limited_read_is_its_last_event<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    for number in 0..4 {
        let names = ["wanted", "other"];
        let event = tagged(names[number % 2], &[]);
        subject.append(&commit("a", ExpectedVersion::Any, vec![event])).await?;
    }
    let all = subject.everything().await?;
    let wanted = Query::from(QueryItem::named(["wanted"]));
    let range = QueryRange { limit: 1, ..QueryRange::all() };
    let page = subject.page(&wanted, range).await?;
    subject.same("`more`", true, page.more)?;
    subject.same("the token", all[0].position, page.token(&range))?;
    // The second page is the last: it has seen everything up to the head.
    let range = QueryRange { limit: 1, ..QueryRange::after(page.token(&range)) };
    let page = subject.page(&wanted, range).await?;
    subject.same("`more`", false, page.more)?;
    subject.same("the token", all[3].position, page.token(&range))
}

pub(super) async fn a_page_knows_nothing_of_later_commits<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    two_streams(&subject).await?;
    let range = QueryRange { limit: 4, ..QueryRange::all() };
    let first = subject.page(&Query::all(), range).await?;
    let of_stream = StreamRange { limit: 2, ..StreamRange::all() };
    let first_of_stream = subject.stream_page(&stream("a"), of_stream).await?;
    for _ in 0..3 {
        subject.append(&commit("a", ExpectedVersion::Any, events(3))).await?;
    }
    // Who bounds the range by what the first page says reads one snapshot.
    let rest = QueryRange { after: first.token(&range), up_to: first.head, ..QueryRange::all() };
    let page = subject.page(&Query::all(), rest).await?;
    let found = (first.events.len() + page.events.len(), page.more);
    subject.same("events up to the head of the first page, and `more`", (10, false), found)?;
    subject.same("the head of the second page", subject.head().await?, page.head)?;
    let rest = StreamRange {
        to: first_of_stream.version,
        ..StreamRange::all().continued(first_of_stream.next.unwrap_or(Version::MAX))
    };
    let page = subject.stream_page(&stream("a"), rest).await?;
    let found = (first_of_stream.events.len() + page.events.len(), page.next, page.version);
    subject.same(
        "events up to the version of the first page, `next` and version",
        (5, None, Version::new(14)),
        found,
    )
}

pub(super) async fn the_last_events_are_read_backward<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let all = two_streams(&subject).await?;
    let range = StreamRange { direction: Direction::Backward, limit: 1, ..StreamRange::all() };
    let page = subject.stream_page(&stream("a"), range).await?;
    let last = page.events.last().map(|recorded| recorded.event_id);
    subject.same("the last event of the stream", all.last().map(|event| event.event_id), last)?;
    let everything = subject.everything().await?;
    let range = backward(QueryRange { limit: 3, ..QueryRange::all() });
    let page = subject.page(&Query::all(), range).await?;
    let found: Vec<_> = page.events.iter().map(|recorded| recorded.event_id).collect();
    let expected: Vec<_> =
        everything.iter().rev().take(found.len().max(1)).map(|event| event.event_id).collect();
    subject.same("the last events of the store, backward", expected, found)
}
