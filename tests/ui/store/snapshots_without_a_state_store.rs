use es_core::{EventStore, Runtime};

fn start<S: EventStore>(store: S) {
    let _ = Runtime::builder(store).snapshots();
}

fn main() {}
