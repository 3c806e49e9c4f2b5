//! State records as the steps of inline projections change them.
//!
//! Each append moves the checkpoint of every inline projection, and the appends that share a transaction
//! often change the same documents. What steps change is kept here and written once, at the end of
//! the transaction; what they read is read once for as long as nobody else has written.

use std::collections::HashMap;

use es_core::{
    ExpectedRevision, Revision, RowWork, StateCommit, StateError, StateKey, StateRecord,
};
use rusqlite::Connection;

use crate::error::Failure;
use crate::rows::{Sqlite, Texts};
use crate::state_records;

/// So many records, and bytes of them, are kept beyond a transaction at most.
const MOST_RECORDS: usize = 4_096;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A transaction that has changed more than this writes it before its next step.
const MOST_UNWRITTEN: usize = 16 * 1024 * 1024;

/// What is known of the records in the writer's transaction.
#[derive(Default)]
pub(crate) struct StepRecords {
    known: HashMap<StateKey, Known>,
    /// How many bytes were put here.
    bytes: usize,
    /// What is not written yet; some of it may have been undone.
    changed: Vec<StateKey>,
    unwritten: usize,
    /// What was known before the step that is open, from the first change on.
    before: Vec<(StateKey, Option<Known>)>,
    /// The greatest revision, as far as it was asked for.
    revision: Option<i64>,
}

#[derive(Clone)]
struct Known {
    record: Option<StateRecord>,
    is_written: bool,
}

impl StepRecords {
    /// Begins a step, which may be undone.
    pub(crate) fn begin(&mut self, connection: &Connection) -> Result<(), Failure> {
        if self.unwritten > MOST_UNWRITTEN {
            self.write(connection)?;
        }
        self.before.clear();
        Ok(())
    }

    /// Undoes what the step has changed. Revisions that it has used up stay so.
    pub(crate) fn undo(&mut self) {
        for (key, known) in self.before.drain(..).rev() {
            match known {
                Some(known) => self.known.insert(key, known),
                None => self.known.remove(&key),
            };
        }
    }

    /// Somebody else has written, or the transaction is rolled back.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn get(
        &mut self,
        connection: &Connection,
        key: &StateKey,
    ) -> Result<Option<StateRecord>, Failure> {
        if let Some(known) = self.known.get(key) {
            return Ok(known.record.clone());
        }
        let record = state_records::get(connection, key)?;
        self.bytes += size(key, record.as_ref());
        self.known.insert(key.clone(), Known { record: record.clone(), is_written: true });
        Ok(record)
    }

    /// Changes several records, and does the rows' work, or nothing.
    pub(crate) fn commit(
        &mut self,
        connection: &Connection,
        commit: StateCommit,
        rows: Option<&RowWork<Sqlite>>,
        texts: &mut Texts,
    ) -> Result<Result<Revision, StateError>, Failure> {
        let changes = commit.changes.iter().map(|change| (&change.key, change.expected));
        let checks = commit.checks.iter().map(|(key, expected)| (key, *expected));
        for (key, expected) in checks.chain(changes) {
            if expected == ExpectedRevision::Any {
                continue;
            }
            let actual = self.get(connection, key)?.map(|record| record.revision);
            if !expected.admits(actual) {
                return Ok(Err(StateError::Conflict { key: key.clone(), expected, actual }));
            }
        }
        if let Some(rows) = rows
            && let Err(abandoned) = state_records::run(connection, rows, texts)?
        {
            return Ok(Err(abandoned));
        }
        let last = match self.revision {
            Some(last) => last,
            None => state_records::last_revision(connection)?,
        };
        self.revision = Some(last + 1);
        let revision = Revision::new((last + 1).cast_unsigned());
        for change in commit.changes {
            let record = change.value.map(|value| StateRecord { revision, value });
            let size = size(&change.key, record.as_ref());
            (self.bytes, self.unwritten) = (self.bytes + size, self.unwritten + size);
            let before = self.known.insert(change.key.clone(), Known { record, is_written: false });
            if before.as_ref().is_none_or(|known| known.is_written) {
                self.changed.push(change.key.clone());
            }
            self.before.push((change.key, before));
        }
        Ok(Ok(revision))
    }

    /// Writes what was changed, into the transaction.
    pub(crate) fn write(&mut self, connection: &Connection) -> Result<(), Failure> {
        if self.changed.is_empty() {
            return Ok(());
        }
        for key in self.changed.drain(..) {
            let Some(known) = self.known.get_mut(&key).filter(|known| !known.is_written) else {
                continue;
            };
            known.is_written = true;
            match &known.record {
                Some(record) => state_records::write(connection, &key, record)?,
                None => state_records::erase(connection, &key)?,
            }
        }
        if let Some(revision) = self.revision {
            state_records::set_last_revision(connection, revision)?;
        }
        self.unwritten = 0;
        if self.known.len() > MOST_RECORDS || self.bytes > MOST_BYTES {
            (self.known, self.bytes) = (HashMap::new(), 0);
        }
        Ok(())
    }
}

fn size(key: &StateKey, record: Option<&StateRecord>) -> usize {
    key.name().len() + record.map_or(0, |record| record.value.len())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use es_core::bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::schema::Schema;

    fn key(number: u8) -> StateKey {
        StateKey::new("space", number.to_string())
    }

    #[derive(Clone, Debug)]
    enum Call {
        /// A step that puts values, or removes where there is none; and whether it is undone.
        Step(Vec<(u8, Option<u16>)>, bool),
        Write,
        /// Somebody else writes one record, and what is known is forgotten.
        Elsewhere(u8, u16),
    }

    fn calls() -> impl Strategy<Value = Vec<Call>> {
        let change = (0..6_u8, prop::option::of(any::<u16>()));
        let call = prop_oneof![
            6 => (prop::collection::vec(change, 1..4), any::<bool>())
                .prop_map(|(changes, undone)| Call::Step(changes, undone)),
            2 => Just(Call::Write),
            1 => (0..6_u8, any::<u16>()).prop_map(|(key, value)| Call::Elsewhere(key, value)),
        ];
        prop::collection::vec(call, 1..40)
    }

    fn values(connection: &Connection) -> BTreeMap<String, (u64, Bytes)> {
        let page = state_records::list(connection, "space", None, 100).unwrap();
        let records = page.records.into_iter();
        let value = |(key, record): (StateKey, StateRecord)| {
            (key.name().to_owned(), (record.revision.get(), record.value))
        };
        records.map(value).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// What is written at the end is what would have been written step by step, and no revision
        /// comes twice.
        #[test]
        fn what_steps_change_is_written_as_if_at_once(calls in calls()) {
            let mut connection = Connection::open_in_memory().unwrap();
            Schema::CURRENT.migrate(&mut connection, 0).unwrap();
            let mut records = StepRecords::default();
            let mut texts = Texts::default();
            let (mut model, mut last) = (BTreeMap::new(), 0);
            for call in calls {
                match call {
                    Call::Step(changes, undone) => {
                        records.begin(&connection).unwrap();
                        let before = model.clone();
                        for (number, value) in changes {
                            let value = value.map(|value| Bytes::from(value.to_string()));
                            let found = records.get(&connection, &key(number)).unwrap();
                            let found = found.map(|record| (record.revision.get(), record.value));
                            prop_assert_eq!(found.as_ref(), model.get(&number.to_string()));
                            let expected = found.map_or(ExpectedRevision::Missing, |(revision, _)| {
                                ExpectedRevision::Exact(Revision::new(revision))
                            });
                            let mut commit = StateCommit::default();
                            match value.clone() {
                                Some(value) => commit.put(key(number), value, expected),
                                None => commit.remove(key(number), expected),
                            }
                            let done = records.commit(&connection, commit, None, &mut texts);
                            let revision = done.unwrap().unwrap().get();
                            prop_assert!(revision > last);
                            last = revision;
                            match value {
                                Some(value) => {
                                    model.insert(number.to_string(), (revision, value));
                                }
                                None => _ = model.remove(&number.to_string()),
                            }
                        }
                        if undone {
                            records.undo();
                            model = before;
                        }
                    }
                    Call::Write => {
                        records.write(&connection).unwrap();
                        prop_assert_eq!(&values(&connection), &model);
                    }
                    Call::Elsewhere(number, value) => {
                        records.write(&connection).unwrap();
                        records.forget();
                        let value = Bytes::from(value.to_string());
                        let any = ExpectedRevision::Any;
                        let put = state_records::put(&connection, &key(number), &value, any);
                        let revision = put.unwrap().unwrap().get();
                        model.insert(number.to_string(), (revision, value));
                        last = last.max(revision);
                    }
                }
            }
            records.write(&connection).unwrap();
            prop_assert_eq!(values(&connection), model);
        }
    }
}
