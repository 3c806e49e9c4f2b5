use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Purpose {
    Rent { month: u8 },
    // One more is no harm, one less is.
    Wages,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "nested_variant.lock")]
struct Deposited {
    purpose: Purpose,
}

fn main() {}
