use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "field_removed.lock")]
struct Deposited {
    amount: u64,
}

fn main() {}
