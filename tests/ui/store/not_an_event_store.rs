use es_core::prelude::*;

struct Postgres;

async fn start() {
    let _ = Runtime::builder(Postgres).start().await;
}

fn main() {}
