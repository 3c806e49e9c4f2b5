//! State records: compare-and-set, revisions, pages of a list, and what is written comes back.

use bytes::Bytes;

use crate::conformance::content::{ODD_TEXTS, is_permanent_state};
use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::subject::Subject;
use crate::store::{
    ExpectedRevision, MAX_STATE_BYTES, MAX_STATE_TEXT_BYTES, Revision, StateError, StateKey,
    StateRecord, StateStore,
};

/// Calls that must be answered.
impl<S: StateStore> Subject<S> {
    pub(super) async fn get(&self, key: &StateKey) -> Result<Option<StateRecord>, Breach> {
        let answer = self.store.get(key).await;
        answer.map_err(|error| self.breach(format_args!("`get` of `{key}` to be answered"), error))
    }

    pub(super) async fn put(
        &self,
        key: &StateKey,
        value: impl Into<Bytes>,
        expected: ExpectedRevision,
    ) -> Result<Revision, Breach> {
        let answer = self.store.put(key, value.into(), expected).await;
        answer.map_err(|error| {
            self.breach(format_args!("`put` of `{key}` at {expected} to be accepted"), error)
        })
    }

    pub(super) async fn remove(&self, key: &StateKey, expected: ExpectedRevision) -> Verdict {
        let answer = self.store.remove(key, expected).await;
        answer.map_err(|error| {
            self.breach(format_args!("`remove` of `{key}` at {expected} to be accepted"), error)
        })
    }

    /// Checks that a write was refused because the record is at `actual`.
    pub(super) fn is_refused<T: std::fmt::Debug>(
        &self,
        answer: Result<T, StateError>,
        key: &StateKey,
        expected: ExpectedRevision,
        actual: Option<Revision>,
    ) -> Verdict {
        let wanted = format!(
            "a write of `{key}` to be refused with `StateError::Conflict`: {expected} expected, the record at {actual:?}"
        );
        match answer {
            Err(StateError::Conflict { key: of, expected: of_expected, actual: of_actual }) => {
                let found = (of, of_expected, of_actual);
                let right = found == (key.clone(), expected, actual);
                self.require(right, wanted, format_args!("a conflict with {found:?}"))
            }
            other => Err(self.breach(wanted, format_args!("{other:?}"))),
        }
    }

    /// All records of a space, page by page.
    pub(super) async fn list(
        &self,
        space: &str,
        limit: usize,
    ) -> Result<Vec<(StateKey, StateRecord)>, Breach> {
        let mut records = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.list_page(space, after.as_deref(), limit).await?;
            records.extend(page.records.iter().cloned());
            match page.next() {
                Some(name) => {
                    let behind = after.as_deref().is_none_or(|after| name > after);
                    self.under(3).require(behind, "a name after the last page's", name)?;
                    after = Some(name.to_owned());
                }
                None => return Ok(records),
            }
        }
    }

    pub(super) async fn list_page(
        &self,
        space: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<crate::StatePage, Breach> {
        let answer = self.store.list(space, after, limit).await;
        let page = answer.map_err(|error| {
            self.breach(format_args!("`list` of `{space}` to be answered"), error)
        })?;
        let count = page.records.len();
        let of_lists = self.under(3);
        of_lists.require(
            count <= limit,
            format_args!("at most {limit} records"),
            format_args!("{count}"),
        )?;
        of_lists.require(
            limit == 0 || count > 0 || !page.more,
            "a page that says that others follow to hold at least one record",
            "an empty page that says that others follow",
        )?;
        Ok(page)
    }
}

pub(super) fn key(name: &str) -> StateKey {
    StateKey::new("checkpoint", name)
}

pub(super) async fn each_expected_revision_admits_what_it_says<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    let other = subject.put(&key("other"), "other", ExpectedRevision::Any).await?;
    let first = subject.put(&key("old"), "1", ExpectedRevision::Any).await?;
    let second = subject.put(&key("old"), "2", ExpectedRevision::Exact(first)).await?;
    let never = Revision::new(second.get() + 1000);
    let variants = [
        ExpectedRevision::Any,
        ExpectedRevision::Missing,
        ExpectedRevision::Exact(other),
        ExpectedRevision::Exact(first),
        ExpectedRevision::Exact(second),
        ExpectedRevision::Exact(never),
    ];
    for (number, expected) in variants.into_iter().enumerate() {
        // A record that is missing.
        let missing = key(&format!("missing {number}"));
        if expected.admits(None) {
            subject.put(&missing, "new", expected).await?;
        } else {
            let answer = subject.store.put(&missing, Bytes::from("new"), expected).await;
            subject.is_refused(answer, &missing, expected, None)?;
            subject.same("a record that was refused", None, subject.get(&missing).await?)?;
        }
        // One that is there.
        let actual = subject.get(&key("old")).await?.map(|record| record.revision);
        let answer = subject.store.put(&key("old"), Bytes::from("next"), expected).await;
        if expected.admits(actual) {
            answer.map_err(|error| subject.breach("the write to be accepted", error))?;
        } else {
            subject.is_refused(answer, &key("old"), expected, actual)?;
            let stays = subject.get(&key("old")).await?.map(|record| record.revision);
            subject.same("the revision after a refusal", actual, stays)?;
        }
    }
    Ok(())
}

pub(super) async fn a_record_is_removed_at_the_expected_revision_only<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    let first = subject.put(&key("a"), "1", ExpectedRevision::Missing).await?;
    let second = subject.put(&key("a"), "2", ExpectedRevision::Exact(first)).await?;
    for expected in [ExpectedRevision::Missing, ExpectedRevision::Exact(first)] {
        let answer = subject.store.remove(&key("a"), expected).await;
        subject.is_refused(answer, &key("a"), expected, Some(second))?;
    }
    let record = StateRecord { revision: second, value: Bytes::from("2") };
    subject.same("the record after refusals", Some(record), subject.get(&key("a")).await?)?;
    subject.remove(&key("a"), ExpectedRevision::Exact(second)).await?;
    subject.same("the record after its removal", None, subject.get(&key("a")).await?)?;
    // What is missing can be removed by who does not mind, and by nobody else.
    subject.remove(&key("a"), ExpectedRevision::Any).await?;
    let answer = subject.store.remove(&key("a"), ExpectedRevision::Exact(second)).await;
    subject.is_refused(answer, &key("a"), ExpectedRevision::Exact(second), None)?;
    subject.put(&key("a"), "3", ExpectedRevision::Missing).await?;
    subject.remove(&key("a"), ExpectedRevision::Any).await?;
    subject.same("the record after its removal", None, subject.get(&key("a")).await?)
}

pub(super) async fn a_revision_never_comes_twice_and_always_rises<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    let mut last: Option<Revision> = None;
    for round in 0..30 {
        let expected = match last {
            Some(revision) if round % 3 != 0 => ExpectedRevision::Exact(revision),
            Some(_) => {
                subject.remove(&key("a"), ExpectedRevision::Any).await?;
                ExpectedRevision::Missing
            }
            None => ExpectedRevision::Missing,
        };
        // The value is the same: it is a new revision all the same.
        let revision = subject.put(&key("a"), "same", expected).await?;
        subject.require(
            last.is_none_or(|last| revision > last),
            format_args!("a revision above {last:?}, which the record had"),
            revision,
        )?;
        let stored = subject.get(&key("a")).await?.map(|record| record.revision);
        subject.same("the revision that is read", Some(revision), stored)?;
        last = Some(revision);
        subject.put(&key("other"), "other", ExpectedRevision::Any).await?;
    }
    Ok(())
}

pub(super) async fn a_record_comes_back_as_it_was_written<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    let values = [
        Bytes::new(),
        Bytes::from_static(b"\0"),
        Bytes::from_static(&[0xff, 0xfe, 0, 1]),
        Bytes::from_static("\u{17e}lu\u{165}".as_bytes()),
        Bytes::from((0..=255).cycle().take(100_000).collect::<Vec<u8>>()),
        Bytes::from(vec![b'x'; MAX_STATE_BYTES]),
    ];
    for (number, value) in values.into_iter().enumerate() {
        let key = key(&format!("value {number}"));
        let revision = subject.put(&key, value.clone(), ExpectedRevision::Missing).await?;
        let record = Some(StateRecord { revision, value });
        let found = subject.get(&key).await?;
        // Not printed: it is large.
        subject.require(found == record, "the value that was written", "another one")?;
    }
    Ok(())
}

pub(super) async fn keys_are_any_texts_and_differ_when_their_bytes_do<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    let long = "n".repeat(MAX_STATE_TEXT_BYTES);
    let longer = format!("{}m", &long[1..]);
    let mut keys = Vec::new();
    for text in ODD_TEXTS.into_iter().chain(["", &long, &longer]) {
        keys.push(StateKey::new("space", text));
        keys.push(StateKey::new(text, "name"));
    }
    // The same text when written with a separator.
    keys.extend([StateKey::new("a/b", "c"), StateKey::new("a", "b/c"), StateKey::new("a/b/c", "")]);
    for (number, key) in keys.iter().enumerate() {
        subject.put(key, number.to_string(), ExpectedRevision::Missing).await?;
    }
    for (number, key) in keys.iter().enumerate() {
        let value = subject.get(key).await?.map(|record| record.value);
        let what = format_args!("the value of {key:?}");
        subject.same(what, Some(Bytes::from(number.to_string())), value)?;
    }
    for key in &keys {
        let found = subject.list(key.space(), 7).await?;
        let names: Vec<_> = found.iter().map(|(key, _)| key.clone()).collect();
        let mut expected: Vec<_> =
            keys.iter().filter(|other| other.space() == key.space()).cloned().collect();
        expected.sort();
        subject.same(format_args!("the list of {:?}", key.space()), expected, names)?;
    }
    Ok(())
}

pub(super) async fn a_text_with_a_nul_character_comes_back_or_is_refused<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    for key in [StateKey::new("a\0b", "name"), StateKey::new("space", "a\0b")] {
        match subject.store.put(&key, Bytes::from("nul"), ExpectedRevision::Missing).await {
            Ok(_) => {
                let value = subject.get(&key).await?.map(|record| record.value);
                subject.same("the value of the key", Some(Bytes::from("nul")), value)?;
                let listed = subject.list(key.space(), 5).await?;
                let listed: Vec<_> = listed.into_iter().map(|(key, _)| key).collect();
                subject.same("the list", vec![key], listed)?;
            }
            Err(error) => is_permanent_state(&subject, &error)?,
        }
    }
    for key in [StateKey::new("a", "name"), StateKey::new("space", "a")] {
        subject.same("a record that was never written", None, subject.get(&key).await?)?;
    }
    Ok(())
}

pub(super) async fn a_list_is_sorted_complete_and_stays_in_its_space<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    let mut names: Vec<String> =
        ["b", "a", "c", "B", "aa", "a b", "a/b", "\u{17e}", "z", "\u{10ffff}", "%", "_", "10", "9"]
            .map(str::to_owned)
            .into();
    names.extend((0..30).map(|number| format!("record {number}")));
    for name in &names {
        for space in ["timer", "timers", "time", "Timer", "tim%", "timer/a", "time_"] {
            subject.put(&StateKey::new(space, &**name), space, ExpectedRevision::Any).await?;
        }
    }
    names.sort();
    for limit in [1, 2, 7, names.len(), names.len() + 1, usize::MAX] {
        for space in ["timer", "tim%", "time_"] {
            let list = subject.list(space, limit).await?;
            let found: Vec<_> =
                list.iter().map(|(key, _)| (key.space(), key.name().to_owned())).collect();
            let expected: Vec<_> = names.iter().map(|name| (space, name.clone())).collect();
            subject.same(format_args!("the list of `{space}` by {limit}"), expected, found)?;
            let value = list.iter().find(|(_, record)| record.value != space);
            subject.same("a record of another space", None, value)?;
        }
    }
    let nobody = subject.list("nobody", 5).await?;
    subject.same("the list of a space without records", vec![], nobody)
}

pub(super) async fn a_list_goes_on_after_any_name<S: StateStore>(subject: Subject<S>) -> Verdict {
    let names = ["a", "c", "e"];
    for name in names {
        subject.put(&key(name), name, ExpectedRevision::Any).await?;
    }
    for after in [None, Some(""), Some("a"), Some("b"), Some("c"), Some("d"), Some("e"), Some("f")]
    {
        for limit in [0, 1, 2, 3, 4] {
            let page = subject.list_page("checkpoint", after, limit).await?;
            let rest: Vec<_> =
                names.iter().filter(|name| after.is_none_or(|after| **name > after)).collect();
            let found: Vec<_> = page.records.iter().map(|(key, _)| key.name()).collect();
            let count = found.len().max(1).min(limit);
            let expected: Vec<_> = rest.iter().take(count).map(|name| **name).collect();
            let what = format_args!("the records after {after:?}, at most {limit}, or the first");
            subject.same(what, expected, found)?;
            let more = rest.len() > page.records.len();
            subject.same(format_args!("`more` after {after:?} of {limit}"), more, page.more)?;
        }
    }
    subject.remove(&key("c"), ExpectedRevision::Any).await?;
    let left: Vec<_> = subject.list("checkpoint", 9).await?;
    let left: Vec<_> = left.iter().map(|(key, _)| key.name()).collect();
    subject.same("the list after a removal", vec!["a", "e"], left)
}

pub(super) async fn what_was_acknowledged_is_seen_at_once<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    for round in 0..50 {
        let value = Bytes::from(format!("{round}"));
        let revision = subject.put(&key("a"), value.clone(), ExpectedRevision::Any).await?;
        let record = StateRecord { revision, value };
        if round % 2 == 0 {
            subject.same("the record", Some(record), subject.get(&key("a")).await?)?;
        } else {
            let list = subject.list("checkpoint", 3).await?;
            subject.same("the list", vec![(key("a"), record)], list)?;
        }
    }
    Ok(())
}

/// A lease as programs build it: who holds the record's revision is the holder, and whoever lost it
/// can not write any more.
pub(super) async fn a_lease_that_was_taken_over_can_not_write<S: StateStore>(
    subject: Subject<S>,
) -> Verdict {
    let lease = StateKey::new("lease", "balances");
    let of_a = subject.put(&lease, "held by a", ExpectedRevision::Missing).await?;
    let answer = subject.store.put(&lease, Bytes::from("b"), ExpectedRevision::Missing).await;
    subject.is_refused(answer, &lease, ExpectedRevision::Missing, Some(of_a))?;
    // It is renewed, and then runs out; somebody takes it over.
    let renewed = subject.put(&lease, "held by a", ExpectedRevision::Exact(of_a)).await?;
    let of_b = subject.put(&lease, "held by b", ExpectedRevision::Exact(renewed)).await?;
    for stale in [of_a, renewed] {
        let expected = ExpectedRevision::Exact(stale);
        let answer = subject.store.put(&lease, Bytes::from("held by a"), expected).await;
        subject.is_refused(answer, &lease, expected, Some(of_b))?;
        let answer = subject.store.remove(&lease, expected).await;
        subject.is_refused(answer, &lease, expected, Some(of_b))?;
    }
    // It is given back and taken again: no token of before fits.
    subject.remove(&lease, ExpectedRevision::Exact(of_b)).await?;
    let of_c = subject.put(&lease, "held by c", ExpectedRevision::Missing).await?;
    for stale in [of_a, renewed, of_b] {
        let expected = ExpectedRevision::Exact(stale);
        let answer = subject.store.put(&lease, Bytes::from("late"), expected).await;
        subject.is_refused(answer, &lease, expected, Some(of_c))?;
        subject.require(
            of_c > stale,
            format_args!("a fencing token above {stale}, which was given out before"),
            of_c,
        )?;
    }
    let value = subject.get(&lease).await?.map(|record| record.value);
    subject.same("the lease", Some(Bytes::from("held by c")), value)
}
