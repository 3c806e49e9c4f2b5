use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 3, oldest = 2, lock = "oldest_above_the_lock.lock")]
#[upcast(from = 2, add(currency = "CZK"))]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
