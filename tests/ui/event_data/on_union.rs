use es_core::prelude::*;

#[derive(EventData)]
union Money {
    cents: u64,
    koruna: u32,
}

fn main() {}
