//! Archives of histories of [es-core](es_core): old events in compressed, checksummed files.
//!
//! ```
//! use es_archive::{Archive, Policy, ReadThrough};
//! use es_core::{Runtime, StreamId};
//! use es_sqlite_store::SqliteStore;
//!
//! # async fn example(new_year: es_core::jiff::Timestamp) -> Result<(), Box<dyn std::error::Error>> {
//! let archive = Archive::create("archive")?;
//! let store = ReadThrough::new(SqliteStore::open("bank.db")?, archive.clone());
//! let runtime = Runtime::builder(store).start().await?;
//!
//! let closed = Policy::ended_with(["account.closed"]).before(new_year);
//! let archived = archive.archiver(&runtime).archive(&closed).await?;
//! println!("{} events of {} streams, {} bytes", archived.events, archived.streams, archived.bytes);
//!
//! archive.verify_with(&**runtime.store()).await?;                // every byte, and every stub
//! archive.restore(&**runtime.store(), &StreamId::new("account", 7)?).await?;
//! # Ok(()) }
//! ```
//!
//! # What is promised
//! - **Never without a call.** Nothing is archived, truncated or compacted by itself.
//! - **Never neither.** At every moment an event is in the store, or whole and on disk in a segment that
//!   the store names; see [`Archiver`].
//! - **Nobody is cut off.** While a projection or a durable subscription has not consumed the events, they
//!   stay, and the error names it and how far it is.
//! - **Readers know.** Whoever asks the store alone for an event that is archived is told where it is;
//!   whoever asks through [`ReadThrough`] gets it. Nobody gets less and is not told.
//! - **Every byte is checked.** A segment that was changed is named, with the place in it.
//! - **Readable for ever.** `zstd -dc SEGMENT` prints its events as JSON Lines.
//!
//! What stays in the store of an archived event is its place, its type, its id and its tags, so that
//! positions, append conditions and repeated commits are as before.

mod archive;
mod archiver;
mod compaction;
mod error;
mod policy;
mod read_through;
mod restore;
mod segment;
mod verify;

pub use crate::archive::{Archive, SegmentSummary};
pub use crate::archiver::{Archived, Archiver};
pub use crate::error::{ArchiveError, SegmentPlace};
pub use crate::policy::Policy;
pub use crate::read_through::ReadThrough;
pub use crate::restore::Restored;
pub use crate::verify::Verified;
