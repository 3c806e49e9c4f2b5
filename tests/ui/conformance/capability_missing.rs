use es_core::SharedEventStore;

fn connect() -> SharedEventStore {
    unimplemented!()
}

es_core::conformance::store_tests!(
    || async { connect() } => EventStore, ConditionalAppend
);

fn main() {}
