//! A store that is closed to new events.

use crate::commit::{Appended, Commit};
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::records::key;
use crate::conformance::sample::{commit, events, exact, note, stream, valid};
use crate::conformance::state_commits::puts;
use crate::conformance::subject::{Subject, describe, joined, shown, together};
use crate::conformance::ways::{Alone, AtOnce, Chained, Copied, Guarded, InPlace, Way};
use crate::query::Query;
use crate::store::{
    AppendError, ConditionalAppend, ExpectedRevision, Fence, FenceError, FencedStore,
    RecordedAppend,
};
use crate::version::{ExpectedVersion, Position};

/// Where new events go.
pub(super) const ELSEWHERE: &str = "the suite's next store: ✓ 'ěščř' \"%_\\";

impl<S: FencedStore> Subject<S> {
    /// Puts up a fence that must stand then.
    pub(super) async fn fence(&self) -> Result<(Fence, Position), Breach> {
        let (fence, head) = self.fence_again(ELSEWHERE).await?;
        self.same("the successor of a fence", ELSEWHERE, &fence.successor)?;
        self.same("the position that a fence is answered with", self.head().await?, head)?;
        Ok((fence, head))
    }

    async fn fence_again(&self, successor: &str) -> Result<(Fence, Position), Breach> {
        let answer = self.store.fence(successor).await;
        answer.map_err(|error| self.breach("a fence to be put up", error))
    }

    pub(super) async fn fenced(&self) -> Result<Option<Fence>, Breach> {
        self.read("`fenced`", self.store.fenced().await)
    }

    pub(super) async fn lift(&self) -> Result<Option<Fence>, Breach> {
        let answer = self.store.lift_fence().await;
        answer.map_err(|error| self.breach("`lift_fence` to be answered", error))
    }

    /// A commit must be refused because of the fence.
    pub(super) fn meets(
        &self,
        fence: &Fence,
        commit: &Commit,
        answer: Result<Appended, AppendError>,
    ) -> Verdict {
        let wanted =
            format!("{} to be refused with `AppendError::Fenced` and {fence:?}", describe(commit));
        match answer {
            Err(AppendError::Fenced { fence: found }) if *found == *fence => Ok(()),
            Err(other) => Err(self.breach(wanted, shown(&other))),
            Ok(appended) => Err(self.breach(wanted, format_args!("it is stored: {appended:?}"))),
        }
    }
}

pub(super) async fn no_append_passes_a_fence<S: FencedStore>(subject: Subject<S>) -> Verdict {
    does_not_pass(&subject, Alone).await
}

pub(super) async fn no_chain_passes_a_fence<S: FencedStore>(subject: Subject<S>) -> Verdict {
    does_not_pass(&subject, Chained).await
}

pub(super) async fn no_append_at_once_passes_a_fence<S: FencedStore>(
    subject: Subject<S>,
) -> Verdict {
    does_not_pass(&subject, AtOnce).await
}

pub(super) async fn no_append_in_place_passes_a_fence<S: FencedStore>(
    subject: Subject<S>,
) -> Verdict {
    does_not_pass(&subject, InPlace).await
}

pub(super) async fn no_append_under_conditions_passes_a_fence<
    S: FencedStore + ConditionalAppend,
>(
    subject: Subject<S>,
) -> Verdict {
    does_not_pass(&subject, Guarded).await
}

pub(super) async fn no_copy_passes_a_fence<S: FencedStore + RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    does_not_pass(&subject, Copied).await
}

/// What comes this way is refused behind a fence if it is new, and answered if it is not.
async fn does_not_pass<S: FencedStore>(subject: &Subject<S>, way: impl Way<S>) -> Verdict {
    let store = &*subject.store;
    let wide = commit("a", ExpectedVersion::NoStream, events(2));
    let wide = valid(wide.and(stream("b"), ExpectedVersion::NoStream, events(1)));
    let stored = [wide, commit("a", exact(2), events(1))];
    let mut answers = Vec::new();
    for commit in &stored {
        let Some(answer) = way.append(store, commit).await else { return Ok(()) };
        answers.push(subject.accepted(commit, answer)?);
    }
    let (fence, head) = subject.fence().await?;
    let before = subject.everything().await?;
    let new = [
        note("a"),
        commit("b", exact(1), events(3)),
        commit("c", ExpectedVersion::NoStream, events(1)),
        valid(note("a").and(stream("d"), ExpectedVersion::NoStream, events(1))),
    ];
    for _ in 0..2 {
        for commit in &new {
            let Some(answer) = way.append(store, commit).await else { return Ok(()) };
            subject.meets(&fence, commit, answer)?;
            subject.same("the head behind a fence", head, subject.head().await?)?;
        }
        // A writer whose answer was lost finds out what became of it.
        for (commit, first) in stored.iter().zip(&answers) {
            let Some(answer) = way.append(store, commit).await else { return Ok(()) };
            let subject = subject.under(2);
            let expected = Appended { repeated: true, ..first.clone() };
            let what = format!("the answer to {} again", describe(commit));
            subject.same(what, expected, subject.accepted(commit, answer)?)?;
        }
    }
    subject.same("the events behind a fence", before, subject.everything().await?)?;
    // What was refused has left nothing behind: not even a position or an id.
    subject.lift().await?;
    let Some(answer) = way.append(store, &new[0]).await else { return Ok(()) };
    let appended = subject.accepted(&new[0], answer)?;
    subject.same("the next position", head.next(), appended.first_position)
}

/// What is appended while a fence is put up is at or below its position, or refused.
pub(super) async fn a_fence_and_appends_come_in_one_order<S: FencedStore>(
    subject: Subject<S>,
) -> Verdict {
    for round in 0..12 {
        let begun = subject.head().await?;
        let writers = (0..6).map(|writer| {
            let subject = subject.clone();
            async move {
                let mut last = Position::ZERO;
                loop {
                    let commit = note(format!("{round} {writer}"));
                    match subject.store.append(&commit).await {
                        Ok(appended) => last = appended.last_position,
                        Err(AppendError::Fenced { .. }) => return Ok(last),
                        Err(other) => {
                            let wanted = "an answer, or `AppendError::Fenced`";
                            return Err(subject.breach(wanted, shown(&other)));
                        }
                    }
                    tokio::task::yield_now().await;
                }
            }
        });
        let writing = tokio::spawn(together(writers.collect::<Vec<_>>()));
        let news = subject.store.wait_beyond(begun.plus(20 + round));
        subject.soon("the writers to go on", news).await.map(drop)?;
        let (_, head) = subject.fence_again(ELSEWHERE).await?;
        let last = joined(writing.await)?.into_iter().max().unwrap_or_default();
        subject.require(
            last <= head,
            format_args!("what is appended to be at or below {head}, where the fence is"),
            format_args!("an event at {last}"),
        )?;
        subject.same("the head behind the fence", head, subject.head().await?)?;
        let last = subject.everything().await?.last().map(|event| event.position);
        subject.same("the last event behind the fence", Some(head), last)?;
        subject.lift().await?;
    }
    Ok(())
}

/// A writer whose answer was lost finds out what became of it, also when others have written since.
pub(super) async fn a_commit_that_is_stored_is_answered_behind_a_fence<S: FencedStore>(
    subject: Subject<S>,
) -> Verdict {
    let mut stored = Vec::new();
    for round in 0..4 {
        let commit = commit("a", exact(round * 2), events(2));
        let first = subject.append(&commit).await?;
        stored.push((commit, first));
    }
    subject.fence().await?;
    for (commit, first) in &stored {
        subject.repeat(commit, first).await?;
    }
    // An id with another event is another event.
    let (commit, first) = &stored[1];
    let mut event = commit.first().events[0].clone();
    event.payload = "other".into();
    let other = Commit::new(stream("a"), ExpectedVersion::Any, vec![event.clone()]);
    let other = valid(other);
    let answer = subject.store.append(&other).await;
    subject.is_reuse(&other, answer, &[(event.id, first.first_position)]).await
}

pub(super) async fn a_fence_is_put_up_once<S: FencedStore>(subject: Subject<S>) -> Verdict {
    subject.append(&note("a")).await?;
    let first = subject.fence().await?;
    for _ in 0..2 {
        let again = subject.fence_again(ELSEWHERE).await?;
        subject.same("the answer to the same fence again", &first, &again)?;
        for other in ["another store", "", &ELSEWHERE.to_uppercase()] {
            match subject.store.fence(other).await {
                Err(FenceError::Fenced { fence }) => {
                    subject.same("the fence that stands", &first.0, &*fence)?;
                }
                answer => {
                    let wanted = format_args!("a fence to `{other}` to be refused, there is one");
                    return Err(subject.breach(wanted, format_args!("{answer:?}")));
                }
            }
        }
        subject.same("the fence", Some(&first.0), subject.fenced().await?.as_ref())?;
    }
    // Of many with different successors one is first.
    subject.lift().await?;
    let all = (0..8).map(|number| {
        let subject = subject.clone();
        async move {
            match subject.store.fence(&number.to_string()).await {
                Ok((fence, _)) => Ok(Some(fence)),
                Err(FenceError::Fenced { .. }) => Ok(None),
                Err(other) => Err(subject.breach("one fence, and refusals", other)),
            }
        }
    });
    let mut put_up: Vec<_> = together(all).await?.into_iter().flatten().collect();
    subject.same("how many fences are put up", 1, put_up.len())?;
    subject.same("the fence", put_up.pop(), subject.fenced().await?)
}

pub(super) async fn reads_and_records_are_not_fenced<S: FencedStore>(
    subject: Subject<S>,
) -> Verdict {
    let appended = subject.append(&commit("a", ExpectedVersion::NoStream, events(3))).await?;
    let before = subject.everything().await?;
    let (_, head) = subject.fence().await?;
    subject.same("all events", &before, &subject.everything().await?)?;
    subject.same("a stream", &before, &subject.stream(&stream("a")).await?)?;
    let id = before.first().map(|event| event.event_id);
    if let Some(id) = id {
        let found = subject.find(id).await?;
        subject.same("an event that is looked for", before.first(), found.as_ref())?;
    }
    let later = subject.events_after(&Query::all(), appended.first_position).await?;
    subject.same("the later events", 2, later.len())?;
    let news = subject.store.wait_beyond(Position::ZERO);
    let news = subject.soon("who waits for old news to be told", news).await?;
    subject.same("the head that is told", head, subject.read("`wait_beyond`", news)?)?;
    // Projections come to their end.
    if let Some(store) = subject.store.projection_store() {
        for revision in [ExpectedRevision::Missing, ExpectedRevision::Any] {
            let commit = puts([(&key("checkpoint"), "3", revision)]);
            let answer = store.dyn_commit(commit, None).await;
            answer.map_err(|error| subject.breach("a record to be written", error))?;
        }
    }
    Ok(())
}

pub(super) async fn a_fence_that_is_lifted_is_gone<S: FencedStore>(subject: Subject<S>) -> Verdict {
    subject.same("the fence of a new store", None, subject.fenced().await?)?;
    subject.same("what is lifted where there is none", None, subject.lift().await?)?;
    for round in 0..3 {
        let appended = subject.append(&note("a")).await?;
        let successor = format!("{ELSEWHERE} {round}");
        let (fence, head) = subject.fence_again(&successor).await?;
        subject.same("the position of the fence", appended.last_position, head)?;
        subject.same("the successor", &successor, &fence.successor)?;
        let commit = note("a");
        subject.under(1).meets(&fence, &commit, subject.store.append(&commit).await)?;
        subject.same("the fence that is lifted", Some(&fence), subject.lift().await?.as_ref())?;
        subject.same("the fence after it was lifted", None, subject.fenced().await?)?;
        subject.same("what is lifted then", None, subject.lift().await?)?;
        let appended = subject.append(&commit).await?;
        subject.same("the next position", head.next(), appended.first_position)?;
    }
    Ok(())
}
