use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 4, oldest = 4)]
pub struct Deposited {
    pub amount: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.audited")]
pub struct Audited;

#[derive(Aggregate, Default)]
#[aggregate(
    name = "account",
    id = u64,
    events(Deposited, Audited),
    retired("account.audited"),
)]
pub struct Account {
    balance: u64,
}

impl Apply<Deposited> for Account {
    fn apply(&mut self, event: &Deposited) {
        self.balance += event.amount;
    }
}

impl Apply<Audited> for Account {
    fn apply(&mut self, _: &Audited) {}
}

fn main() {}
