use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 3, lock = "step_misses_a_field.lock")]
#[upcast(from = 1, rename("amt" => "amount"))]
#[upcast(from = 2, add(currency = "CZK"))]
struct Deposited {
    amount: u64,
    currency: String,
    branch: u32,
}

fn main() {}
