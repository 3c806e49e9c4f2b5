use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event("account.opened", name = "account.opened")]
struct Opened {
    owner: String,
}

fn main() {}
