//! Events that could not be projected, and what somebody decided about them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::version::{Position, Version};

/// An event before which a projection, or one key of it, stands still.
///
/// The event itself stays in the log, and is read again through all steps when it is tried again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The stored name of the projection.
    pub projection: String,
    /// The generation that could not apply it; none in memory.
    pub generation: Option<u64>,
    /// The partition that could not apply it, if there are several.
    #[serde(default)]
    pub partition: Option<u32>,
    /// The only key that stands still, or `None` if all of its partition or of the
    /// projection does.
    pub key: Option<String>,
    /// The event's place in the global order.
    pub position: Position,
    /// Its stream.
    pub stream: String,
    /// Its place in the stream.
    pub version: Version,
    /// Its stored name.
    pub event: String,
    /// What went wrong, with the place of the event.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried last.
    pub at: Timestamp,
}
