use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", version = 2u8, oldest = 2)]
struct Opened {
    owner: String,
}

fn main() {}
