use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
struct Teller {
    id: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2, lock = "step_leaves_a_type.lock")]
#[upcast(from = 1, rename("amt" => "amount"))]
struct Deposited {
    amount: u64,
    by: Teller,
}

fn main() {}
