use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "written_but_not_read.lock")]
struct Deposited {
    #[serde(rename(deserialize = "sum"))]
    amount: u64,
}

fn main() {}
