use es_core::prelude::*;

use es_core::{JsonObject, Split, UpcastError};

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 4)]
#[upcast(from = 1, add(currency = "CZK"))]
#[upcast(from = 2, rename("amt" => "amount"), add(fee = 0))]
#[upcast(from = 3, split(into(Deposited, FeeCharged), with = fee_apart))]
pub struct Deposited {
    pub amount: u64,
    pub currency: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.fee_charged")]
pub struct FeeCharged {
    pub amount: u64,
}

fn fee_apart(mut old: JsonObject) -> Result<Split, UpcastError> {
    old.remove("fee");
    Ok(Split::new().version::<Deposited>(4, old))
}

fn main() {}
