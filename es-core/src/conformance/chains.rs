//! Chains: commits that build on each other.

use crate::commit::{Appended, Commit};
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::sample::{commit, event, events, exact, note, stream, valid};
use crate::conformance::subject::Subject;
use crate::store::{AppendError, EventStore};
use crate::version::{ExpectedVersion, Version};

/// Appends a chain of which the first `accepted` commits are to be accepted; gives the answers of
/// these and that of the one that is to be refused.
async fn chain<S: EventStore>(
    subject: &Subject<S>,
    commits: &[Commit],
    accepted: usize,
) -> Result<(Vec<Appended>, Option<AppendError>), Breach> {
    let mut answers = subject.store.append_chain(commits).await;
    let wanted = if accepted < commits.len() { accepted + 1 } else { accepted };
    subject.same("the number of answers", wanted, answers.len())?;
    let refusal = if wanted > accepted {
        match answers.pop() {
            Some(Err(error)) => Some(error),
            other => {
                return Err(subject.breach(
                    format_args!("commit {accepted} of the chain to be refused"),
                    format_args!("{other:?}"),
                ));
            }
        }
    } else {
        None
    };
    let appended = answers.into_iter().zip(commits);
    let appended = appended.map(|(answer, commit)| subject.accepted(commit, answer));
    Ok((appended.collect::<Result<_, _>>()?, refusal))
}

fn links(id: &str, from: u64, count: u64) -> Vec<Commit> {
    (from..from + count).map(|version| commit(id, exact(version), events(1))).collect()
}

pub(super) async fn a_chain_is_appended_in_order<S: EventStore>(subject: Subject<S>) -> Verdict {
    let commits = links("a", 0, 20);
    let (answers, _) = chain(&subject, &commits, 20).await?;
    for (index, answer) in (1..).zip(&answers) {
        subject.same("the version after a link", Version::new(index), answer.version)?;
    }
    subject.require(
        answers.is_sorted_by(|left, right| left.last_position < right.first_position),
        "positions that rise from link to link",
        format_args!("{answers:?}"),
    )?;
    let all: Vec<_> =
        commits.iter().flat_map(|commit| commit.first().events.iter().cloned()).collect();
    subject.holds(&stream("a"), &all).await
}

pub(super) async fn a_chain_of_nothing_has_no_answer<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    chain(&subject, &[], 0).await?;
    Ok(())
}

pub(super) async fn a_chain_ends_with_its_first_refusal<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let mut commits = links("a", 0, 5);
    // The third is refused; what follows would be accepted without it.
    commits[2] = commit("a", exact(9), events(1));
    commits[3] = commit("b", ExpectedVersion::Any, events(1));
    commits[4] = commit("a", exact(2), events(1));
    let (_, refusal) = chain(&subject, &commits, 2).await?;
    let conflict = refusal.map_or_else(
        || Err(subject.breach("a refusal", "none")),
        |refusal| {
            subject.is_conflict(&commits[2], Err(refusal), &stream("a"), exact(9), Version::new(2))
        },
    );
    conflict?;
    let stored = [commits[0].first().events.clone(), commits[1].first().events.clone()].concat();
    subject.holds(&stream("a"), &stored).await?;
    subject.holds(&stream("b"), &[]).await
}

pub(super) async fn a_link_is_not_taken_because_a_stranger_wrote_as_much<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    // Somebody else wrote one event: as many as the first commit of the chain would have.
    subject.append(&note("a")).await?;
    let commits = links("a", 0, 2);
    let (_, refusal) = chain(&subject, &commits, 0).await?;
    let at = Version::new(1);
    refusal.map_or(Ok(()), |refusal| {
        subject.is_conflict(&commits[0], Err(refusal), &stream("a"), exact(0), at)
    })?;

    // A repeated commit stands elsewhere than the one after it believes.
    let repeated = note("b");
    subject.append(&repeated).await?;
    subject.append(&note("b")).await?;
    let next = commit("b", exact(2), events(1));
    let (_, refusal) = chain(&subject, &[repeated, next.clone()], 1).await?;
    refusal.map_or(Ok(()), |refusal| {
        subject.is_conflict(&next, Err(refusal), &stream("b"), exact(2), at)
    })
}

pub(super) async fn a_chain_that_is_repeated_is_answered_as_the_first_time<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let commits = links("a", 0, 4);
    // Of the first attempt two are stored, of the second all.
    let (first, _) = chain(&subject, &commits[..2], 2).await?;
    let (second, _) = chain(&subject, &commits, 4).await?;
    let (third, _) = chain(&subject, &commits, 4).await?;
    let again = |appended: &Appended| Appended { repeated: true, ..appended.clone() };
    let expected: Vec<_> = first.iter().map(again).collect();
    subject.same("the answers to what was stored", expected, second[..2].to_vec())?;
    subject.same("`repeated` of what is new", false, second[2].repeated || second[3].repeated)?;
    let expected: Vec<_> = second.iter().map(again).collect();
    subject.same("the answers to the third attempt", expected, third)?;
    subject.same("the number of events", 4, subject.everything().await?.len())
}

pub(super) async fn a_chain_ends_at_an_event_id_that_is_taken<S: EventStore>(
    subject: Subject<S>,
) -> Verdict {
    let taken = event();
    let at = subject.append(&commit("b", ExpectedVersion::Any, vec![taken.clone()])).await?;
    let mut commits = links("a", 0, 3);
    commits[1] = commit("a", exact(1), vec![taken.clone()]);
    let (_, refusal) = chain(&subject, &commits, 1).await?;
    let answer = refusal.map_or(Ok(at.clone()), Err);
    let place = [(taken.id, at.first_position)];
    subject.is_reuse(&commits[1], answer, &place).await?;
    subject.holds(&stream("a"), &commits[0].first().events).await
}

pub(super) async fn a_chain_goes_across_streams<S: EventStore>(subject: Subject<S>) -> Verdict {
    let both = |version: u64| {
        let commit = commit("a", exact(version), events(1));
        valid(commit.and(stream("b"), exact(version * 2), events(2)))
    };
    let commits = [both(0), both(1), commit("c", ExpectedVersion::NoStream, events(1)), both(2)];
    let (answers, _) = chain(&subject, &commits, 4).await?;
    let last = (Version::new(3), vec![Version::new(6)]);
    let found = (answers[3].version, answers[3].more_versions.clone());
    subject.same("the versions after the last link", last, found)
}

pub(super) async fn a_long_chain_is_one_round<S: EventStore>(subject: Subject<S>) -> Verdict {
    let commits = links("a", 0, 500);
    chain(&subject, &commits, 500).await?;
    subject.same("the number of events", 500, subject.stream(&stream("a")).await?.len())
}
