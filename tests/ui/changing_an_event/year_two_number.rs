use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, add(currency = 203))]
pub struct Deposited {
    pub amt: u64,
    pub currency: String,
}

fn main() {}
