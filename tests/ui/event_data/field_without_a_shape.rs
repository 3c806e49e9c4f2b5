use es_core::prelude::*;

#[derive(Serialize, Deserialize)]
struct Currency(String);

#[derive(EventData, Serialize, Deserialize)]
struct Money {
    cents: u64,
    currency: Currency,
    #[event_data(opaque)]
    other: Currency,
}

fn main() {}
