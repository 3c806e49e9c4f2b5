use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "../lock/year_one.lock")]
pub struct Deposited {
    pub amount: u64,
}

fn main() {}
