use es_core::prelude::*;

#[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
enum AccountId {
    Number(u64),
}

fn main() {}
