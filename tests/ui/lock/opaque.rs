use es_core::prelude::*;

#[derive(Serialize, Deserialize)]
struct BigDecimal(String);

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "opaque.lock")]
struct Deposited {
    #[event(opaque)]
    amount: BigDecimal,
}

fn main() {}
