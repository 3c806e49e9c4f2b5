use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", codec(Json) Json)]
struct Opened {
    owner: String,
}

fn main() {}
