use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name, version = 1)]
struct Opened {
    owner: String,
}

fn main() {}
