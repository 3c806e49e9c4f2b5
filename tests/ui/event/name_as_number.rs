use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = 7)]
struct Opened {
    owner: String,
}

fn main() {}
