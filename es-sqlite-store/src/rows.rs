//! Rows of a user's own: tables that projections write in the transaction of their checkpoint.

use es_core::{InlineRows, RowFamily, RowScope, StateError, StoreFailure};
use hashbrown::HashMap;
use rusqlite::{Connection, OptionalExtension, Params, Row};

use crate::error::Failure;

/// The SQLite stores, as the home of projections: `#[projection(rows = es_sqlite_store::Sqlite)]`.
#[derive(Clone, Copy, Debug)]
pub struct Sqlite;

/// The open transaction of a projection's commit.
///
/// SQL is a literal, so that no value gets into it other than bound. A table of the projection is
/// written `{name}`: every generation has its own, called `name__g7` in the file, and the view
/// `name` shows the one that is served.
pub struct SqliteTransaction<'t> {
    connection: &'t Connection,
    scope: RowScope,
    texts: &'t mut Texts,
}

/// SQL with the tables of a generation put in, made once.
#[derive(Default)]
pub(crate) struct Texts(HashMap<(&'static str, u64), String>);

/// More texts than this are forgotten and made again.
const MOST_TEXTS: usize = 1_024;

impl Texts {
    fn get(&mut self, sql: &'static str, scope: &RowScope) -> Result<&str, StateError> {
        if self.0.len() > MOST_TEXTS {
            self.0.clear();
        }
        match self.0.entry((sql, scope.generation)) {
            hashbrown::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            hashbrown::hash_map::Entry::Vacant(new) => Ok(new.insert(resolve(sql, scope)?)),
        }
    }
}

/// Puts the tables of a generation where their plain names stand in braces.
fn resolve(sql: &str, scope: &RowScope) -> Result<String, StateError> {
    let mut text = String::with_capacity(sql.len() + 16);
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        text.push_str(before);
        let Some(table) = scope.tables.iter().find(|table| **table == name) else {
            return Err(refused(format!(
                "`{{{name}}}` in the SQL of a projection is none of its tables, which are {}",
                scope.tables.join(", ")
            )));
        };
        text.push_str(&table_name(table, scope.generation)?);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// The table of a generation. It is put into SQL, so that it must be nothing but a name.
fn table_name(table: &str, generation: u64) -> Result<String, StateError> {
    let plain = table.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain || !table.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err(refused(format!(
            "`{table}` can not be the name of a projection's table: use letters, digits and `_`"
        )));
    }
    Ok(format!("{table}__g{generation}"))
}

fn refused(what: String) -> StateError {
    StateError::Permanent(StoreFailure::new(what))
}

fn failed(error: rusqlite::Error) -> StateError {
    Failure::from(error).into()
}

impl<'t> SqliteTransaction<'t> {
    pub(crate) fn new(connection: &'t Connection, scope: RowScope, texts: &'t mut Texts) -> Self {
        Self { connection, scope, texts }
    }

    /// Executes a statement and says how many rows it changed.
    ///
    /// # Errors
    /// When SQLite refuses it.
    pub fn execute(&mut self, sql: &'static str, params: impl Params) -> Result<usize, StateError> {
        let sql = self.texts.get(sql, &self.scope)?;
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        statement.execute(params).map_err(failed)
    }

    /// Executes several statements without parameters, such as those that create tables.
    ///
    /// # Errors
    /// When SQLite refuses one of them.
    pub fn execute_batch(&mut self, sql: &'static str) -> Result<(), StateError> {
        let sql = self.texts.get(sql, &self.scope)?;
        self.connection.execute_batch(sql).map_err(failed)
    }

    /// Reads the first row of a query, if there is one.
    ///
    /// # Errors
    /// When SQLite refuses the query or `read` fails.
    pub fn query_row<T>(
        &mut self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StateError> {
        let sql = self.texts.get(sql, &self.scope)?;
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        statement.query_row(params, read).optional().map_err(failed)
    }

    /// Reads all rows of a query.
    ///
    /// # Errors
    /// When SQLite refuses the query or `read` fails.
    pub fn query<T>(
        &mut self,
        sql: &'static str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StateError> {
        let sql = self.texts.get(sql, &self.scope)?;
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let rows = statement.query_map(params, read).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// Does something for each table of the generation.
    fn each_table(
        &self,
        mut work: impl FnMut(&Connection, &str, &str) -> rusqlite::Result<()>,
    ) -> Result<(), StateError> {
        for table in self.scope.tables {
            let own = table_name(table, self.scope.generation)?;
            work(self.connection, table, &own).map_err(failed)?;
        }
        Ok(())
    }
}

impl RowFamily for Sqlite {
    type Transaction<'t> = SqliteTransaction<'t>;
    const NAME: &'static str = "SQLite";

    fn publish(rows: &mut SqliteTransaction<'_>) -> Result<(), StateError> {
        rows.each_table(|connection, table, own| {
            connection.execute_batch(&format!(
                "DROP VIEW IF EXISTS \"{table}\";
                 CREATE VIEW \"{table}\" AS SELECT * FROM \"{own}\";"
            ))
        })
    }

    fn discard(rows: &mut SqliteTransaction<'_>) -> Result<(), StateError> {
        rows.each_table(|connection, _, own| {
            connection.execute_batch(&format!("DROP TABLE IF EXISTS \"{own}\";"))
        })
    }

    fn differences(rows: &mut SqliteTransaction<'_>, other: u64) -> Result<u64, StateError> {
        let mut differences = 0;
        rows.each_table(|connection, table, own| {
            let other = format!("{table}__g{other}");
            for (one, other) in [(own, other.as_str()), (other.as_str(), own)] {
                let sql = format!(
                    "SELECT count(*) FROM (SELECT * FROM \"{one}\" EXCEPT SELECT * FROM \"{other}\")"
                );
                let count: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
                differences += u64::try_from(count).unwrap_or(0);
            }
            Ok(())
        })?;
        Ok(differences)
    }
}

impl InlineRows for Sqlite {}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: RowScope = RowScope { tables: &["days", "by_day"], generation: 3 };

    #[test]
    fn tables_in_braces_are_those_of_the_generation() {
        let sql = "INSERT INTO {days} SELECT * FROM {by_day} WHERE x = '}'";
        let text = resolve(sql, &SCOPE).unwrap();
        assert_eq!(text, "INSERT INTO days__g3 SELECT * FROM by_day__g3 WHERE x = '}'");
    }

    #[test]
    fn a_table_that_is_not_declared_or_is_no_name_is_refused() {
        let unknown = resolve("SELECT * FROM {events}", &SCOPE).unwrap_err().to_string();
        assert!(unknown.contains("none of its tables, which are days, by_day"), "{unknown}");
        for name in ["", "a b", "x\"; DROP TABLE store; --", "1a", "_a"] {
            assert!(table_name(name, 1).is_err(), "{name}");
        }
    }
}
