use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, add(currency = "CZK"), codec = es_core::Json)]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
