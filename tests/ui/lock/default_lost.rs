use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "default_lost.lock")]
struct Deposited {
    amount: u64,
    fee: u64,
    kind: String,
}

fn main() {}
