use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.priced", lock = "type_parameters.lock")]
struct Priced<C> {
    currency: C,
}

fn main() {}
