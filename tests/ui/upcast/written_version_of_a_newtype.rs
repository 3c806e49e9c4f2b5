use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2, write_version = 1)]
#[upcast(from = 1, via = DepositedV1)]
struct Deposited(u64);

fn main() {}
