use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, with = whole_cents, inverse = cents)]
struct Deposited {
    amount: u64,
    currency: String,
}

fn whole_cents(event: &mut es_core::JsonObject) -> Result<(), es_core::UpcastError> {
    event.clear();
    Ok(())
}

fn cents(event: es_core::JsonObject) -> es_core::JsonObject {
    event
}

fn main() {}
