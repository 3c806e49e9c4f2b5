use es_core::prelude::*;
use es_core::{NoRows, ProjectRows};

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection)]
#[projection(name = "movements", events(Opened), rows = NoRows)]
struct Movements;

impl ProjectRows<NoRows, Opened> for Movements {
    fn project(
        rows: &mut std::convert::Infallible,
        _: &Opened,
        _: &Recorded,
    ) -> Result<(), ProjectError> {
        match *rows {}
    }
}

fn main() {}
