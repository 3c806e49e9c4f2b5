use es_core::{ProjectionStore, SharedEventStore};

fn start(store: &SharedEventStore) {
    rebuild_all(store);
}

fn rebuild_all<S: ProjectionStore>(_: &S) {}

fn main() {}
