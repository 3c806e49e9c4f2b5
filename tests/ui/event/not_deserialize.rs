use es_core::prelude::*;

#[derive(Event, Serialize)]
#[event(name = "account.opened")]
struct Opened {
    owner: String,
}

fn main() {}
