use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection, Default)]
#[projection(name = "balances", events(Opened))]
struct Balances<C> {
    currency: C,
}

fn main() {}
