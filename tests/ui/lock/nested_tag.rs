use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
enum Purpose {
    Rent { month: u8 },
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "nested_tag.lock")]
struct Deposited {
    purpose: Purpose,
}

fn main() {}
