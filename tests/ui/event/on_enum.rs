use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
enum AccountEvent {
    Opened,
    Closed,
}

fn main() {}
