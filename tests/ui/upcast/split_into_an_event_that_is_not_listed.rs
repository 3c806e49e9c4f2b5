use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, split(into(Deposited, FeeCharged), with = fee_apart))]
struct Deposited {
    amount: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.fee_charged", split_from(Deposited))]
struct FeeCharged {
    amount: u64,
}

fn fee_apart(old: es_core::JsonObject) -> Result<es_core::Split, es_core::UpcastError> {
    Ok(es_core::Split::new().version::<Deposited>(2, old))
}

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Deposited))]
struct Account;

impl Apply<Deposited> for Account {
    fn apply(&mut self, _: &Deposited) {}
}

#[derive(EventSet)]
enum FactOfDeposit {
    Deposited(Deposited),
}

#[derive(Aggregate, Default)]
#[aggregate(name = "deposit", id = u64, events = FactOfDeposit)]
struct Deposit;

impl Apply<Deposited> for Deposit {
    fn apply(&mut self, _: &Deposited) {}
}

fn main() {}
