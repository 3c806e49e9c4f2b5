use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Paid;

#[derive(EventSet)]
enum AccountEvent {
    Opened(Opened),
    Paid(Paid),
}

fn main() {}
