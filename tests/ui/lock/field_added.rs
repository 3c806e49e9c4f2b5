use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "field_added.lock")]
struct Deposited {
    amount: u64,
    currency: String,
    // These may be missing in what is stored.
    note: Option<String>,
    #[serde(default)]
    fee: u64,
}

fn main() {}
