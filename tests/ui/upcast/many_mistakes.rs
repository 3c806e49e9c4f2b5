use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 3)]
#[upcast(from = "1", rename("a." => "amount"), remove(currency))]
#[upcast(from = 2, add(owner = 7))]
#[upcast(from = 3)]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
