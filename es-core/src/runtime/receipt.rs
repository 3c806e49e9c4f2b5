//! What the sender of an accepted command gets.

use crate::stream::StreamId;
use crate::version::{Position, Version};

/// The answer to an accepted command: what was recorded and where.
///
/// Hand it to [`Runtime::wait_for`](crate::Runtime::wait_for) to read your own write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The stream of the aggregate that decided.
    pub stream: StreamId,
    /// The version of the stream after the command.
    pub version: Version,
    /// How many events the command led to.
    pub events: u64,
    /// The position of the last of them, or `None` if there is none.
    pub position: Option<Position>,
    /// How often the command was decided: more than once when other processes were faster.
    pub attempts: u32,
    /// Whether a command with this id was carried out before: this receipt repeats that one's
    /// stream, version and position. Of all copies of a command one at most is told `false`; none
    /// when the store lost the answer to the first, for then nobody knows which copy it was.
    pub repeated: bool,
}
