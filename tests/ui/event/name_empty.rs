use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "")]
struct FundsDeposited {
    amount: u64,
}

fn main() {}
