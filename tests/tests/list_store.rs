//! The store of the chapter "Writing a store" is held to the contracts of the ports.

use es_tests::list_store::ListStore;

es_core::conformance::store_tests!(
    || async { ListStore::default() } => EventStore, ConditionalAppend, StateStore
);
