use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(EventSet)]
enum AccountEvent<T> {
    Opened(Opened),
    Other(T),
}

fn main() {}
