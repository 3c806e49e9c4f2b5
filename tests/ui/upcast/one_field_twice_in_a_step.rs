use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 4)]
#[upcast(from = 1, add(currency = "CZK", currency = "EUR"), remove(note, note))]
#[upcast(from = 2, rename("ccy" => "unit", "ccy" => "currency"))]
#[upcast(from = 3, rename("amt" => "amount"), add(amount = 0))]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
