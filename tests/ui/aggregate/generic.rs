use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Opened))]
struct Account<C> {
    currency: C,
}

fn main() {}
