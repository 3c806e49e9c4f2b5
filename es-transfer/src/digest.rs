//! A digest of everything that a store holds.

use std::fmt;
use std::str::FromStr;

use es_core::{EventStore, Query, QueryRange, ReadError, Recorded};
use sha2::{Digest as _, Sha256};

/// A SHA-256 over events in their order; it prints as 64 hexadecimal digits.
///
/// Everything of an event goes in but its position, which is the store's own: stream, version, id,
/// name, schema version, payload, tags, both times, metadata.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// That a text is no [`Digest`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a digest has 64 hexadecimal digits")]
pub struct InvalidDigest;

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let mut digest = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(InvalidDigest);
        }
        for (place, byte) in digest.iter_mut().enumerate() {
            let digits = &text[2 * place..2 * place + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidDigest)?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// How much a store holds, and its digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreDigest {
    /// How many events.
    pub events: u64,
    /// Their digest.
    pub digest: Digest,
}

/// Reads everything that a store holds now.
///
/// # Errors
/// When the store can not be read.
pub async fn digest(store: &impl EventStore) -> Result<StoreDigest, ReadError> {
    let mut digester = Digester::default();
    let (query, mut range) = (Query::all(), QueryRange::all());
    loop {
        let page = store.read(&query, range).await?;
        page.events.iter().for_each(|event| digester.add(&event));
        if !page.more {
            return Ok(digester.finish());
        }
        // Bounded by what the first page saw, or a busy store would never end.
        range.up_to = range.up_to.min(page.head);
        range.after = page.token(&range);
        // A store that answers at once would let nothing else run on this thread meanwhile.
        tokio::task::yield_now().await;
    }
}

#[derive(Default)]
pub(crate) struct Digester {
    sum: Sha256,
    events: u64,
}

impl Digester {
    pub(crate) fn add(&mut self, event: &Recorded<'_>) {
        self.events += 1;
        self.text(event.stream.as_str().as_bytes());
        self.number(event.version.get());
        self.text(event.event_id.as_uuid().as_bytes());
        self.text(event.name.as_bytes());
        self.number(event.schema_version.get().into());
        self.text(event.payload.as_bytes());
        self.number(event.tags.len() as u64);
        event.tags.iter().for_each(|tag| self.text(tag.as_str().as_bytes()));
        self.number(event.recorded_at.as_microsecond().cast_unsigned());
        match event.occurred_at {
            Some(time) => {
                self.number(1);
                self.number(time.as_microsecond().cast_unsigned());
            }
            None => self.number(0),
        }
        // Sorted, and written by one program only: the same metadata is the same text.
        let metadata = serde_json::to_vec(event.metadata).unwrap_or_default();
        self.text(if event.metadata.is_empty() { b"" } else { &metadata });
    }

    pub(crate) fn finish(self) -> StoreDigest {
        StoreDigest { events: self.events, digest: Digest(self.sum.finalize().into()) }
    }

    fn number(&mut self, number: u64) {
        self.sum.update(number.to_le_bytes());
    }

    /// With its length before it, so that no two events are written alike.
    fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.sum.update(text);
    }
}
