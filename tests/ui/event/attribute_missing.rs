use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
struct Opened {
    owner: String,
}

fn main() {}
