use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "event_not_listed.lock")]
struct Deposited {
    amount: u64,
}

// It is still read by a projection, say.
#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.noted")]
struct Noted {}

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Deposited), lock = "event_not_listed.lock")]
struct Account {
    balance: u64,
}

impl Apply<Deposited> for Account {
    fn apply(&mut self, event: &Deposited) {
        self.balance += event.amount;
    }
}

#[derive(Aggregate, Default)]
#[aggregate(
    name = "account",
    id = u64,
    events(Deposited),
    retired("account.noted"),
    register = false,
    lock = "event_not_listed.lock"
)]
struct Retiring {}

impl Apply<Deposited> for Retiring {
    fn apply(&mut self, _: &Deposited) {}
}

#[derive(EventSet)]
enum Own {
    Deposited(Deposited),
}

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events = Own, register = false, lock = "event_not_listed.lock")]
struct WithItsOwnEnum {}

impl Apply<Deposited> for WithItsOwnEnum {
    fn apply(&mut self, _: &Deposited) {}
}

fn main() {}
