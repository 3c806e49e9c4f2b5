use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 3)]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
