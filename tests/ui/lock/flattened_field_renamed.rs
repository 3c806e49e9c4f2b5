use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
struct Details {
    owner: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", lock = "flattened_field_renamed.lock")]
struct Opened {
    amount: u64,
    #[serde(flatten)]
    details: Details,
}

fn main() {}
