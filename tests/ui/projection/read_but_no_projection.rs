use es_core::Position;
use es_core::prelude::*;
use es_memory_store::MemoryStore;

#[derive(Default)]
struct Balances;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection, Default)]
#[projection(name = "owners", events(Opened))]
struct Owners;

impl Project<Opened> for Owners {
    fn project(&mut self, _: &Opened, _: &Recorded) -> Result<(), ProjectError> {
        Ok(())
    }
}

async fn read(runtime: &Runtime<MemoryStore>) {
    let _ = runtime.projection::<Balances>();
    let _ = runtime.documents::<Owners>();
    let _ = runtime.projection_as_of::<Balances>(Position::ZERO).await;
}

fn main() {}
