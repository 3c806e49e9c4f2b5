#![allow(unreachable_patterns)]

use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
enum Purpose {
    #[serde(alias = "Rent")]
    Lease,
    Rent,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "name_taken.lock")]
struct Deposited {
    #[serde(skip_serializing, default, alias = "amount")]
    amt: Option<u64>,
    amount: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", lock = "name_taken.lock")]
struct Opened {
    purpose: Purpose,
}

fn main() {}
