use es_core::prelude::*;

#[derive(Projection, Default)]
#[projection(name = "balances", events())]
struct Balances;

fn main() {}
