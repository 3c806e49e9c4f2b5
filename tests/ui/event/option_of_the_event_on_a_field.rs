use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened {
    #[event(version = 2)]
    owner: String,
}

fn main() {}
