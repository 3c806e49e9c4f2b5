use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, add(owner_name = "nobody"))]
#[serde(rename_all = "camelCase")]
struct Deposited {
    amount: u64,
    owner_name: String,
}

fn main() {}
