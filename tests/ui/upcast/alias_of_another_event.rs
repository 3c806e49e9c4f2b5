use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", alias = "account.paid_in")]
struct Deposited;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.paid_in")]
struct PaidIn;

#[derive(EventSet)]
enum AccountEvent {
    Deposited(Deposited),
    PaidIn(PaidIn),
}

fn main() {}
