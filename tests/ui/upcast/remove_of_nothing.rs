use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, remove())]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
