use es_core::prelude::*;

#[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
struct AccountId {
    number: u64,
}

fn main() {}
