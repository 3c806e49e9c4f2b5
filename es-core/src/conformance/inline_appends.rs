//! Every append runs the steps of inline projections, however it is made.

use crate::commit::Commit;
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::inline_probe::{Probe, mixed, unwanted};
use crate::conformance::sample::{commit, event, events, exact, note, stream, valid};
use crate::conformance::subject::{Subject, together};
use crate::conformance::ways::{Alone, AtOnce, Chained, Copied, Guarded, InPlace, Way};
use crate::store::{ConditionalAppend, InlineStore, RecordedAppend};
use crate::version::ExpectedVersion;

pub(super) async fn an_append_runs_the_steps<S: InlineStore>(subject: Subject<S>) -> Verdict {
    runs_the_steps(&subject, Alone).await
}

pub(super) async fn a_chain_runs_the_steps<S: InlineStore>(subject: Subject<S>) -> Verdict {
    runs_the_steps(&subject, Chained).await?;
    // And each commit of a longer one, up to the first that is refused.
    let probe = Probe::new("suite-inline-chain");
    subject.enlist(&probe, true).await?;
    let wanted = |at| commit("long", exact(at), events(1));
    let refused = commit("long", exact(2), mixed());
    let chain = [wanted(0), wanted(1), refused, wanted(2)];
    let answers = subject.store.append_chain(&chain).await;
    let stored: Vec<_> = answers.iter().map(Result::is_ok).collect();
    let what = "which commits of a chain are stored, the third of which a step refuses";
    subject.under(2).same(what, vec![true, true, false], stored)?;
    subject.ran(&probe).await
}

pub(super) async fn an_append_at_once_runs_the_steps<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    runs_the_steps(&subject, AtOnce).await
}

pub(super) async fn an_append_in_place_runs_the_steps<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    runs_the_steps(&subject, InPlace).await
}

pub(super) async fn an_append_under_conditions_runs_the_steps<
    S: InlineStore + ConditionalAppend,
>(
    subject: Subject<S>,
) -> Verdict {
    runs_the_steps(&subject, Guarded).await
}

pub(super) async fn a_copy_runs_the_steps<S: InlineStore + RecordedAppend>(
    subject: Subject<S>,
) -> Verdict {
    runs_the_steps(&subject, Copied).await
}

async fn runs_the_steps<S: InlineStore>(subject: &Subject<S>, way: impl Way<S>) -> Verdict {
    let store = &*subject.store;
    let probe = subject.probed().await?;
    let wide = commit("a", exact(1), events(3));
    let wide = valid(wide.and(stream("b"), ExpectedVersion::NoStream, events(2)));
    let stored = [note("a"), wide, commit("b", exact(2), events(1))];
    for commit in &stored {
        let Some(answer) = way.append(store, commit).await else { return Ok(()) };
        subject.accepted(commit, answer)?;
        subject.ran(&probe).await?;
    }
    // What is stored already runs nothing.
    for commit in &stored {
        let Some(answer) = way.append(store, commit).await else { return Ok(()) };
        let repeated = subject.accepted(commit, answer)?.repeated;
        subject.same("whether a commit is answered as repeated", true, repeated)?;
        subject.ran(&probe).await?;
    }
    // Nor does what is refused by others.
    let late = commit("a", exact(1), events(1));
    let Some(answer) = way.append(store, &late).await else { return Ok(()) };
    subject.require(answer.is_err(), "a commit at an old version to be refused", "it is stored")?;
    subject.ran(&probe).await?;
    // And what the step refuses leaves nothing, wherever in the commit that is.
    let of_two = commit("c", ExpectedVersion::NoStream, mixed());
    let of_two = valid(of_two.and(stream("d"), ExpectedVersion::NoStream, events(1)));
    for refused in [commit("a", exact(4), vec![unwanted(), event()]), of_two] {
        let Some(answer) = way.append(store, &refused).await else { return Ok(()) };
        let refusing = subject.under(2);
        refusing.is_unwanted(&probe, &refused, answer)?;
        refusing.ran(&probe).await?;
        refusing.holds(&stream("c"), &[]).await?;
        refusing.holds(&stream("d"), &[]).await?;
    }
    let next = commit("a", exact(4), events(1));
    let Some(answer) = way.append(store, &next).await else { return Ok(()) };
    subject.accepted(&next, answer)?;
    subject.ran(&probe).await
}

/// The records of those that come first are written by then.
pub(super) async fn what_one_step_refuses_the_others_have_not_done<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    let probes = [
        Probe::lenient("suite-inline-1"),
        Probe::lenient("suite-inline-2"),
        Probe::new("suite-inline-3"),
        Probe::lenient("suite-inline-4"),
    ];
    for probe in &probes {
        subject.enlist(probe, true).await?;
    }
    for round in 0..5 {
        subject.append(&note("a")).await?;
        let refused = commit(round, ExpectedVersion::Any, mixed());
        subject.is_unwanted(&probes[2], &refused, subject.store.append(&refused).await)?;
    }
    for probe in &probes {
        subject.ran(probe).await?;
    }
    Ok(())
}

pub(super) async fn a_refused_step_does_not_touch_the_commits_beside_it<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    const WRITERS: u64 = 8;
    const EACH: u64 = 12;
    let probe = subject.probed().await?;
    let writers = (0..WRITERS).map(|writer| {
        let (subject, probe) = (subject.clone(), probe.clone());
        async move {
            let mut version = 0;
            for round in 0..EACH {
                let wanted = (writer + round) % 3 != 0;
                let events = if wanted { events(2) } else { mixed() };
                let commit = commit(writer, exact(version), events);
                let answer = subject.store.append(&commit).await;
                if wanted {
                    subject.accepted(&commit, answer)?;
                    version += 2;
                } else {
                    subject.is_unwanted(&probe, &commit, answer)?;
                }
                tokio::task::yield_now().await;
            }
            Ok::<u64, Breach>(version)
        }
    });
    let stored: u64 = together(writers).await?.into_iter().sum();
    subject.same("the number of events", stored, subject.everything().await?.len() as u64)?;
    subject.ran(&probe).await
}

/// A commit that no step refuses.
pub(super) fn wanted(id: u64) -> Commit {
    commit(id, ExpectedVersion::Any, events(2))
}
