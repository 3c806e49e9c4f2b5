use es_core::prelude::*;

#[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
struct AccountId(u64, u64);

fn main() {}
