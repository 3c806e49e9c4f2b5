use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.limited", version = 2)]
#[upcast(from = 1, via = LimitedV1)]
pub struct Limited {
    pub limit: u64,
}

#[derive(Deserialize)]
pub struct LimitedV1 {
    pub limit: String,
}

fn main() {}
