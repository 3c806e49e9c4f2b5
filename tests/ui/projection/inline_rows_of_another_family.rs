use es_core::{NoRows, ProjectRows, RowTables};
use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection)]
#[projection(name = "movements", events(Opened), rows = NoRows, inline)]
struct Movements;

impl RowTables<NoRows> for Movements {
    const TABLES: &'static [&'static str] = &["movements"];

    fn create(rows: &mut std::convert::Infallible) -> Result<(), ProjectError> {
        match *rows {}
    }
}

impl ProjectRows<NoRows, Opened> for Movements {
    fn project(
        rows: &mut std::convert::Infallible,
        _: &Opened,
        _: &Recorded<'_>,
    ) -> Result<(), ProjectError> {
        match *rows {}
    }
}

fn main() {}
