use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 1, oldest = 0)]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
