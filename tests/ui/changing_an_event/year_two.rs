use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
pub struct Deposited {
    pub amt: u64,
    pub currency: String,
}

fn main() {}
