use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "field_renamed.lock")]
struct Deposited {
    amount: u64,
    note: Option<String>,
}

fn main() {}
