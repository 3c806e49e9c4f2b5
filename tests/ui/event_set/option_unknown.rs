use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(EventSet)]
#[event_set(name = "account")]
enum AccountEvent {
    Opened(Opened),
}

fn main() {}
