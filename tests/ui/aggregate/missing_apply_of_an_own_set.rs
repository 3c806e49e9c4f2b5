use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.closed")]
struct Closed;

#[derive(EventSet)]
enum AccountEvent {
    Opened(Opened),
    Closed(Closed),
}

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events = AccountEvent)]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

fn main() {}
