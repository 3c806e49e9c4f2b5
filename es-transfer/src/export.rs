//! From a store to a file.

use std::io::Write;

use es_core::{EventStore, Position, Query, QueryRange};

use crate::copy::Progress;
use crate::digest::{Digester, StoreDigest};
use crate::error::ExportError;
use crate::record::Format;

/// What an export has written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exported {
    /// How many events.
    pub events: u64,
    /// Their digest, that of [`digest()`](crate::digest()).
    pub digest: crate::digest::Digest,
    /// The position up to which they were written.
    pub position: Position,
}

/// Writes the events that a query selects, up to the head that the store has now, one a line, and
/// tells after every page how far it is. A part of a store can only be imported again if it holds
/// whole streams.
///
/// # Errors
/// When the store can not be read or `out` not be written.
pub async fn export(
    store: &impl EventStore,
    query: &Query,
    format: Format,
    out: &mut impl Write,
    mut progress: impl FnMut(Progress),
) -> Result<Exported, ExportError> {
    let mut digester = Digester::default();
    let (mut range, mut copied) = (QueryRange::all(), 0);
    loop {
        let page = store.read(query, range).await?;
        // Bounded by what the first page saw, or a busy store would never end.
        range.up_to = range.up_to.min(page.head);
        for event in page.events.iter() {
            let mut line = format.write(&event).map_err(std::io::Error::other)?;
            line.push('\n');
            out.write_all(line.as_bytes())?;
            digester.add(&event);
        }
        copied += page.events.len() as u64;
        range.after = page.token(&range);
        progress(Progress { copied, position: range.after, head: range.up_to });
        if !page.more {
            out.flush()?;
            let StoreDigest { events, digest } = digester.finish();
            return Ok(Exported { events, digest, position: range.after });
        }
        tokio::task::yield_now().await;
    }
}
