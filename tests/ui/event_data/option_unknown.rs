use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
#[event_data(opaqe)]
struct Money {
    cents: u64,
}

fn main() {}
