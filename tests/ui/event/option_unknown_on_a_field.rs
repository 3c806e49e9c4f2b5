use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened {
    #[event(tga)]
    owner: String,
}

fn main() {}
