use es_core::{RecordedAppend, SharedEventStore};

fn fill<S: RecordedAppend>(_: &S) {}

fn start(store: &SharedEventStore) {
    fill(store);
}

fn main() {}
