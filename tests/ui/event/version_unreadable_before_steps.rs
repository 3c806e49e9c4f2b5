use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", version = three, oldest = 2)]
#[upcast(from = 2, add(owner = "nobody"))]
struct Opened {
    owner: String,
}

fn main() {}
