//! Tamper evidence: the events of a stream are linked by hashes, and one call finds the first that
//! is not what was recorded.

use std::collections::HashMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::commit::NewEvent;
use crate::context::LinkEvents;
use crate::error::ErrorCategory;
use crate::identity::EventId;
use crate::metadata::{ChainHash, Metadata};
use crate::query::Query;
use crate::recorded::Recorded;
use crate::runtime::{Runtime, RuntimeBuilder};
use crate::store::{EventStore, QueryRange, ReadError, StreamRange};
use crate::stream::{StreamId, StreamRef};
use crate::tag::Tag;
use crate::version::{Position, SchemaVersion, Version};

impl<S: EventStore> RuntimeBuilder<S> {
    /// Links every event that commands lead to with the one before it in its stream, by a SHA-256 in
    /// its [metadata](Metadata::chain_hash).
    ///
    /// [`Runtime::verify_chain`] then finds the first event of a stream that was changed, put in or
    /// taken out behind the back of the program. The hash is over the hash before it, the stream,
    /// version, event id, name, schema version, payload, tags, time of the business and metadata; it
    /// is not over position and recorded time, which the store gives later.
    ///
    /// Whoever can write to the store can also link it anew, and can cut off the end. So keep the
    /// [heads](ChainHead) where they can not, and verify against them.
    ///
    /// All writers of a stream must link, also those that append by hand: an event without a hash
    /// behind one with a hash is reported. A stream may have begun without.
    ///
    /// It costs a hash of every event, 64 characters in its metadata, and one read of one event when
    /// an aggregate is loaded for a command.
    pub fn hash_chain(mut self) -> Self {
        self.surroundings.hash_chain = Some(&Sha256Chain);
        self
    }
}

impl<S: EventStore> Runtime<S> {
    /// Checks that the events of a stream are those that were recorded, and answers with the hash of
    /// the last; `None` if no event of the stream is linked.
    ///
    /// With the head of an earlier check in `known` it also finds that the stream was linked anew or
    /// cut off.
    ///
    /// # Errors
    /// [`ChainError::Broken`] with the first event that is not what was recorded.
    pub async fn verify_chain(
        &self,
        stream: &StreamId,
        known: Option<&ChainHead>,
    ) -> Result<Option<ChainHead>, ChainError> {
        let (store, retry) = (&*self.shared.store, &self.shared.retry);
        let mut link = Link::default();
        let mut range = StreamRange::all();
        loop {
            let page = retry.read(|| store.read_stream(stream, range)).await?;
            for recorded in page.events.iter() {
                link.check(&recorded)?;
                if let Some(known) = known {
                    known.check(&recorded)?;
                }
            }
            match page.next {
                Some(next) => {
                    range = StreamRange { to: range.to.min(page.version), ..range.continued(next) };
                    tokio::task::yield_now().await;
                }
                None => break,
            }
        }
        match known {
            Some(known) if known.version > link.version => Err(ChainError::Short {
                stream: stream.clone(),
                known: known.version,
                found: link.version,
            }),
            _ => Ok(link.hash.map(|hash| ChainHead {
                stream: stream.clone(),
                version: link.version,
                hash,
            })),
        }
    }

    /// Checks all streams in one pass over the store, and shows the head of each that is linked.
    /// Memory grows with the number of streams, by about 200 bytes each.
    ///
    /// # Errors
    /// [`ChainError::Broken`] with the first event, in the global order, that is not what was
    /// recorded.
    pub async fn verify_chains(
        &self,
        mut show: impl FnMut(ChainHead),
    ) -> Result<CheckedChains, ChainError> {
        let (store, retry) = (&*self.shared.store, &self.shared.retry);
        let query = Query::all();
        let mut links = HashMap::<StreamId, Link>::new();
        let mut checked = CheckedChains::default();
        let mut range = QueryRange::all();
        loop {
            let page = retry.read(|| store.read(&query, range)).await?;
            for recorded in page.events.iter() {
                links.entry(recorded.stream.to_stream_id()).or_default().check(&recorded)?;
                checked.events += 1;
                checked.linked += u64::from(recorded.metadata.chain_hash().is_some());
            }
            if !page.more {
                break;
            }
            // Bounded by what the first page saw, or a busy store would never end.
            range.up_to = range.up_to.min(page.head);
            range.after = page.token(&range);
            tokio::task::yield_now().await;
        }
        checked.streams = links.len() as u64;
        for (stream, Link { version, hash }) in links {
            if let Some(hash) = hash {
                show(ChainHead { stream, version, hash });
            }
        }
        Ok(checked)
    }
}

/// What a check of all chains has seen.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct CheckedChains {
    /// How many streams.
    pub streams: u64,
    /// How many events.
    pub events: u64,
    /// How many of them are linked.
    pub linked: u64,
}

/// The end of a chain. Kept elsewhere, it shows later that nothing up to it was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainHead {
    /// The stream.
    pub stream: StreamId,
    /// The version of the last event.
    pub version: Version,
    /// The hash of that event.
    pub hash: ChainHash,
}

impl fmt::Display for ChainHead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.stream, self.version, self.hash)
    }
}

impl ChainHead {
    fn check(&self, recorded: &Recorded<'_>) -> Result<(), ChainError> {
        let here = recorded.version == self.version;
        if here && recorded.metadata.chain_hash() != Some(self.hash) {
            return Err(broken(recorded, BrokenLink::LinkedAnew));
        }
        Ok(())
    }
}

/// Why a chain does not hold.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An event is not what was recorded.
    #[error(
        "event {event_id} at version {version} of stream `{stream}`, position {position}, is not what was recorded: {problem}"
    )]
    Broken {
        /// The stream.
        stream: StreamId,
        /// The place of the event in it.
        version: Version,
        /// Its place in the global order.
        position: Position,
        /// Its id, as it stands there now.
        event_id: EventId,
        /// What is wrong.
        problem: BrokenLink,
    },
    /// The stream was longer once.
    #[error("stream `{stream}` ends at version {found}, but version {known} was there before")]
    Short {
        /// The stream.
        stream: StreamId,
        /// The version that is known from before.
        known: Version,
        /// The version that it has now.
        found: Version,
    },
}

impl ChainError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Read(error) => error.category(),
            Self::Broken { .. } | Self::Short { .. } => ErrorCategory::Permanent,
        }
    }
}

/// What is wrong with an event of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokenLink {
    /// Its hash is not the one of what is stored.
    #[error("its hash is that of another event, or of one behind another event")]
    OtherHash,
    /// It has no hash, and the event before it has.
    #[error("it has no hash, but the event before it has")]
    NoHash,
    /// An event before it is missing.
    #[error("it does not follow version {}", after)]
    Gap {
        /// The version that it should follow.
        after: Version,
    },
    /// The chain holds, but is another than the one that is known.
    #[error("the chain holds, but it is not the one that is known")]
    LinkedAnew,
}

fn broken(recorded: &Recorded<'_>, problem: BrokenLink) -> ChainError {
    ChainError::Broken {
        stream: recorded.stream.to_stream_id(),
        version: recorded.version,
        position: recorded.position,
        event_id: recorded.event_id,
        problem,
    }
}

/// How far a chain was followed.
#[derive(Clone, Copy, Default)]
struct Link {
    version: Version,
    hash: Option<ChainHash>,
}

impl Link {
    fn check(&mut self, recorded: &Recorded<'_>) -> Result<(), ChainError> {
        if recorded.version != self.version.next() {
            return Err(broken(recorded, BrokenLink::Gap { after: self.version }));
        }
        let stored = recorded.metadata.chain_hash();
        match stored {
            Some(stored) if hash(self.hash, &Content::of(recorded)) != stored => {
                return Err(broken(recorded, BrokenLink::OtherHash));
            }
            None if self.hash.is_some() => return Err(broken(recorded, BrokenLink::NoHash)),
            _ => {}
        }
        *self = Self { version: recorded.version, hash: stored };
        Ok(())
    }
}

struct Sha256Chain;

impl LinkEvents for Sha256Chain {
    fn link(
        &self,
        stream: &StreamId,
        mut version: Version,
        mut previous: Option<ChainHash>,
        events: &mut [NewEvent],
    ) {
        for event in events {
            version = version.next();
            let hash = hash(previous, &Content::of_new(stream, version, event));
            event.metadata = std::mem::take(&mut event.metadata).with_chain_hash(Some(hash));
            previous = Some(hash);
        }
    }
}

/// What a hash is over.
struct Content<'a> {
    stream: StreamRef<'a>,
    version: Version,
    event_id: EventId,
    name: &'a str,
    schema_version: SchemaVersion,
    payload: &'a [u8],
    tags: &'a [Tag],
    /// In microseconds since 1970: what every store keeps.
    occurred_at: Option<i64>,
    metadata: &'a Metadata,
}

impl<'a> Content<'a> {
    fn of(recorded: &Recorded<'a>) -> Self {
        Self {
            stream: recorded.stream,
            version: recorded.version,
            event_id: recorded.event_id,
            name: recorded.name,
            schema_version: recorded.schema_version,
            payload: recorded.payload.as_bytes(),
            tags: recorded.tags,
            occurred_at: recorded.occurred_at.map(|time| time.as_microsecond()),
            metadata: recorded.metadata,
        }
    }

    fn of_new(stream: &'a StreamId, version: Version, event: &'a NewEvent) -> Self {
        Self {
            stream: stream.borrowed(),
            version,
            event_id: event.id,
            name: &event.name,
            schema_version: event.schema_version,
            payload: &event.payload,
            tags: event.tags.as_slice(),
            occurred_at: event.occurred_at.map(|time| time.as_microsecond()),
            metadata: &event.metadata,
        }
    }
}

/// The hash of an event behind another one. Recorded: what goes in, and in which order, must not
/// change. Every text has its length before it, so that no two contents are written alike.
fn hash(previous: Option<ChainHash>, content: &Content<'_>) -> ChainHash {
    let mut sum = Sum(Sha256::new());
    sum.text(b"es hash chain 1");
    sum.optional(previous.as_ref().map(|hash| &hash.as_bytes()[..]));
    sum.text(content.stream.as_str().as_bytes());
    sum.number(content.version.get());
    sum.text(content.event_id.as_uuid().as_bytes());
    sum.text(content.name.as_bytes());
    sum.number(content.schema_version.get().into());
    sum.text(content.payload);
    sum.number(content.tags.len() as u64);
    content.tags.iter().for_each(|tag| sum.text(tag.as_str().as_bytes()));
    sum.optional(content.occurred_at.map(i64::to_le_bytes).as_ref().map(|bytes| &bytes[..]));
    let metadata = content.metadata;
    sum.optional(metadata.correlation_id().as_ref().map(|id| &id.as_bytes()[..]));
    sum.optional(metadata.causation_id().as_ref().map(|id| &id.as_bytes()[..]));
    sum.optional(metadata.actor().map(str::as_bytes));
    let command = metadata.command();
    sum.optional(command.map(|command| command.name.as_bytes()));
    let id = command.and_then(|command| command.id);
    sum.optional(id.as_ref().map(|id| &id.as_uuid().as_bytes()[..]));
    let fingerprint = command.and_then(|command| command.fingerprint).map(|it| it.to_string());
    sum.optional(fingerprint.as_deref().map(str::as_bytes));
    sum.number(metadata.iter().count() as u64);
    for (key, value) in metadata.iter() {
        sum.text(key.as_bytes());
        sum.text(value.as_bytes());
    }
    ChainHash::new(sum.0.finalize().into())
}

struct Sum(Sha256);

impl Sum {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.0.update(text);
    }

    fn optional(&mut self, text: Option<&[u8]>) {
        match text {
            Some(text) => {
                self.0.update([1]);
                self.text(text);
            }
            None => self.0.update([0]),
        }
    }
}
