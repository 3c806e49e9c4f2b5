use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", crate = ::es_core)]
#[upcast(from = 1, add(currency = "CZK"))]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
