use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, rename("money.amt" => "money.amount"))]
struct Deposited {
    #[serde(rename = "money.amount")]
    amount: u64,
}

fn main() {}
