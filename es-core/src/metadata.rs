//! What is known about an event beside its payload.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who and what led to an event: correlation, causation, actor and free key-values.
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
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<String, String>,
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

    /// The id of the message (event or command) that led to this event.
    pub fn causation_id(&self) -> Option<Uuid> {
        self.0.as_ref()?.causation_id
    }

    /// Who did it.
    pub fn actor(&self) -> Option<&str> {
        self.0.as_ref()?.actor.as_deref()
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

    fn facts(&mut self) -> &mut Facts {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}
