use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", crate = es_core)]
struct Opened {
    owner: String,
}

fn main() {}
