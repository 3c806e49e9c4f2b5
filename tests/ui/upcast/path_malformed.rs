use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2)]
#[upcast(from = 1, rename("lines[0].amt" => "lines[0].amount"), remove("note.", "tags[]"))]
struct Deposited {
    amount: u64,
    currency: String,
}

fn main() {}
