//! Moves histories of [es-core](es_core): from one store to another, into files and back.
//!
//! ```
//! use es_memory_store::MemoryStore;
//! use es_transfer::{Copy, digest};
//!
//! # async fn example(old: MemoryStore, new: MemoryStore) -> Result<(), Box<dyn std::error::Error>> {
//! let copy = Copy::new(&old, &new);
//! copy.run(|progress| println!("{} of {}", progress.position, progress.head)).await?;
//! let verified = copy.verify().await?;               // event by event, in order
//! println!("{} events, digest {}", verified.events, verified.digest);
//! assert_eq!(verified.digest, digest(&new).await?.digest);
//! # Ok(()) }
//! ```
//!
//! # What is promised
//! - **Everything of an event comes over**: stream, version, id, name, schema version, payload byte by
//!   byte, tags, both times and metadata. Positions are those of the new store, in the same order.
//!   Payloads are not read: events of any age come over as they are.
//! - **Resumable anywhere.** The target itself says how far a copy or import has come: its last event.
//!   Run it again after a crash and it goes on behind that; nothing is stored twice. A target with
//!   other events in it is refused.
//! - **Verified.** [`Copy::verify`] reads both stores side by side and names the first event that
//!   differs; [`digest()`] is a SHA-256 over all events in order, to be compared anywhere.
//! - **Bounded memory**: a page at a time; one number for each stream if events are left out or
//!   changed.
//!
//! State records (snapshots, checkpoints) stay behind: they are made anew.

mod batch;
mod cloud_events;
mod comparison;
mod copy;
mod cut_over;
mod digest;
mod error;
mod export;
mod import;
mod json_lines;
mod record;

pub use crate::comparison::Verified;
pub use crate::copy::{Copy, CopyReport, Progress};
pub use crate::cut_over::{CutOver, CutOverStep, copy_records};
pub use crate::digest::{Digest, InvalidDigest, StoreDigest, digest};
pub use crate::error::{
    CallOffError, CutOverError, Difference, ExportError, ImportError, LineProblem, TransferError,
};
pub use crate::export::{Exported, export};
pub use crate::import::{Imported, import};
pub use crate::record::Format;
