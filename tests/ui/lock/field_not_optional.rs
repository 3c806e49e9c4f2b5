use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "field_not_optional.lock")]
struct Deposited {
    amount: u64,
    note: String,
}

fn main() {}
