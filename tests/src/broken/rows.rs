//! Rows of a user's own in a broken store: lists of numbers.

use std::collections::BTreeMap;

use es_core::conformance::RowFixture;
use es_core::{RowFamily, RowScope, StateError, StoreFailure};

use crate::broken::bug::Bug;
use crate::broken::{Broken, BrokenStore, lock};

/// The tables of all generations.
#[derive(Clone, Default)]
pub(super) struct Tables {
    numbers: BTreeMap<(&'static str, u64), Vec<i64>>,
    /// Which generation of a table readers find.
    served: BTreeMap<&'static str, u64>,
}

impl Tables {
    /// Undoes what was done to rows, and not what readers find.
    pub(super) fn roll_back_rows(&mut self, before: Self) {
        self.numbers = before.numbers;
    }
}

/// The family of stores that keep lists of numbers.
pub struct ListRows;

/// A change of the tables of one generation.
pub struct ListTransaction<'t> {
    bug: Option<Bug>,
    tables: &'t mut Tables,
    scope: RowScope,
}

impl<'t> ListTransaction<'t> {
    pub(super) fn new(bug: Option<Bug>, tables: &'t mut Tables, scope: RowScope) -> Self {
        Self { bug, tables, scope }
    }

    fn key(&self, table: &'static str) -> (&'static str, u64) {
        let one = self.bug == Some(Bug::RowsOfOneGeneration);
        (table, if one { 1 } else { self.scope.generation })
    }

    fn table(&mut self, table: &'static str) -> Result<&mut Vec<i64>, StateError> {
        let key = self.key(table);
        let missing = || StateError::Permanent(StoreFailure::new(format!("no table {key:?}")));
        self.tables.numbers.get_mut(&key).ok_or_else(missing)
    }
}

impl RowFamily for ListRows {
    type Transaction<'t> = ListTransaction<'t>;
    const NAME: &'static str = "lists";

    fn publish(rows: &mut ListTransaction<'_>) -> Result<(), StateError> {
        let most = if rows.bug == Some(Bug::PublishedOneTable) { 1 } else { usize::MAX };
        for table in rows.scope.tables.iter().take(most) {
            let (table, generation) = rows.key(table);
            rows.tables.served.insert(table, generation);
        }
        Ok(())
    }

    fn discard(rows: &mut ListTransaction<'_>) -> Result<(), StateError> {
        let most = if rows.bug == Some(Bug::DiscardedOneTable) { 1 } else { usize::MAX };
        for table in rows.scope.tables.iter().take(most) {
            let discarded = rows.key(table);
            let is_like = |(of, generation): (&'static str, u64)| {
                rows.bug == Some(Bug::DiscardedByPrefix)
                    && of == discarded.0
                    && generation.to_string().starts_with(&discarded.1.to_string())
            };
            rows.tables.numbers.retain(|key, _| *key != discarded && !is_like(*key));
        }
        Ok(())
    }

    fn differences(rows: &mut ListTransaction<'_>, other: u64) -> Result<u64, StateError> {
        let mut differences = 0;
        for table in rows.scope.tables {
            let of = |generation| rows.tables.numbers.get(&(*table, generation));
            let (one, other) = (of(rows.scope.generation), of(other));
            let (one, other) =
                (one.cloned().unwrap_or_default(), other.cloned().unwrap_or_default());
            differences += one.iter().filter(|number| !other.contains(number)).count();
            if rows.bug != Some(Bug::DifferencesOneWay) {
                differences += other.iter().filter(|number| !one.contains(number)).count();
            }
        }
        Ok(differences as u64)
    }
}

impl RowFixture for Broken {
    const TABLES: &'static [&'static str; 2] = &["left", "right"];

    fn create(rows: &mut ListTransaction<'_>) -> Result<(), StateError> {
        for table in Self::TABLES {
            let key = rows.key(table);
            rows.tables.numbers.entry(key).or_default();
        }
        Ok(())
    }

    fn insert(rows: &mut ListTransaction<'_>, number: i64) -> Result<(), StateError> {
        for table in Self::TABLES {
            let numbers = rows.table(table)?;
            numbers.push(number);
            numbers.sort_unstable();
        }
        Ok(())
    }

    fn numbers(rows: &mut ListTransaction<'_>) -> Result<[Vec<i64>; 2], StateError> {
        let [left, right] = *Self::TABLES;
        Ok([rows.table(left)?.clone(), rows.table(right)?.clone()])
    }

    async fn served(&self, store: &BrokenStore) -> [Vec<i64>; 2] {
        let tables = lock(&store.tables);
        Self::TABLES.map(|table| {
            let served = tables
                .served
                .get(table)
                .and_then(|generation| tables.numbers.get(&(table, *generation)));
            served.cloned().unwrap_or_default()
        })
    }
}
