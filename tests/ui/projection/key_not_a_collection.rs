use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "balances", events(Opened), documents(key = account))]
struct Balance;

impl Project<Opened> for Balance {
    fn project(&mut self, _: &Opened, _: &Recorded) -> Result<(), ProjectError> {
        Ok(())
    }
}

fn account(_: &BalanceEvent, recorded: &Recorded) -> String {
    recorded.stream.id().to_owned()
}

fn main() {}
