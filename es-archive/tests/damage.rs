//! Whatever is changed in a segment is found and named.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;

use es_archive::{Archive, ArchiveError, Policy, ReadThrough, SegmentPlace};
use es_core::bytes::Bytes;
use es_core::{
    Commit, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Registry, Runtime,
    SchemaVersion, StreamId, StreamRange, Tags,
};
use es_memory_store::MemoryStore;
use tempfile::TempDir;

struct Archived {
    _directory: TempDir,
    archive: Archive,
    runtime: Runtime<ReadThrough<MemoryStore>>,
    name: String,
    file: PathBuf,
}

async fn archived(streams: u64, payload: usize) -> Archived {
    let directory = tempfile::tempdir().unwrap();
    let archive = Archive::create(directory.path()).unwrap();
    let store = ReadThrough::new(MemoryStore::new(), archive.clone());
    let registry = Registry::builder().build().unwrap();
    let runtime = Runtime::builder(store).registry(registry).start().await.unwrap();
    let mut random = fastrand::Rng::with_seed(4);
    for number in 0..streams * 10 {
        let text: String = (0..payload).map(|_| random.alphanumeric()).collect();
        let event = NewEvent {
            id: EventId::generate(),
            name: "noted".into(),
            schema_version: SchemaVersion::FIRST,
            payload: Bytes::from(format!("\"{text}\"")),
            tags: Tags::new(),
            occurred_at: None,
            metadata: Metadata::EMPTY,
        };
        let stream = StreamId::new("thing", number % streams).unwrap();
        let commit = Commit::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
        runtime.store().append(&commit).await.unwrap();
    }
    archive.archiver(&runtime).archive(&Policy::whole_where(|_| true)).await.unwrap();
    let name = archive.list().unwrap().remove(0).name;
    let file = directory.path().join(format!("{name}.jsonl.zst"));
    Archived { _directory: directory, archive, runtime, name, file }
}

#[tokio::test]
async fn every_byte_that_is_flipped_is_found_and_its_segment_named() {
    let Archived { _directory, archive, name, file, .. } = archived(2, 2).await;
    let whole = std::fs::read(&file).unwrap();
    let mut random = fastrand::Rng::with_seed(8);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << random.u8(..8);
        std::fs::write(&file, bytes).unwrap();
        match archive.verify().await {
            Err(ArchiveError::Damaged { segment, .. }) => assert_eq!(segment, name, "byte {at}"),
            other => panic!("byte {at} of {}: {other:?}", whole.len()),
        }
    }
    for length in [0, 1, 19, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&file, &whole[..length]).unwrap();
        assert!(matches!(archive.verify().await, Err(ArchiveError::Damaged { .. })), "{length}");
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(archive.verify().await.unwrap().events, 18);
}

#[tokio::test]
async fn the_block_with_a_flipped_byte_is_named_and_others_are_still_read() {
    let Archived { _directory, archive, runtime, name, file } = archived(40, 2000).await;
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    std::fs::write(&file, bytes).unwrap();
    let Err(ArchiveError::Damaged { segment, place, .. }) = archive.verify().await else {
        panic!("the damage is not found")
    };
    let SegmentPlace::Block { number, first, last } = place else { panic!("{place}") };
    assert!(segment == name && number > 0, "{segment} {number}");
    // What is in it can not be read, and what is not can.
    let (mut refused, mut read) = (0, 0);
    for number in 0..40 {
        let stream = StreamId::new("thing", number).unwrap();
        for version in 1..=9 {
            let range = StreamRange {
                from: es_core::Version::new(version),
                to: es_core::Version::new(version),
                ..StreamRange::all()
            };
            let position = es_core::Position::new((version - 1) * 40 + number + 1);
            match runtime.store().read_stream(&stream, range).await {
                Ok(page) => {
                    assert_eq!(page.events.last().unwrap().position, position);
                    assert!(position < first || position > last);
                    read += 1;
                }
                Err(error) => {
                    assert!((first..=last).contains(&position));
                    assert!(error.to_string().contains(&name), "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 0 && read > refused);
}

#[tokio::test]
async fn a_segment_that_is_missing_renamed_or_of_another_store_is_named() {
    let Archived { _directory, archive, runtime, name, file } = archived(3, 20).await;
    let store = &**runtime.store();
    archive.verify_with(store).await.unwrap();
    let other = file.with_file_name("00000000000000000001-0011223344556677.jsonl.zst");
    std::fs::rename(&file, &other).unwrap();
    assert!(matches!(archive.verify().await, Err(ArchiveError::Damaged { .. })));
    std::fs::remove_file(&other).unwrap();
    let missing = archive.verify_with(store).await.unwrap_err();
    assert!(matches!(missing, ArchiveError::MissingSegment { .. }), "{missing}");
    assert!(missing.to_string().contains(&name), "{missing}");
    let missing = archive.restore_all(store).await.unwrap_err();
    assert!(matches!(missing, ArchiveError::MissingSegment { .. }), "{missing}");

    let Archived { archive: foreign, _directory: _kept, .. } = archived(3, 20).await;
    let refused = foreign.verify_with(store).await.unwrap_err();
    assert!(matches!(refused, ArchiveError::OtherStore { .. }), "{refused}");
    let refused = foreign.archiver(&runtime).archive(&Policy::whole_where(|_| true)).await;
    assert!(refused.is_ok_and(|nothing| nothing.events == 0));
}
