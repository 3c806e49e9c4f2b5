//! Removing the first events of streams, and putting them back.

use std::collections::BTreeMap;

use crate::commit::{AppendCondition, Commit};
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::queries::{a_little_of_everything, random_query};
use crate::conformance::sample::stream as named;
use crate::conformance::sample::{commit, event, events, exact, note, stream, tagged};
use crate::conformance::subject::{Subject, backward, shown};
use crate::identity::EventId;
use crate::query::{Query, QueryItem};
use crate::recorded::RecordedEvent;
use crate::store::{
    AppendError, Archived, ConditionalAppend, Direction, PartDigest, QueryRange, ReadError,
    Removal, RemovalError, RemovedPart, SegmentRef, StreamRange, StreamRemoval,
};
use crate::stream::StreamId;
use crate::version::{ExpectedVersion, Position, Version};

impl<S: StreamRemoval> Subject<S> {
    /// The removal of a stream's live events up to a version.
    async fn removal(
        &self,
        stream: &StreamId,
        to: u64,
        segment: Option<&str>,
    ) -> Result<Removal, Breach> {
        let stub = self.read("`stub`", self.store.stub(stream).await)?;
        let from = stub.map_or(Version::ZERO, |stub| stub.up_to()).next();
        let to = Version::new(to);
        let page = self.stream_page(stream, StreamRange { from: to, to, ..StreamRange::all() });
        let last = page.await?.events.last().map(|last| last.event_id);
        let digest = PartDigest::new([7; 32]);
        let segment = segment.map(|name| SegmentRef { name: name.into(), digest });
        let last_event_id = last.unwrap_or_else(EventId::generate);
        let part = RemovedPart { from, to, last_event_id, segment, begins_anew: false };
        Ok(Removal { stream: stream.clone(), part, expected: ExpectedVersion::Exists })
    }

    async fn carry_out(&self, removal: &Removal) -> Verdict {
        let answer = self.store.remove(removal).await;
        answer.map_err(|error| self.breach(format_args!("{removal:?} to be carried out"), error))
    }

    async fn remove_up_to(&self, stream: &StreamId, to: u64) -> Verdict {
        let removal = self.removal(stream, to, Some("a segment")).await?;
        self.carry_out(&removal).await
    }

    async fn does_not_remove(
        &self,
        removal: &Removal,
        right: impl Fn(&RemovalError) -> bool,
    ) -> Verdict {
        match self.store.remove(removal).await {
            Err(error) if right(&error) => Ok(()),
            Err(error) => Err(self.breach(
                format_args!("{removal:?} to be refused for another reason"),
                format_args!("{error} ({error:?})"),
            )),
            Ok(()) => {
                Err(self.breach(format_args!("{removal:?} to be refused"), "it is carried out"))
            }
        }
    }

    fn is_archived<T: std::fmt::Debug>(
        &self,
        what: &str,
        answer: Result<T, ReadError>,
    ) -> Result<Archived, Breach> {
        let wanted = format!("{what} to be answered with `ReadError::Archived`");
        match answer {
            Err(ReadError::Archived(archived)) => Ok(*archived),
            Err(error) => Err(self.breach(wanted, format_args!("{error} ({error:?})"))),
            Ok(answer) => Err(self.breach(wanted, format_args!("{answer:?}"))),
        }
    }
}

/// A stream of five events among others; its first three are removed.
async fn three_of_five<S: StreamRemoval>(
    subject: &Subject<S>,
) -> Result<(StreamId, Vec<RecordedEvent>), Breach> {
    subject.append(&note("other")).await?;
    for _ in 0..5 {
        subject.append(&commit("a", ExpectedVersion::Any, vec![tagged("kept", &["t"])])).await?;
        subject.append(&note("other")).await?;
    }
    let all = subject.everything().await?;
    let stream = stream("a");
    subject.remove_up_to(&stream, 3).await?;
    Ok((stream, all))
}

fn of(all: &[RecordedEvent], stream: &StreamId) -> Vec<RecordedEvent> {
    all.iter().filter(|event| event.stream == *stream).cloned().collect()
}

pub(super) async fn a_stub_says_what_was_removed<S: StreamRemoval>(subject: Subject<S>) -> Verdict {
    let (stream, _) = three_of_five(&subject).await?;
    let second = subject.removal(&stream, 4, None).await?;
    subject.carry_out(&second).await?;
    let found = subject.read("`stub`", subject.store.stub(&stream).await)?;
    let Some(stub) = found else { return Err(subject.breach("a stub", "none")) };
    subject.same("the version of the stream", Version::new(5), stub.version)?;
    let parts: Vec<_> = stub.parts.iter().map(|part| (part.from.get(), part.to.get())).collect();
    subject.same("the removed parts", vec![(1, 3), (4, 4)], parts)?;
    subject.same("the last part", Some(&second.part), stub.parts.last())?;
    subject.remove_up_to(&named("other"), 1).await?;
    let stubs = subject.read("`stubs`", subject.store.stubs(None, 10).await)?;
    let streams: Vec<_> = stubs.iter().map(|stub| stub.stream.as_str()).collect();
    subject.same("the streams that have stubs", vec!["thing/a", "thing/other"], streams)?;
    let behind = subject.read("`stubs`", subject.store.stubs(Some(&stream), 10).await)?;
    subject.same("the stubs behind the first", 1, behind.len())?;
    let first = subject.read("`stubs`", subject.store.stubs(None, 1).await)?;
    subject.same("a page of one stub", 1, first.len())?;
    let none = subject.store.stub(&named("nobody")).await;
    subject.same("the stub of no stream", None, subject.read("`stub`", none)?)
}

pub(super) async fn a_removal_that_does_not_fit_is_refused_and_changes_nothing<S>(
    subject: Subject<S>,
) -> Verdict
where
    S: StreamRemoval,
{
    let (stream, _) = three_of_five(&subject).await?;
    let before = subject.read("`stub`", subject.store.stub(&stream).await)?;
    let right = subject.removal(&stream, 4, Some("next")).await?;
    let with = |change: fn(&mut Removal)| {
        let mut removal = right.clone();
        change(&mut removal);
        removal
    };
    let not_next = |error: &RemovalError| matches!(error, RemovalError::NotNext { .. });
    subject.does_not_remove(&with(|it| it.part.from = Version::new(3)), not_next).await?;
    subject.does_not_remove(&with(|it| it.part.from = Version::new(5)), not_next).await?;
    let mut last = subject.removal(&stream, 5, Some("next")).await?;
    let ends = |error: &RemovalError| matches!(error, RemovalError::LastEvent { .. });
    subject.does_not_remove(&last, ends).await?;
    last.part.to = Version::new(9);
    subject.does_not_remove(&last, ends).await?;
    let other = |error: &RemovalError| matches!(error, RemovalError::OtherEvent { .. });
    subject.does_not_remove(&with(|it| it.part.last_event_id = EventId::generate()), other).await?;
    let conflict = |error: &RemovalError| {
        let RemovalError::Conflict(conflict) = error else { return false };
        conflict.actual == Version::new(5)
    };
    subject.does_not_remove(&with(|it| it.expected = exact(4)), conflict).await?;
    subject.does_not_remove(&with(|it| it.expected = ExpectedVersion::NoStream), conflict).await?;
    let nobody = with(|it| it.stream = named("nobody"));
    subject.does_not_remove(&nobody, |_| true).await?;
    let after = subject.read("`stub`", subject.store.stub(&stream).await)?;
    subject.same("the stub after refusals", before, after)?;
    let rest = subject.stream_page(&stream, StreamRange::after(Version::new(3))).await?;
    subject.same("how many events are left", 2, rest.events.len())?;
    subject.carry_out(&with(|it| it.expected = exact(5))).await
}

pub(super) async fn a_removal_that_is_repeated_is_answered_as_the_first_time<S>(
    subject: Subject<S>,
) -> Verdict
where
    S: StreamRemoval,
{
    let (stream, _) = three_of_five(&subject).await?;
    let removal = subject.removal(&stream, 4, Some("next")).await?;
    subject.carry_out(&removal).await?;
    subject.append(&note("a")).await?;
    // Also when it would not be carried out any more.
    subject.carry_out(&Removal { expected: exact(5), ..removal }).await?;
    let stub = subject.read("`stub`", subject.store.stub(&stream).await)?;
    subject.same("the number of parts", Some(2), stub.map(|stub| stub.parts.len()))
}

pub(super) async fn versions_positions_and_guards_go_on_as_before<S: StreamRemoval>(
    subject: Subject<S>,
) -> Verdict {
    let (stream, all) = three_of_five(&subject).await?;
    let head = subject.head().await?;
    subject.same("the head", all.last().map(|last| last.position), Some(head))?;
    let new = |expected| commit("a", expected, events(1));
    let refused = [ExpectedVersion::NoStream, exact(0), exact(2), exact(4)];
    for expected in refused {
        subject.conflicts(&new(expected), &stream, expected, Version::new(5)).await?;
    }
    let appended = subject.append(&new(exact(5))).await?;
    subject.same("the version of the next event", Version::new(6), appended.version)?;
    let rises = appended.first_position > head;
    subject.require(rises, "a position above the head", appended.first_position)?;
    subject.append(&new(ExpectedVersion::Exists)).await?;
    Ok(())
}

pub(super) async fn a_read_of_a_removed_event_says_where_it_is<S: StreamRemoval>(
    subject: Subject<S>,
) -> Verdict {
    let (stream, all) = three_of_five(&subject).await?;
    let own = of(&all, &stream);
    for from in 1..=3 {
        for to in from..=6 {
            let (from, to) = (Version::new(from), Version::new(to));
            let range = StreamRange { from, to, ..StreamRange::all() };
            let answer = subject.store.read_stream(&stream, range).await;
            let archived = subject.is_archived("a read of a removed version", answer)?;
            let found = (archived.version, archived.up_to, archived.stream_version);
            subject.same(
                "version, end and stream",
                (from, Version::new(3), Version::new(5)),
                found,
            )?;
            let last = own.get(2).map(|event| event.event_id);
            subject.same("the last removed event", last, archived.last_event_id)?;
            let segment = archived.segment.map(|segment| segment.name.to_string());
            subject.same("the segment", Some("a segment".to_owned()), segment)?;
        }
    }
    for event in &own[..3] {
        let answer = subject.store.find(event.event_id).await;
        let archived = subject.is_archived("`find` of a removed event", answer)?;
        subject.same("its version", event.version, archived.version)?;
    }
    let answer = subject.store.read(&Query::all(), QueryRange::all()).await;
    subject.read("a read that begins before", answer)?;
    let first = own.first().map_or(Position::ZERO, |first| first.position);
    let range = QueryRange::after(Position::new(first.get() - 1));
    let answer = subject.store.read(&Query::all(), range).await;
    subject.is_archived("a read that begins with a removed event", answer)?;
    let kept = Query::from(QueryItem::named(["kept"]));
    for query in [&kept, &Query::from(QueryItem::tagged(["t"]))] {
        let answer = subject.store.read(query, QueryRange::all()).await;
        subject.is_archived("a read of events of which the first is removed", answer)?;
    }
    let nothing = StreamRange { limit: 0, ..StreamRange::all() };
    let page = subject.stream_page(&stream, nothing).await?;
    subject.same("the version without events", Version::new(5), page.version)
}

pub(super) async fn a_read_gives_what_comes_before_a_removed_event<S: StreamRemoval>(
    subject: Subject<S>,
) -> Verdict {
    let (stream, all) = three_of_five(&subject).await?;
    let range = StreamRange { direction: Direction::Backward, ..StreamRange::all() };
    let page = subject.stream_page(&stream, range).await?;
    let versions: Vec<_> = page.events.iter().map(|event| event.version.get()).collect();
    subject.same(
        "what is read backward",
        (vec![5, 4], Some(Version::new(3))),
        (versions, page.next),
    )?;
    let first = subject.page(&Query::all(), QueryRange::all()).await?;
    let found: Vec<_> = first.events.iter().map(|event| event.to_event()).collect();
    subject.same("what is read forward", (&all[..1], true), (&found[..], first.more))?;
    let last = subject.page(&Query::all(), backward(QueryRange::all())).await?;
    // The other stream has an event behind each; two of this one are left.
    subject.same("how many are read backward", 5, last.events.len())?;
    subject.same("whether there are more", true, last.more)
}

pub(super) async fn a_read_that_wants_no_removed_event_is_as_before<S: StreamRemoval>(
    subject: Subject<S>,
) -> Verdict {
    let (stream, all) = three_of_five(&subject).await?;
    let other = named("other");
    subject.same("the other stream", of(&all, &other), subject.stream(&other).await?)?;
    let noted = Query::from(QueryItem::named(["thing.noted"]));
    subject.same("events of another name", of(&all, &other), subject.events(&noted).await?)?;
    let own = of(&all, &stream);
    let rest = subject.stream_page(&stream, StreamRange::after(Version::new(3))).await?;
    let rest: Vec<_> = rest.events.iter().map(|event| event.to_event()).collect();
    subject.same("the rest of the stream", &own[3..], &rest[..])?;
    for event in all.iter().filter(|event| event.stream == other).chain(&own[3..]) {
        let found = subject.find(event.event_id).await?;
        subject.same("what `find` finds", Some(event), found.as_ref())?;
    }
    let after = own.get(2).map_or(Position::ZERO, |event| event.position);
    let behind: Vec<_> = all.iter().filter(|event| event.position > after).cloned().collect();
    let found = subject.events_after(&Query::all(), after).await?;
    subject.same("what is behind", behind, found)
}

pub(super) async fn what_was_removed_for_good_is_passed_by_in_the_global_order<S: StreamRemoval>(
    subject: Subject<S>,
) -> Verdict {
    subject.append(&commit("a", ExpectedVersion::Any, events(3))).await?;
    subject.append(&note("b")).await?;
    let all = subject.everything().await?;
    let stream = stream("a");
    let removal = subject.removal(&stream, 2, None).await?;
    subject.carry_out(&removal).await?;
    let sparse = subject.store.read_sparse(&Query::all(), QueryRange::all()).await;
    let sparse = subject.read("`read_sparse`", sparse)?;
    subject.same("what is named", (2, 0), (sparse.events.len(), sparse.removed.len()))?;
    subject.same("what is left", &all[2..], &subject.everything().await?[..])?;
    let one = QueryRange { limit: 1, ..QueryRange::all() };
    let page = subject.page(&Query::all(), one).await?;
    subject.same("a page of one", (1, true), (page.events.len(), page.more))?;
    let last = page.events.last().map_or(Position::ZERO, |last| last.position);
    let page = subject.page(&Query::all(), QueryRange { after: last, ..one }).await?;
    subject.same("the last page", (1, false), (page.events.len(), page.more))?;
    let answer = subject.store.read_stream(&stream, StreamRange::all()).await;
    let archived = subject.is_archived("a read of the stream", answer)?;
    subject.same("where it is", None, archived.segment)?;
    let answer = subject.store.find(all[0].event_id).await;
    subject.is_archived("`find`", answer)?;
    Ok(())
}

pub(super) async fn the_id_of_a_removed_event_is_never_stored_again<S: StreamRemoval>(
    subject: Subject<S>,
) -> Verdict {
    let first = commit("a", ExpectedVersion::Any, events(2));
    let second = commit("a", ExpectedVersion::Any, events(2));
    subject.append(&first).await?;
    subject.append(&second).await?;
    subject.remove_up_to(&stream("a"), 3).await?;
    let id = second.first().events[0].id;
    let mut elsewhere = event();
    elsewhere.id = first.first().events[1].id;
    let taken = elsewhere.id;
    let moved = commit("b", ExpectedVersion::Any, vec![elsewhere]);
    let commits: [(&Commit, EventId); 3] =
        [(&first, first.first().events[0].id), (&second, id), (&moved, taken)];
    for (commit, id) in commits {
        match subject.store.append(commit).await {
            Err(AppendError::EventIdArchived { event_id, archived }) => {
                subject.same("the id", id, event_id)?;
                subject.same("the stream", stream("a"), archived.stream)?;
            }
            Err(error) => {
                let wanted = "`AppendError::EventIdArchived`";
                return Err(subject.breach(wanted, shown(&error)));
            }
            Ok(appended) => {
                let found = format!("{appended:?}");
                return Err(subject.breach("a commit with an archived id to be refused", found));
            }
        }
    }
    subject.same("the head", Position::new(4), subject.head().await?)
}

pub(super) async fn a_sparse_read_names_what_a_read_would_have_given<S: StreamRemoval>(
    subject: Subject<S>,
) -> Verdict {
    a_little_of_everything(&subject).await?;
    let all = subject.everything().await?;
    let mut random = fastrand::Rng::with_seed(6);
    let mut removed = BTreeMap::new();
    let mut streams: Vec<_> = all.iter().map(|event| event.stream.clone()).collect();
    streams.sort();
    streams.dedup();
    for stream in streams {
        let own = of(&all, &stream);
        let to = random.u64(0..own.len() as u64);
        if to > 0 {
            subject.remove_up_to(&stream, to).await?;
            removed.insert(stream, to);
        }
    }
    let is_removed = |event: &RecordedEvent| {
        removed.get(&event.stream).is_some_and(|to| event.version.get() <= *to)
    };
    for _ in 0..200 {
        let query = random_query(&mut random);
        let direction = if random.bool() { Direction::Forward } else { Direction::Backward };
        let limit = random.usize(1..10);
        let mut range = QueryRange { direction, limit, ..QueryRange::all() };
        let mut expected: Vec<_> = all
            .iter()
            .filter(|event| query.matches_recorded(&event.as_recorded()))
            .map(|event| (event.position, is_removed(event)))
            .collect();
        if direction == Direction::Backward {
            expected.reverse();
        }
        let mut found = Vec::new();
        loop {
            let page = subject.store.read_sparse(&query, range).await;
            let page = subject.read("`read_sparse`", page)?;
            let count = page.events.len() + page.removed.len();
            let fits = count <= limit && (count > 0 || !page.more);
            subject.require(fits, format_args!("a page of 1 to {limit}"), count)?;
            let live = page.events.iter().map(|event| (event.position, false));
            let gone = page.removed.iter().map(|event| (event.position, true));
            let mut both: Vec<_> = live.chain(gone).collect();
            both.sort_unstable();
            if direction == Direction::Backward {
                both.reverse();
            }
            found.extend(both);
            if !page.more {
                break;
            }
            let token = page.token(&range);
            match direction {
                Direction::Forward => range.after = token,
                Direction::Backward => range.up_to = Position::new(token.get() - 1),
            }
        }
        subject.same(format_args!("what {query:?} selects"), expected, found)?;
    }
    Ok(())
}

pub(super) async fn what_is_put_back_is_read_as_if_it_had_never_been_removed<S: StreamRemoval>(
    subject: Subject<S>,
) -> Verdict {
    a_little_of_everything(&subject).await?;
    subject.append(&commit("long", ExpectedVersion::Any, events(20))).await?;
    let all = subject.everything().await?;
    let stream = stream("long");
    let own = of(&all, &stream);
    for to in [5, 6, 15] {
        subject.remove_up_to(&stream, to).await?;
    }
    for part in [6..15, 5..6, 0..5] {
        let back = subject.store.put_back(&stream, &own[part.clone()]).await;
        back.map_err(|error| subject.breach("the last part to be put back", error))?;
        // And once more, as after an answer that was lost.
        let again = subject.store.put_back(&stream, &own[part]).await;
        again.map_err(|error| subject.breach("a repeated return to be answered", error))?;
    }
    subject.same("the stub", None, subject.read("`stub`", subject.store.stub(&stream).await)?)?;
    subject.same("everything", all.clone(), subject.everything().await?)?;
    subject.same("the stream", &own, &subject.stream(&stream).await?)?;
    for event in &own {
        subject.same(
            "what `find` finds",
            Some(event),
            subject.find(event.event_id).await?.as_ref(),
        )?;
    }
    let query = Query::from(QueryItem::named(["course"]));
    let expected: Vec<_> =
        all.iter().filter(|event| query.matches_recorded(&event.as_recorded())).cloned().collect();
    subject.same("events of a name", expected, subject.events(&query).await?)?;
    subject.remove_up_to(&stream, 19).await
}

pub(super) async fn only_the_last_part_and_all_of_it_can_be_put_back<S: StreamRemoval>(
    subject: Subject<S>,
) -> Verdict {
    subject.append(&commit("a", ExpectedVersion::Any, events(9))).await?;
    subject.append(&commit("b", ExpectedVersion::Any, events(9))).await?;
    let all = subject.everything().await?;
    let (a, b) = (stream("a"), stream("b"));
    let (own, others) = (of(&all, &a), of(&all, &b));
    subject.remove_up_to(&a, 3).await?;
    subject.remove_up_to(&a, 6).await?;
    let mut changed = own[3..6].to_vec();
    if let Some(event) = changed.get_mut(1) {
        event.event_id = EventId::generate();
    }
    let mut moved = own[3..6].to_vec();
    for event in &mut moved {
        event.position = Position::new(event.position.get() + 1);
    }
    let mut renamed = own[3..6].to_vec();
    if let Some(event) = renamed.first_mut() {
        event.name = "thing.renamed".to_owned();
    }
    let wrong: [&[RecordedEvent]; 8] =
        [&own[0..3], &own[3..5], &own[4..6], &own[0..6], &others[3..6], &changed, &moved, &renamed];
    for events in wrong {
        if subject.store.put_back(&a, events).await.is_ok() {
            let versions: Vec<_> = events.iter().map(|event| event.version.get()).collect();
            return Err(subject.breach(
                "everything but the last part to be refused",
                format_args!("versions {versions:?} were taken"),
            ));
        }
    }
    if subject.store.put_back(&a, &[]).await.is_ok() {
        return Err(subject.breach("no events to be refused", "they were taken"));
    }
    let stub = subject.read("`stub`", subject.store.stub(&a).await)?;
    subject.same("the number of parts", Some(2), stub.map(|stub| stub.parts.len()))?;
    let back = subject.store.put_back(&a, &own[3..6]).await;
    back.map_err(|error| subject.breach("the last part to be put back", error))
}

pub(super) async fn conditions_see_what_was_removed<S: StreamRemoval + ConditionalAppend>(
    subject: Subject<S>,
) -> Verdict {
    let (_, all) = three_of_five(&subject).await?;
    let queries = [
        Query::all(),
        Query::from(QueryItem::named(["kept"])),
        Query::from(QueryItem::tagged(["t"])),
        Query::from(QueryItem::named(["kept"]).and_tagged(["t"])),
    ];
    for query in queries {
        let first = all.iter().find(|event| query.matches_recorded(&event.as_recorded()));
        let first = first.map_or(Position::ZERO, |first| first.position);
        let condition = AppendCondition { query, after: None };
        subject.fails(&note("new"), &[condition], 0, first).await?;
    }
    let other = Query::from(QueryItem::named(["other"]).and_tagged(["t"]));
    subject.append_if(&note("new"), &[AppendCondition { query: other, after: None }]).await?;
    Ok(())
}
