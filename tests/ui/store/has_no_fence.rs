use es_core::{FencedStore, SharedEventStore};

fn close<S: FencedStore>(_: &S) {}

fn start(store: &SharedEventStore) {
    close(store);
}

fn main() {}
