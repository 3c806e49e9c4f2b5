use es_core::prelude::*;

#[derive(Projection, Default)]
struct Balances;

fn main() {}
