use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(EventSet)]
enum AccountEvent {
    #[event_set(name = "opened")]
    Opened(Opened),
}

fn main() {}
