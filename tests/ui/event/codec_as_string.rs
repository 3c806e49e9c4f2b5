use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", codec = "es_core::Json")]
struct Opened {
    owner: String,
}

fn main() {}
