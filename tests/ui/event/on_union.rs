use es_core::prelude::*;

#[derive(Event)]
#[event(name = "account.opened")]
union Opened {
    a: u64,
    b: i64,
}

fn main() {}
