use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name, version = 2)]
struct Opened {
    owner: String,
}

fn main() {}
