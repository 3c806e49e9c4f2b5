use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "version_below_the_lock.lock")]
struct Deposited {
    amt: u64,
}

fn main() {}
