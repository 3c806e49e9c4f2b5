use std::collections::BTreeMap;

use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
#[serde(untagged)]
enum Price {
    Net(Net),
    Gross { amount: u64, tax: u64 },
}

#[derive(EventData, Serialize, Deserialize)]
struct Net {
    amount: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", lock = "unknown_fields_denied.lock")]
#[serde(deny_unknown_fields)]
struct Opened {
    owner: String,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.priced", lock = "unknown_fields_denied.lock")]
struct Priced {
    price: Price,
}

fn main() {}
