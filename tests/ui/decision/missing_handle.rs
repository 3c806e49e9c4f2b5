use es_core::prelude::*;
use es_memory_store::MemoryStore;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Opened))]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

#[derive(Command)]
#[command(aggregate = Account)]
struct Close {
    #[command(id)]
    account: u64,
}

async fn close(runtime: Runtime<MemoryStore>) {
    let _ = runtime.execute(Close { account: 7 }).await;
}

fn main() {}
