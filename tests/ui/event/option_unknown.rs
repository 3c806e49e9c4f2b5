use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", verison = 1)]
struct Opened {
    owner: String,
}

fn main() {}
