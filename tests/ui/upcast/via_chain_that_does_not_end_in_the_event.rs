use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 3)]
#[upcast(from = 1, via = DepositedV1)]
#[upcast(from = 2, via = DepositedV2)]
struct Deposited {
    amount: u64,
    currency: String,
}

#[derive(Deserialize)]
struct DepositedV1 {
    amt: u64,
}

#[derive(Deserialize)]
struct DepositedV2 {
    amount: u64,
}

impl From<DepositedV1> for DepositedV2 {
    fn from(old: DepositedV1) -> Self {
        Self { amount: old.amt }
    }
}

impl From<DepositedV1> for Deposited {
    fn from(old: DepositedV1) -> Self {
        Self { amount: old.amt, currency: String::new() }
    }
}

fn main() {}
