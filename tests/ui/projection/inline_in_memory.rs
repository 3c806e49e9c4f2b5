use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection, Default)]
#[projection(name = "balances", events(Opened), inline)]
struct Balances;

impl Project<Opened> for Balances {
    fn project(&mut self, _: &Opened, _: &Recorded) -> Result<(), ProjectError> {
        Ok(())
    }
}

fn main() {}
