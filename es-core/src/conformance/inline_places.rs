//! What the step of an append is told, and what it can read.

use crate::conformance::failure::Verdict;
use crate::conformance::inline_appends::wanted;
use crate::conformance::inline_probe::mixed;
use crate::conformance::sample::{commit, events, stream, valid};
use crate::conformance::subject::{Subject, together};
use crate::store::InlineStore;
use crate::version::ExpectedVersion;

/// The record that each step reads and changes is that of the step before it, and the last event that
/// it reads is that before its own.
pub(super) async fn a_step_reads_what_all_before_it_have_stored<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    let probe = subject.probed().await?;
    let writers = (0..4).map(|writer| {
        let subject = subject.clone();
        async move {
            for round in 0..20 {
                subject.append(&wanted(writer)).await?;
                if round % 3 == 0 {
                    let refused = commit(writer, ExpectedVersion::Any, mixed());
                    let stored = subject.store.append(&refused).await.is_ok();
                    subject.same("whether what a step refuses is stored", false, stored)?;
                }
                // A chain may be one transaction: its later steps read what its first have done.
                let chain: Vec<_> = (0..3).map(|_| wanted(writer)).collect();
                for (commit, answer) in chain.iter().zip(subject.store.append_chain(&chain).await) {
                    subject.accepted(commit, answer)?;
                }
            }
            Ok(())
        }
    });
    together(writers).await?;
    subject.ran(&probe).await
}

pub(super) async fn a_step_is_told_where_its_events_are_read_later<S: InlineStore>(
    subject: Subject<S>,
) -> Verdict {
    subject.append(&commit("old", ExpectedVersion::Any, events(3))).await?;
    let probe = subject.probed().await?;
    for round in 0..6 {
        let wide = commit("old", ExpectedVersion::Any, events(round + 1));
        let wide = wide.and(stream(round), ExpectedVersion::NoStream, events(2));
        let wide = wide.and_then(|it| it.and(stream("young"), ExpectedVersion::Any, events(1)));
        subject.append(&valid(wide)).await?;
        subject.ran(&probe).await?;
    }
    Ok(())
}
