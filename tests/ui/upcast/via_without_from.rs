use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, via = DepositedV1)]
struct Deposited {
    amount: u64,
    currency: String,
}

#[derive(Deserialize)]
struct DepositedV1 {
    amt: u64,
}

fn main() {}
