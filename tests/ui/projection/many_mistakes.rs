use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection, Default)]
#[projection(name = "", verson = "2", events(Opened, Opened), id = u64)]
struct Balances<C> {
    currency: C,
}

fn main() {}
