use es_core::prelude::*;

struct Postgres;

fn main() {
    let _ = Runtime::builder(Postgres);
}
