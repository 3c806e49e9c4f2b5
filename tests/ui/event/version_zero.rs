use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", version = 0)]
struct Opened {
    owner: String,
}

fn main() {}
