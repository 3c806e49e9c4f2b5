use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 3, write_version = 1)]
#[upcast(from = 1, with = whole_cents)]
#[upcast(from = 2, remove(note))]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
