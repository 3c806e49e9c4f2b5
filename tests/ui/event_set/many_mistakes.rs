use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(EventSet)]
#[event_set(crate = es_core)]
enum AccountEvent<T> {
    Opened(Opened),
    Reopened(Opened),
    Closed,
    Other(T, T),
}

fn main() {}
