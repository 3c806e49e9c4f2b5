use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", alias = "account.deposited", alias = "paid", alias = "paid")]
struct Deposited;

fn main() {}
