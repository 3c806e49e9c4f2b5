use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited")]
struct Deposited;

#[derive(EventSet)]
enum AccountEvent {
    Deposited(Deposited),
}

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events = AccountEvent, retired("account.frozen"))]
struct Account;

impl Apply<Deposited> for Account {
    fn apply(&mut self, _: &Deposited) {}
}

fn main() {}
