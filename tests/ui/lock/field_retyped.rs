use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2, oldest = 2, lock = "field_retyped.lock")]
struct Deposited {
    amount: String,
}

fn main() {}
