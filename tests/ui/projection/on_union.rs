use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection)]
#[projection(name = "balances", events(Opened))]
union Balances {
    a: u64,
    b: i64,
}

fn main() {}
