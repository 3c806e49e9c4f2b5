use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", colour = "red")]
struct Opened {
    owner: String,
}

fn main() {}
