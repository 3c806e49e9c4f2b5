use es_core::prelude::*;

#[derive(Serialize, Deserialize)]
struct Money {
    value: u64,
}

// It is not released yet, and will be.
#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "type_without_a_shape.lock")]
struct Deposited {
    amount: Money,
}

fn main() {}
