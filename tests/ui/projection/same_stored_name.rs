use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Paid;

#[derive(Projection, Default)]
#[projection(name = "balances", events(Opened, Paid))]
struct Balances;

impl Project<Opened> for Balances {
    fn project(&mut self, _: &Opened, _: &Recorded) -> Result<(), ProjectError> {
        Ok(())
    }
}

impl Project<Paid> for Balances {
    fn project(&mut self, _: &Paid, _: &Recorded) -> Result<(), ProjectError> {
        Ok(())
    }
}

fn main() {}
