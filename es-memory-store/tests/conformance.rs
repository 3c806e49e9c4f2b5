//! The memory store is held to the contracts of both ports.

use es_memory_store::MemoryStore;

es_core::conformance::store_tests!(
    || async { MemoryStore::new() } => EventStore, ConditionalAppend, StateStore
);
