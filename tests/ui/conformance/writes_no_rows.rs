use es_memory_store::MemoryStore;

es_core::conformance::store_tests!(
    || async { MemoryStore::new() } => EventStore, ProjectionRows
);

fn main() {}
