use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.limit_set", lock = "newtype.lock")]
struct LimitSet(i64);

fn main() {}
