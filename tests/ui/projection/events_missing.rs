use es_core::prelude::*;

#[derive(Projection, Default)]
#[projection(name = "balances")]
struct Balances;

fn main() {}
