use es_core::prelude::*;

#[derive(Projection, Default)]
#[projection(name = "balances", events(Self))]
struct Balances;

fn main() {}
