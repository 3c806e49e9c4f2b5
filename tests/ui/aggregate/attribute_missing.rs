use es_core::prelude::*;

#[derive(Aggregate, Default)]
struct Account;

fn main() {}
