use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event("account.opened")]
struct Opened {
    #[event("owner")]
    owner: String,
}

fn main() {}
