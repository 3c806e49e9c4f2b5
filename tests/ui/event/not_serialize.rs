use es_core::prelude::*;

#[derive(Event, Deserialize)]
#[event(name = "account.opened")]
struct Opened {
    owner: String,
}

fn main() {}
