use es_core::prelude::*;

struct AccountId(u64);

fn needs<T: AggregateId>() {}

fn main() {
    needs::<AccountId>();
}
