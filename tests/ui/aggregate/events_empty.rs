use es_core::prelude::*;

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events())]
struct Account;

fn main() {}
