use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
struct Money {
    #[serde(skip_serializing)]
    value: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    currency: String,
}

#[derive(EventData, Serialize, Deserialize)]
struct Pair(u64, #[serde(skip_serializing_if = "Option::is_none")] Option<u64>);

fn main() {}
