use es_core::prelude::*;
use es_core::{NoRows, RowTables};

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection)]
#[projection(name = "movements", events(Opened), rows = NoRows)]
struct Movements;

impl RowTables<NoRows> for Movements {
    const TABLES: &'static [&'static str] = &["movements"];

    fn create(rows: &mut std::convert::Infallible) -> Result<(), ProjectError> {
        match *rows {}
    }
}

fn main() {}
