use std::collections::BTreeMap;

use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
struct Named {
    owner: String,
    branch: Option<u32>,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", lock = "field_beside_the_rest.lock")]
struct Opened {
    note: Option<u64>,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.named", lock = "field_beside_the_rest.lock")]
struct NameGiven {
    #[serde(flatten)]
    named: Named,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

fn main() {}
