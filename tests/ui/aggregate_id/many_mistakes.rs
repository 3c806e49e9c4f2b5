use es_core::prelude::*;

#[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
enum AccountId<T> {
    Number(T),
}

fn main() {}
