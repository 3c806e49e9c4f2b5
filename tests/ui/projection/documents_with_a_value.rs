use es_core::prelude::*;
use es_memory_store::MemoryStore;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "balances", events(Opened), documents = account)]
struct Balance;

impl Project<Opened> for Balance {
    fn project(&mut self, _: &Opened, _: &Recorded) -> Result<(), ProjectError> {
        Ok(())
    }
}

fn read(runtime: &Runtime<MemoryStore>) {
    let _ = runtime.documents::<Balance>();
}

fn main() {}
