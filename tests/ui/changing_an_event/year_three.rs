use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 3)]
#[upcast(from = 1, add(currency = "CZK"))]
#[upcast(from = 2, rename("amt" => "amuont"), add(fee = 0))]
pub struct Deposited {
    pub amount: u64,
    pub currency: String,
    pub fee: u64,
}

fn main() {}
