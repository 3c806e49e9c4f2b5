//! From a file to a store.

use std::io::BufRead;

use es_core::{EventId, RecordedAppend, RecordedEvent};

use crate::batch::{Gathering, Target, with_times};
use crate::copy::last_event;
use crate::digest::{Digester, StoreDigest};
use crate::error::{ImportError, TransferError};
use crate::record::Format;

/// What an import has read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Imported {
    /// How many events the file has.
    pub events: u64,
    /// How many of them were in the store before.
    pub known: u64,
    /// The digest of all events of the file. It is that of [`digest()`](crate::digest()) of the store
    /// if nothing else is in it.
    pub digest: crate::digest::Digest,
}

/// So many events are appended at a time.
const EVENTS: usize = 1024;

/// Takes over the events of a file, as [`export`](crate::export()) has written it, into a store that is
/// empty or that an earlier import of the same file has begun to fill.
///
/// # Errors
/// When the file can not be read or a line is no event, with its number; when the store fails or
/// holds something else. What was imported until then stays: mend the cause and run it again.
pub async fn import(
    lines: &mut impl BufRead,
    format: Format,
    target: &impl RecordedAppend,
    mut progress: impl FnMut(u64),
) -> Result<Imported, ImportError> {
    let last = last_event(target).await.map_err(TransferError::from)?;
    // What stands up to and including this event is in the store.
    let mut skip_to = last.as_ref().map(|last| last.event_id);
    let (mut known, mut digester, mut line) = (0, Digester::default(), 0);
    let (mut gathering, target) = (Gathering::new(target, false), Target::new(target, with_times));
    let mut waiting = Vec::with_capacity(EVENTS);
    let mut text = String::new();
    loop {
        text.clear();
        line += 1;
        let read = lines.read_line(&mut text).map_err(|error| ImportError::Io { line, error })?;
        let content = text.trim_end_matches(['\n', '\r']);
        if !content.is_empty() {
            let event =
                format.read(content).map_err(|problem| ImportError::Line { line, problem })?;
            digester.add(&event.as_recorded());
            known += u64::from(skip_to.is_some());
            if !is_known(&event, &mut skip_to) {
                waiting.push(event);
            }
        }
        if waiting.len() == EVENTS || (read == 0 && !waiting.is_empty()) {
            let batch = gathering.gather(std::mem::take(&mut waiting)).await?;
            target.append(batch).await?;
            progress(line);
        }
        if read == 0 {
            break;
        }
    }
    if let (Some(_), Some(last)) = (skip_to, last) {
        return Err(TransferError::OtherTarget {
            event_id: last.event_id,
            stream: last.stream,
            version: last.version,
        }
        .into());
    }
    let StoreDigest { events, digest } = digester.finish();
    Ok(Imported { events, known, digest })
}

fn is_known(event: &RecordedEvent, skip_to: &mut Option<EventId>) -> bool {
    match *skip_to {
        Some(last) => {
            if last == event.event_id {
                *skip_to = None;
            }
            true
        }
        None => false,
    }
}
