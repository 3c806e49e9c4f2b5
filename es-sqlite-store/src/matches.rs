//! The events that the items of a query select, found in the indexes and merged in order.

use es_core::{Direction, MAX_TAGS, Position, Query, QueryItem, Recorded, Tag};
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, Rows, params_from_iter};

use crate::error::{Damage, Failure};
use crate::event_types::{self, BLOCK};
use crate::pages::{Found, bound};
use crate::removed;

/// How far it is counted to find out which tag of an item is the rarest.
const COUNTED: i64 = 256;

const COUNT_OF_TAG: &str = "SELECT count(*) FROM (SELECT 1 FROM event_tags
    WHERE tag = ?1 AND position > ?2 AND position <= ?3 LIMIT ?4)";

/// Sorted lists of positions, each found by a statement, that hold all the events of a query.
pub(crate) struct Matches<'a> {
    lists: Vec<List<'a>>,
    direction: Direction,
}

struct List<'a> {
    statement: CachedStatement<'a>,
    parameters: Vec<Value>,
    item: &'a QueryItem,
}

impl<'a> Matches<'a> {
    /// The events above `after` up to and including `up_to`.
    pub(crate) fn prepare(
        connection: &'a Connection,
        query: &'a Query,
        after: Position,
        up_to: Position,
        direction: Direction,
    ) -> Result<Self, Failure> {
        let range = [bound(after.get()), bound(up_to.get())];
        let order = match direction {
            Direction::Forward => "",
            Direction::Backward => " DESC",
        };
        let tables: &[_] = if removed::any(connection)? { &[LIVE, REMOVED] } else { &[LIVE] };
        let mut lists = Vec::new();
        for item in query.items() {
            if item.tags().is_empty() {
                let names = item.names().iter().map(AsRef::as_ref);
                for number in event_types::numbers(connection, names)? {
                    for table in tables {
                        let sql = of_type(table, order);
                        let parameters = vec![number.into(), range[0].into(), range[1].into()];
                        lists.push(List {
                            statement: connection.prepare_cached(&sql)?,
                            parameters,
                            item,
                        });
                    }
                }
            } else {
                let mut tags: Vec<&str> = item.tags().iter().map(Tag::as_str).collect();
                tags.sort_unstable();
                tags.dedup();
                if tags.len() > MAX_TAGS {
                    // No event has so many.
                    continue;
                }
                let rarest = rarest_tag(connection, &tags, range)?;
                tags.swap(0, rarest);
                let sql = tagged(tags.len(), order);
                let mut parameters: Vec<Value> = vec![range[0].into(), range[1].into()];
                parameters.extend(tags.iter().map(|tag| Value::Text((*tag).to_owned())));
                lists.push(List { statement: connection.prepare_cached(&sql)?, parameters, item });
            }
        }
        Ok(Self { lists, direction })
    }

    /// Shows every position once and in order, with the items that may want it, until `show` says
    /// that it is enough.
    pub(crate) fn for_each(
        mut self,
        mut show: impl FnMut(i64, &Items<'_>) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let mut cursors = Vec::with_capacity(self.lists.len());
        for List { statement, parameters, item } in &mut self.lists {
            let rows = statement.query(params_from_iter(parameters.iter()))?;
            cursors.push(Cursor { rows, next: None, item });
        }
        for cursor in &mut cursors {
            cursor.advance()?;
        }
        let mut items = Items(Vec::new());
        loop {
            let nexts = cursors.iter().filter_map(|cursor| cursor.next);
            let next = match self.direction {
                Direction::Forward => nexts.min(),
                Direction::Backward => nexts.max(),
            };
            let Some(position) = next else { return Ok(()) };
            items.0.clear();
            for cursor in &mut cursors {
                if cursor.next == Some(position) {
                    items.0.push(cursor.item);
                    cursor.advance()?;
                }
            }
            if !show(position, &items)? {
                return Ok(());
            }
        }
    }
}

struct Cursor<'a> {
    rows: Rows<'a>,
    next: Option<i64>,
    item: &'a QueryItem,
}

impl Cursor<'_> {
    fn advance(&mut self) -> rusqlite::Result<()> {
        self.next = match self.rows.next()? {
            Some(row) => Some(row.get(0)?),
            None => None,
        };
        Ok(())
    }
}

/// The items whose index entries name an event.
pub(crate) struct Items<'a>(Vec<&'a QueryItem>);

impl Items<'_> {
    /// Whether one of the items wants the event. An index has tags or a name exactly; of an item
    /// with both it knows the tags.
    pub(crate) fn accept(&self, recorded: Recorded<'_>) -> Result<bool, Damage> {
        let mut accepted = false;
        for item in &self.0 {
            let named =
                item.names().is_empty() || item.names().iter().any(|name| name == recorded.name);
            let tagged = item.tags().iter().all(|tag| recorded.tags.contains(tag));
            if !tagged || (item.tags().is_empty() && !named) {
                let position = recorded.position;
                return Err(Damage::Index { position, what: "has other tags or another name" });
            }
            accepted |= named;
        }
        Ok(accepted)
    }

    /// The same for an event of which the name is left: what the index says of its tags is right.
    pub(crate) fn accept_named(&self, name: &str) -> bool {
        let named = |item: &&QueryItem| {
            item.names().is_empty() || item.names().iter().any(|wanted| wanted == name)
        };
        self.0.iter().any(named)
    }
}

/// The first event that a query selects, after a position.
pub(crate) fn first(
    reader: &mut crate::pages::Reader<'_>,
    query: &Query,
    after: Position,
    head: Position,
) -> Result<Option<Position>, Failure> {
    let everything = |item: &QueryItem| item.names().is_empty() && item.tags().is_empty();
    if query.items().iter().any(everything) {
        return Ok((after < head).then(|| after.next()));
    }
    let matches = Matches::prepare(reader.connection, query, after, head, Direction::Forward)?;
    let mut first = None;
    matches.for_each(|position, items| {
        let found = reader.find_at(position, |recorded| {
            items.accept(recorded).map(|accepted| accepted.then_some(recorded.position))
        })?;
        first = match found {
            Found::Live(accepted) => accepted?,
            Found::Removed(removed) => {
                let accepted = items.accept_named(&removed.name(reader.connection)?);
                accepted.then_some(removed.position)
            }
        };
        Ok(first.is_none())
    })?;
    Ok(first)
}

/// The tables that have positions and types.
pub(crate) const LIVE: &str = "event_records";
pub(crate) const REMOVED: &str = "removed_events";

/// Positions with an event type, block by block.
pub(crate) fn of_type(table: &str, order: &str) -> String {
    format!(
        "SELECT position FROM event_type_blocks AS blocks CROSS JOIN {table} AS records
         WHERE blocks.type_id = ?1
           AND block BETWEEN max(?2, 0) / {BLOCK} AND max(?3 - 1, 0) / {BLOCK}
           AND position > max(?2, block * {BLOCK})
           AND position <= min(?3, (block + 1) * {BLOCK})
           AND records.type_id = ?1
         ORDER BY block{order}, position{order}"
    )
}

/// Which of some tags has the fewest events in a range, as far as it is worth counting.
fn rarest_tag(
    connection: &Connection,
    tags: &[&str],
    [after, up_to]: [i64; 2],
) -> Result<usize, Failure> {
    if tags.len() == 1 {
        return Ok(0);
    }
    let mut statement = connection.prepare_cached(COUNT_OF_TAG)?;
    let mut rarest = (COUNTED + 1, 0);
    for (index, tag) in tags.iter().enumerate() {
        let count: i64 =
            statement.query_row((tag, after, up_to, rarest.0.min(COUNTED)), |row| row.get(0))?;
        if count < rarest.0 {
            rarest = (count, index);
        }
    }
    Ok(rarest.1)
}

/// Positions with so many tags, of which the first leads.
pub(crate) fn tagged(tags: usize, order: &str) -> String {
    let mut sql = String::from(
        "SELECT position FROM event_tags AS leading WHERE position > ?1 AND position <= ?2 AND tag = ?3",
    );
    for other in 1..tags {
        sql.push_str(&format!(
            " AND EXISTS (SELECT 1 FROM event_tags WHERE tag = ?{} AND position = leading.position)",
            other + 3
        ));
    }
    sql.push_str(" ORDER BY position");
    sql.push_str(order);
    sql
}
