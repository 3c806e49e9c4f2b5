use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection, Default)]
#[projection(name = "balances", events(Opened))]
struct Balances;

impl Project<Opened> for Balances {
    fn project(&mut self, _: &Opened, _: &Recorded) -> Result<(), ProjectError> {
        Err("this can not be".into())
    }
}

fn main() {}
