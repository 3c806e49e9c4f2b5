use es_core::prelude::*;

struct Balances;

fn needs<T: Projection>() {}

fn main() {
    needs::<Balances>();
}
