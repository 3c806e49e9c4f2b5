//! An inline projection begins to take part between two appends.

use crate::conformance::failure::Verdict;
use crate::conformance::inline_appends::wanted;
use crate::conformance::inline_probe::Probe;
use crate::conformance::subject::{Subject, joined, together};
use crate::store::InlineStore;

const SPACES: [&str; 6] = [
    "suite-inline-1",
    "suite-inline-2",
    "suite-inline-3",
    "suite-inline-4",
    "suite-inline-5",
    "suite-inline-6",
];

/// No event is left out, and none comes twice, whenever that is.
pub(super) async fn enlisting_leaves_no_event_out_while_others_append<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    let writers = (0..4).map(|writer| {
        let subject = subject.clone();
        async move {
            for _ in 0..40 {
                subject.append(&wanted(writer)).await?;
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    });
    let writing = tokio::spawn(together(writers.collect::<Vec<_>>()));
    let probes = SPACES.map(Probe::new);
    for (probe, events) in probes.iter().zip(1..) {
        let news = subject.store.wait_beyond(crate::version::Position::new(events * 40));
        subject.soon("the writers to go on", news).await.map(drop)?;
        subject.enlist(probe, true).await?;
    }
    joined(writing.await)?;
    for probe in &probes {
        subject.ran(probe).await?;
    }
    Ok(())
}

pub(super) async fn who_does_not_stay_is_brought_up_and_takes_part_in_no_append<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    subject.append(&wanted(1)).await?;
    let probe = Probe::new("suite-inline");
    subject.enlist(&probe, false).await?;
    subject.has_the_records(&probe).await?;
    let appended = subject.append(&wanted(1)).await?;
    let told = probe.told();
    subject.same("how many steps one that does not stay has taken part in", 0, told)?;
    let counted = subject.get(&probe.key("count")).await?;
    let counted = counted.map(|record| String::from_utf8_lossy(&record.value).into_owned());
    let what = format_args!("the events counted at position {}", appended.last_position);
    subject.same(what, Some("2".to_owned()), counted)
}

pub(super) async fn enlisting_that_fails_leaves_nothing_behind<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    subject.append(&wanted(1)).await?;
    let (right, failing) = (subject.probed().await?, Probe::failing("suite-inline-fails"));
    for stay in [false, true] {
        let answer = subject.store.enlist(failing.inline(), stay).await;
        let wanted = "what can not be brought up to the head not to be enlisted";
        subject.require(answer.is_err(), wanted, "an answer that it is")?;
        subject.same("its records", None, subject.get(&failing.key("count")).await?)?;
    }
    subject.append(&wanted(1)).await?;
    subject.same("how many steps it has taken part in", 0, failing.told())?;
    subject.same("its records", None, subject.get(&failing.key("count")).await?)?;
    // Those that take part already go on.
    subject.ran(&right).await
}

pub(super) async fn the_runtime_finds_the_inline_store<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    let wanted_answer = "`ProjectionStore::inline_store` to give the store itself: `Some(self)`";
    let found = match subject.store.projection_store() {
        Some(store) => store.dyn_inline(),
        None => subject.store.inline_store(),
    };
    let Some(found) = found else { return Err(subject.breach(wanted_answer, "None")) };
    let probe = Probe::new("suite-inline");
    let answer = found.dyn_enlist(probe.inline(), true).await;
    answer.map_err(|error| subject.breach("an inline projection to be enlisted", error))?;
    subject.append(&wanted(1)).await?;
    subject.ran(&probe).await
}
