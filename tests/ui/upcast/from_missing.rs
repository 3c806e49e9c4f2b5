use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", oldest = 1)]
#[upcast(add(currency = "CZK"))]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
