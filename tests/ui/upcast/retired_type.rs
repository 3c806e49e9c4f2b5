use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited")]
struct Deposited;

#[derive(EventSet)]
#[event_set(retired(Frozen))]
enum AccountEvent {
    Deposited(Deposited),
}

fn main() {}
