use es_core::{SharedEventStore, StreamRemoval};

fn archive<S: StreamRemoval>(_: &S) {}

fn start(store: &SharedEventStore) {
    archive(store);
}

fn main() {}
