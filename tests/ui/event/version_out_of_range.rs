use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", version = 5_000_000_000)]
struct Opened {
    owner: String,
}

fn main() {}
