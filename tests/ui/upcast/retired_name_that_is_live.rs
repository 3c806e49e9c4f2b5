use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", alias = "account.paid_in")]
struct Deposited;

#[derive(Aggregate, Default)]
#[aggregate(
    name = "account",
    id = u64,
    events(Deposited),
    retired("account.frozen", "account.paid_in"),
)]
struct Account;

impl Apply<Deposited> for Account {
    fn apply(&mut self, _: &Deposited) {}
}

fn main() {}
