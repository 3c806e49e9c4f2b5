use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, with = whole_cents)]
struct Deposited {
    amount: u64,
    currency: String,
}

fn whole_cents(event: &mut es_core::JsonObject) {
    event.clear();
}

fn main() {}
