use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 3)]
#[upcast(from = 1, via = DepositedV1)]
#[upcast(from = 2, add(currency = "CZK"))]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
