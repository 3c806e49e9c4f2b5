use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
struct Money {
    #[serde(rename(serialize = "sum", deserialize = "value"))]
    value: u64,
    #[serde(skip_deserializing)]
    currency: String,
}

#[derive(EventData, Serialize, Deserialize)]
enum Purpose {
    #[serde(rename(deserialize = "rent"))]
    Rent,
    #[serde(skip_deserializing)]
    Pension,
}

fn main() {}
