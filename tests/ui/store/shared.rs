use std::sync::Arc;

use es_core::prelude::*;
use es_memory_store::MemoryStore;

fn main() {
    let _ = Runtime::builder(Arc::new(MemoryStore::new()));
}
