use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "tag_denied.lock")]
#[serde(tag = "type", deny_unknown_fields)]
struct Deposited {
    amount: u64,
}

fn main() {}
