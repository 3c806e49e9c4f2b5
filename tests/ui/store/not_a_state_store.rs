use es_core::{SharedEventStore, StateStore};

fn leases<S: StateStore>(_: &S) {}

fn start(store: &SharedEventStore) {
    leases(store);
}

fn main() {}
