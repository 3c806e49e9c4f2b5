use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, add(currency = currency))]
struct Deposited {
    amount: u64,
    currency: String,
}

fn currency() -> Result<String, es_core::UpcastError> {
    Ok("CZK".to_owned())
}

fn main() {}
