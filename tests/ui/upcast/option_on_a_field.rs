use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited")]
struct Deposited {
    #[upcast(from = 1, add(amount = 0))]
    amount: u64,
}

fn main() {}
