use es_core::prelude::*;

#[derive(Event, Serialize)]
#[event(name = "account.opened")]
struct Opened<'a> {
    owner: &'a str,
}

fn main() {}
