use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
pub struct Opened;

#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "balances", events(Opened), documents, partitions = -2)]
pub struct Balances;

impl Project<Opened> for Balances {
    fn project(&mut self, _: &Opened, _: &Recorded<'_>) -> Result<(), ProjectError> {
        Ok(())
    }
}

fn main() {}
