use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
struct Money {
    value: u64,
    currency: u16,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2, oldest = 2, lock = "nested_field.lock")]
struct Deposited {
    amount: Money,
    parts: Vec<Money>,
}

fn main() {}
