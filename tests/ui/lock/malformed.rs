use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "malformed.lock")]
struct Deposited {
    amount: u64,
}

// It is said once.
#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.withdrawn", lock = "malformed.lock")]
struct Withdrawn {
    amount: u64,
}

fn main() {}
