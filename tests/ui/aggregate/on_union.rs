use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Aggregate)]
#[aggregate(name = "account", id = u64, events(Opened))]
union Account {
    a: u64,
    b: i64,
}

fn main() {}
