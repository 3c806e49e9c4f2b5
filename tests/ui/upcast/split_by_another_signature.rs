use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, split(into(Deposited, FeeCharged), with = fee_apart))]
struct Deposited {
    amount: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.fee_charged", split_from(Deposited))]
struct FeeCharged {
    amount: u64,
}

fn fee_apart(old: es_core::JsonObject) -> es_core::JsonObject {
    old
}

fn main() {}
