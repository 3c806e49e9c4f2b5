//! What is known about an event beside its payload.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::command::CommandFingerprint;
use crate::identity::CommandId;
use crate::recorded::Recorded;

/// Who and what led to an event: correlation, causation, actor, command and free key-values.
///
/// Empty metadata takes one word; cloning shares.
///
/// ```
/// use es_core::Metadata;
///
/// let metadata = Metadata::default().with_actor("teller 7").with("branch", "Praha 1");
/// assert_eq!(metadata.actor(), Some("teller 7"));
/// assert_eq!(metadata.get("branch"), Some("Praha 1"));
/// ```
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(Option<Arc<Facts>>);

#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<RecordedCommand>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_hash: Option<ChainHash>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<String, String>,
}

/// The hash that links an event to the one before it in its stream: 32 bytes, written as
/// hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash([u8; 32]);

impl ChainHash {
    /// Wraps the bytes of a hash.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for ChainHash {
    type Err = InvalidChainHash;

    fn from_str(text: &str) -> Result<Self, InvalidChainHash> {
        let mut hash = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidChainHash);
        }
        for (place, byte) in hash.iter_mut().enumerate() {
            let digits = text.get(2 * place..2 * place + 2).ok_or(InvalidChainHash)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidChainHash)?;
        }
        Ok(Self(hash))
    }
}

/// A text that is no [`ChainHash`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no hash of a chain; it is written as 64 hexadecimal digits")]
pub struct InvalidChainHash;

impl Serialize for ChainHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChainHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The command that led to an event, as far as it was recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordedCommand {
    /// Its name.
    pub name: String,
    /// The id that its sender gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
    /// What tells it from another command under this id; with the first of its events only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<CommandFingerprint>,
}

impl Metadata {
    /// Metadata that knows nothing.
    pub const EMPTY: Self = Self(None);

    /// Whether nothing is known.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.as_deref().is_none_or(|facts| *facts == Facts::default())
    }

    /// The id that everything one request led to has in common.
    pub fn correlation_id(&self) -> Option<Uuid> {
        self.0.as_ref()?.correlation_id
    }

    /// The id of the message that led to the command: the event that it reacts to, as
    /// [`caused_by`](Self::caused_by) sets it, or whatever the sender said.
    pub fn causation_id(&self) -> Option<Uuid> {
        self.0.as_ref()?.causation_id
    }

    /// Who did it.
    pub fn actor(&self) -> Option<&str> {
        self.0.as_ref()?.actor.as_deref()
    }

    /// The command that led to this event. The runtime records it for every command that has an id
    /// or any metadata; for one of which nothing is known beside itself it does not.
    pub fn command(&self) -> Option<&RecordedCommand> {
        self.0.as_ref()?.command.as_ref()
    }

    /// The hash that links this event to the one before it in its stream, if the runtime was told to
    /// link them.
    pub fn chain_hash(&self) -> Option<ChainHash> {
        self.0.as_ref()?.chain_hash
    }

    /// The value of a free key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.as_ref()?.values.get(key).map(String::as_str)
    }

    /// The free keys and their values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|facts| {
            facts.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
        })
    }

    /// The metadata of what happens because of an event: its id as the causation, its correlation id
    /// (or, when it has none, its own id, which then begins the chain) and its actor.
    pub fn caused_by(event: &Recorded<'_>) -> Self {
        let event_id = *event.event_id.as_uuid();
        let cause = event.metadata;
        let caused = Self::default()
            .with_causation_id(event_id)
            .with_correlation_id(cause.correlation_id().unwrap_or(event_id));
        match cause.actor() {
            Some(actor) => caused.with_actor(actor),
            None => caused,
        }
    }

    /// Sets the correlation id.
    #[must_use]
    pub fn with_correlation_id(mut self, id: Uuid) -> Self {
        self.facts().correlation_id = Some(id);
        self
    }

    /// Sets the causation id.
    #[must_use]
    pub fn with_causation_id(mut self, id: Uuid) -> Self {
        self.facts().causation_id = Some(id);
        self
    }

    /// Sets who did it.
    #[must_use]
    pub fn with_actor(mut self, actor: impl Into<String>) -> Self {
        self.facts().actor = Some(actor.into());
        self
    }

    /// Sets the value of a free key.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts().values.insert(key.into(), value.into());
        self
    }

    /// What either knows; where both know something, what `other` does.
    #[must_use]
    pub fn joined(mut self, other: &Self) -> Self {
        let Some(facts) = &other.0 else { return self };
        if self.is_empty() {
            return other.clone();
        }
        let own = self.facts();
        own.correlation_id = facts.correlation_id.or(own.correlation_id);
        own.causation_id = facts.causation_id.or(own.causation_id);
        own.actor = facts.actor.clone().or_else(|| own.actor.take());
        own.command = facts.command.clone().or_else(|| own.command.take());
        own.values.extend(facts.values.clone());
        self
    }

    /// Sets the command.
    #[must_use]
    pub fn with_command(mut self, command: RecordedCommand) -> Self {
        self.facts().command = Some(command);
        self
    }

    /// Sets the hash that links the event to the one before it, or removes it.
    #[must_use]
    pub fn with_chain_hash(mut self, hash: Option<ChainHash>) -> Self {
        if self.chain_hash() != hash {
            self.facts().chain_hash = hash;
        }
        self
    }

    fn facts(&mut self) -> &mut Facts {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}
