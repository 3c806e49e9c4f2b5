use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Aggregate, Default, Serialize, Deserialize)]
#[aggregate(name = "account", id = u64, events(Opened), snapshot(evry = 100, colour = 7))]
struct Account {}

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

fn main() {}
