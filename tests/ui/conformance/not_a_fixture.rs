use es_memory_store::MemoryStore;

es_core::conformance::store_tests!(MemoryStore::new() => EventStore);

fn main() {}
