use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, add(amount = "0", currency = 203, rate = 300, fee = -1, sign = "+-", gift = null, note = null))]
struct Deposited {
    amount: u64,
    currency: String,
    rate: u8,
    fee: Option<u64>,
    sign: char,
    gift: bool,
    note: Option<String>,
}

fn main() {}
