use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 4)]
#[upcast(from = 1, split = fee_apart)]
#[upcast(from = 2, split(with = fee_apart))]
#[upcast(from = 3, split(into(Deposited), by = fee_apart))]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
