use es_core::prelude::*;

#[derive(Event)]
#[event(name = "account.opened")]
struct Opened {
    owner: String,
}

fn main() {}
