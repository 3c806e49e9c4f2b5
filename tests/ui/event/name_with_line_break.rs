use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account\nopened")]
struct Opened {
    owner: String,
}

fn main() {}
