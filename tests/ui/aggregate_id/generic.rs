use es_core::prelude::*;

#[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
struct AccountId<T>(T);

fn main() {}
