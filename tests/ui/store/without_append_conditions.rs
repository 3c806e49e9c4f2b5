use es_core::{ConditionalAppend, SharedEventStore};

fn guard<S: ConditionalAppend>(_: &S) {}

fn book(store: &SharedEventStore) {
    guard(store);
}

fn main() {}
