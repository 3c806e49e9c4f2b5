//! Commits of state records: several changes that are one step.

use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use uuid::Uuid;

use crate::conformance::content::ODD_TEXTS;
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::records::key;
use crate::conformance::subject::{Subject, poll_once};
use crate::store::{
    ExpectedRevision, MAX_STATE_BYTES, MAX_STATE_TEXT_BYTES, ProjectionStore, Revision,
    StateCommit, StateError, StateKey, StateRecord,
};

/// Calls that must be answered.
impl<S: ProjectionStore> Subject<S> {
    pub(super) async fn commit(&self, commit: StateCommit) -> Result<Revision, Breach> {
        let answer = self.store.commit(commit.clone(), None).await;
        answer.map_err(|error| self.breach(format_args!("{commit:?} to be accepted"), error))
    }

    /// Makes a commit that must be refused because the record of `key` is at `actual`.
    pub(super) async fn refuses(
        &self,
        commit: StateCommit,
        key: &StateKey,
        expected: ExpectedRevision,
        actual: Option<Revision>,
    ) -> Verdict {
        let answer = self.store.commit(commit, None).await;
        self.is_refused(answer, key, expected, actual)
    }

    pub(super) async fn get_many(
        &self,
        keys: &[StateKey],
    ) -> Result<Vec<Option<StateRecord>>, Breach> {
        let answer = self.store.get_many(keys).await;
        answer.map_err(|error| self.breach("`get_many` to be answered", error))
    }

    pub(super) async fn identity(&self) -> Result<Uuid, Breach> {
        let answer = self.store.identity().await;
        answer.map_err(|error| self.breach("`identity` to be answered", error))
    }
}

pub(super) fn puts<const N: usize>(
    changes: [(&StateKey, &'static str, ExpectedRevision); N],
) -> StateCommit {
    let mut commit = StateCommit::default();
    for (key, value, expected) in changes {
        commit.put(key.clone(), value, expected);
    }
    commit
}

/// What a commit can say of a record.
#[derive(Clone, Copy, Debug)]
enum Place {
    Check,
    Put,
    Remove,
}

pub(super) async fn each_expected_revision_of_a_commit_admits_what_it_says<S: ProjectionStore>(
    subject: Subject<S>,
) -> Verdict {
    let mut number = 0;
    for place in [Place::Check, Place::Put, Place::Remove] {
        let first = subject.put(&key("versions"), "1", ExpectedRevision::Any).await?;
        let never = Revision::new(first.get() + 1_000_000);
        for there in [false, true] {
            for variant in 0..5 {
                number += 1;
                let (of, beside) = (key(&format!("{number}")), key(&format!("beside {number}")));
                let stale = subject.put(&of, "old", ExpectedRevision::Any).await?;
                let actual = if there {
                    Some(subject.put(&of, "newer", ExpectedRevision::Any).await?)
                } else {
                    subject.remove(&of, ExpectedRevision::Any).await?;
                    None
                };
                let expected = match variant {
                    0 => ExpectedRevision::Any,
                    1 => ExpectedRevision::Missing,
                    2 => ExpectedRevision::Exact(stale),
                    3 => ExpectedRevision::Exact(actual.unwrap_or(first)),
                    _ => ExpectedRevision::Exact(never),
                };
                let mut commit = puts([(&beside, "beside", ExpectedRevision::Missing)]);
                match place {
                    Place::Check => commit.check(of.clone(), expected),
                    Place::Put => commit.put(of.clone(), "next", expected),
                    Place::Remove => commit.remove(of.clone(), expected),
                }
                let before = subject.get(&of).await?;
                // What is missing can be removed by whoever does not mind.
                if expected.admits(actual) {
                    let revision = subject.commit(commit).await?;
                    let after = match place {
                        Place::Check => before,
                        Place::Put => Some(StateRecord { revision, value: Bytes::from("next") }),
                        Place::Remove => None,
                    };
                    let what = format!("a record after a commit with {place:?} of {expected}");
                    subject.same(what, after, subject.get(&of).await?)?;
                } else {
                    subject.refuses(commit, &of, expected, actual).await?;
                    subject.same("the record after a refusal", before, subject.get(&of).await?)?;
                    let beside = subject.get(&beside).await?;
                    subject.same("another record after a refusal", None, beside)?;
                }
            }
        }
    }
    Ok(())
}

pub(super) async fn one_conflict_refuses_all_of_a_commit<S: ProjectionStore>(
    subject: Subject<S>,
) -> Verdict {
    let at = subject.put(&key("there"), "1", ExpectedRevision::Missing).await?;
    let kept = subject.put(&key("kept"), "1", ExpectedRevision::Missing).await?;
    let whole = |commit: &mut StateCommit| {
        commit.put(key("new"), "2", ExpectedRevision::Missing);
        commit.put(key("there"), "2", ExpectedRevision::Exact(at));
        commit.remove(key("kept"), ExpectedRevision::Exact(kept));
    };
    let wrong = ExpectedRevision::Exact(Revision::new(at.get() + 1_000_000));
    let mut refused: [StateCommit; 4] = Default::default();
    // The conflict comes first, last, in what is only checked, and in what is removed.
    refused[0].put(key("other"), "2", wrong);
    whole(&mut refused[0]);
    whole(&mut refused[1]);
    refused[1].put(key("other"), "2", wrong);
    whole(&mut refused[2]);
    refused[2].check(key("other"), wrong);
    whole(&mut refused[3]);
    refused[3].remove(key("other"), wrong);
    let before = subject.list("checkpoint", 9).await?;
    for commit in refused {
        subject.refuses(commit, &key("other"), wrong, None).await?;
        subject.same("the records", &before, &subject.list("checkpoint", 9).await?)?;
    }
    let mut accepted = StateCommit::default();
    whole(&mut accepted);
    subject.commit(accepted).await?;
    Ok(())
}

pub(super) async fn all_records_of_a_commit_get_one_revision_above_every_other<
    S: ProjectionStore,
>(
    subject: Subject<S>,
) -> Verdict {
    let names = ["a", "b", "c", "d"].map(key);
    let mut last = Revision::new(0);
    for round in 0..30 {
        // Some of them come and go, and others are written in between.
        let mut commit = StateCommit::default();
        for (index, name) in names.iter().enumerate() {
            if (round + index) % 4 == 3 {
                commit.remove(name.clone(), ExpectedRevision::Any);
            } else {
                commit.put(name.clone(), "same", ExpectedRevision::Any);
            }
        }
        let revision = subject.commit(commit).await?;
        subject.require(
            revision > last,
            format_args!("a revision above {last}, which a record had"),
            revision,
        )?;
        let stored = subject.get_many(&names).await?;
        let stored: Vec<_> = stored.iter().flatten().map(|record| record.revision).collect();
        subject.same("the revisions of what was written", vec![revision; 3], stored)?;
        last = revision;
        for _ in 0..round % 3 {
            last = subject.put(&key("busy"), "put", ExpectedRevision::Any).await?;
        }
        if round % 5 == 0 {
            subject.remove(&key("busy"), ExpectedRevision::Any).await?;
        }
    }
    Ok(())
}

pub(super) async fn commits_and_single_writes_see_each_other<S: ProjectionStore>(
    subject: Subject<S>,
) -> Verdict {
    let put = subject.put(&key("a"), "put", ExpectedRevision::Missing).await?;
    let mut commit = puts([
        (&key("a"), "commit", ExpectedRevision::Exact(put)),
        (&key("b"), "commit", ExpectedRevision::Missing),
    ]);
    commit.check(key("c"), ExpectedRevision::Missing);
    let both = subject.commit(commit).await?;
    let record = |revision, value: &'static str| StateRecord { revision, value: value.into() };
    let expected = vec![(key("a"), record(both, "commit")), (key("b"), record(both, "commit"))];
    subject.same("the list", expected, subject.list("checkpoint", 1).await?)?;
    for name in ["a", "b"] {
        let found = subject.get(&key(name)).await?;
        subject.same("a record of a commit", Some(record(both, "commit")), found)?;
    }

    let stale = ExpectedRevision::Exact(put);
    let answer = subject.store.put(&key("a"), Bytes::from("late"), stale).await;
    subject.is_refused(answer, &key("a"), stale, Some(both))?;
    let single = subject.put(&key("a"), "single", ExpectedRevision::Exact(both)).await?;
    let mut stale = StateCommit::default();
    stale.check(key("a"), ExpectedRevision::Exact(both));
    subject.refuses(stale, &key("a"), ExpectedRevision::Exact(both), Some(single)).await?;

    let mut removal = StateCommit::default();
    removal.remove(key("b"), ExpectedRevision::Exact(both));
    subject.commit(removal).await?;
    subject.same("a record that a commit removed", None, subject.get(&key("b")).await?)?;
    let expected = vec![(key("a"), record(single, "single"))];
    subject.same("the list", expected, subject.list("checkpoint", 9).await?)?;
    subject.remove(&key("a"), ExpectedRevision::Exact(single)).await?;
    let mut gone = StateCommit::default();
    gone.check(key("a"), ExpectedRevision::Missing);
    gone.put(key("b"), "again", ExpectedRevision::Missing);
    subject.commit(gone).await?;
    Ok(())
}

pub(super) async fn get_many_answers_at_the_places_of_its_keys<S: ProjectionStore>(
    subject: Subject<S>,
) -> Verdict {
    let revision = subject
        .commit(puts([
            (&key("a"), "1", ExpectedRevision::Missing),
            (&key("b"), "2", ExpectedRevision::Missing),
            (&StateKey::new("other", "a"), "3", ExpectedRevision::Missing),
        ]))
        .await?;
    let record = |value: &'static str| Some(StateRecord { revision, value: value.into() });
    let keys =
        [key("b"), key("missing"), key("a"), StateKey::new("other", "a"), key("b"), key("A")];
    let expected = vec![record("2"), None, record("1"), record("3"), record("2"), None];
    subject.same("the records", expected, subject.get_many(&keys).await?)?;
    subject.same("the records of no keys", Vec::new(), subject.get_many(&[]).await?)?;
    let many: Vec<_> = (0..1_000).map(|number| key(&number.to_string())).collect();
    subject.same("the records that are missing", vec![None; 1_000], subject.get_many(&many).await?)
}

pub(super) async fn the_records_of_a_commit_come_back_as_they_were_written<S: ProjectionStore>(
    subject: Subject<S>,
) -> Verdict {
    let long = "n".repeat(MAX_STATE_TEXT_BYTES);
    let texts = ODD_TEXTS.into_iter().chain(["", &long]);
    let odd = texts.flat_map(|text| [StateKey::new("space", text), StateKey::new(text, "name")]);
    let many = (0..2_000).map(|number| key(&number.to_string()));
    let keys: Vec<_> = odd.chain(many).collect();
    let value = |index: usize| match index {
        0 => Bytes::new(),
        1 => Bytes::from(vec![0xff; MAX_STATE_BYTES]),
        2 => Bytes::from((0..=255).cycle().take(100_000).collect::<Vec<u8>>()),
        index => Bytes::from(index.to_string()),
    };
    let mut commit = StateCommit::default();
    for (index, key) in keys.iter().enumerate() {
        commit.put(key.clone(), value(index), ExpectedRevision::Missing);
    }
    // It is large: it is not printed.
    let answer = subject.store.commit(commit, None).await;
    let revision =
        answer.map_err(|error| subject.breach("a large commit to be accepted", error))?;
    let stored = subject.get_many(&keys).await?;
    for (index, (key, found)) in keys.iter().zip(&stored).enumerate() {
        let expected = StateRecord { revision, value: value(index) };
        let holds = found.as_ref() == Some(&expected);
        subject.require(
            holds,
            format_args!("the record of {key:?} to be the one that was written"),
            found.as_ref().map_or("none", |_| "another one"),
        )?;
        let single = subject.get(key).await?;
        let holds = single.as_ref() == Some(&expected);
        subject.require(holds, format_args!("`get` of {key:?} to say the same"), "another one")?;
    }
    subject.same("the number of records", 2_000, subject.list("checkpoint", 700).await?.len())
}

pub(super) async fn a_commit_that_is_dropped_is_stored_whole_or_not_at_all<S: ProjectionStore>(
    subject: Subject<S>,
) -> Verdict {
    for round in 0..40 {
        let keys = [key(&format!("left {round}")), key(&format!("right {round}"))];
        let commit = puts([
            (&keys[0], "1", ExpectedRevision::Missing),
            (&keys[1], "1", ExpectedRevision::Missing),
        ]);
        {
            let mut committing = pin!(subject.store.commit(commit.clone(), None));
            for _ in 0..round % 4 {
                match poll_once(committing.as_mut()) {
                    Poll::Ready(Ok(_)) => break,
                    Poll::Ready(Err(error)) => {
                        return Err(subject.breach("the commit to be accepted", error));
                    }
                    Poll::Pending => {}
                }
            }
        }
        // This one comes after it: either all of it is there and refuses it, or nothing.
        let answer = subject.store.commit(commit, None).await;
        let stored = subject.get_many(&keys).await?;
        let revisions = (
            stored[0].as_ref().map(|record| record.revision),
            stored[1].as_ref().map(|record| record.revision),
        );
        let whole = revisions.0.is_some() && revisions.0 == revisions.1;
        let answered = matches!(&answer, Ok(_) | Err(StateError::Conflict { .. }));
        subject.require(
            whole && answered,
            "a commit that was dropped to be there whole, or not at all and to be made again",
            format_args!("the answer {answer:?}, the revisions {revisions:?}"),
        )?;
    }
    Ok(())
}

pub(super) async fn the_runtime_finds_the_store<S: ProjectionStore>(
    subject: Subject<S>,
) -> Verdict {
    let Some(found) = subject.store.projection_store() else {
        let wanted = "`EventStore::projection_store` to give the store itself: `Some(self)`";
        return Err(subject.breach(wanted, "None"));
    };
    let identity = found.dyn_identity().await;
    let identity = identity.map_err(|error| subject.breach("`identity` to be answered", error))?;
    subject.same("the identity of what a runtime finds", subject.identity().await?, identity)?;
    let commit = puts([(&key("a"), "1", ExpectedRevision::Missing)]);
    let answer = found.dyn_commit(commit, None).await;
    let revision = answer.map_err(|error| subject.breach("a commit to be accepted", error))?;
    let stored = subject.get(&key("a")).await?.map(|record| record.revision);
    subject.same("the record that a runtime wrote", Some(revision), stored)
}
