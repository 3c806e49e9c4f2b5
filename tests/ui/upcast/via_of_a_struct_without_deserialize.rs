use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, via = DepositedV1)]
struct Deposited {
    amount: u64,
    currency: String,
}

struct DepositedV1 {
    amt: u64,
}

impl From<DepositedV1> for Deposited {
    fn from(old: DepositedV1) -> Self {
        Self { amount: old.amt, currency: String::new() }
    }
}

fn main() {}
