use es_core::EventStore;
use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "balances", events(Opened), documents, inline)]
struct Balance;

impl Project<Opened> for Balance {
    fn project(&mut self, _: &Opened, _: &Recorded) -> Result<(), ProjectError> {
        Ok(())
    }
}

async fn balance(runtime: &Runtime<impl EventStore>) {
    let _ = runtime.documents::<Balance>();
}

fn main() {}
