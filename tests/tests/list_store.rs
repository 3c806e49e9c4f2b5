//! The store of the chapter "Writing a store" is held to the contracts of the ports, and the chapter
//! to the store.

use std::fs;

use es_tests::list_store::ListStore;

es_core::conformance::store_tests!(
    || async { ListStore::new() } =>
    EventStore, ConditionalAppend, StateStore, RecordedAppend, ProjectionStore
);

/// How the piece of the chapter begins that is not code of the store but of its tests.
const TESTS: &str = "use my_store::ListStore;";

#[test]
fn the_pieces_of_the_chapter_are_the_file_of_the_store() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let chapter = fs::read_to_string(format!("{root}/docs/writing-a-store.md")).unwrap();
    let pieces: Vec<_> = chapter
        .split("```rust,ignore\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .filter(|piece| !piece.starts_with(TESTS))
        .collect();
    let file = fs::read_to_string(format!("{root}/tests/src/list_store.rs")).unwrap();
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(String::from).collect()
    };
    assert_eq!(lines(&pieces.concat()), lines(&file));
}
