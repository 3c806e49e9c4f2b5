use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
struct Money {
    value: u64,
}

fn main() {}
