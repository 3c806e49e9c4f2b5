//! Event sets: the events of an aggregate or a projection as one enum, written and read here.

use bytes::Bytes;

use crate::codec::CodecError;
use crate::error::ErrorCategory;
use crate::event::EventType;
use crate::query::{Query, QueryItem};
use crate::recorded::Recorded;
use crate::stream::StreamId;
use crate::tag::Tags;
use crate::version::{Position, SchemaVersion, Version};

/// An enum with one variant for each event of a set.
///
/// `#[derive(Aggregate)]` and `#[derive(Projection)]` generate such an enum from their list of
/// events; `#[derive(EventSet)]` makes one of an enum that you write.
///
/// ```
/// use es_core::prelude::*;
///
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "lamp.lit")]
/// # struct Lit;
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "lamp.quenched")]
/// # struct Quenched;
/// #[derive(EventSet)]
/// enum LampEvent {
///     Lit(Lit),
///     Quenched(Quenched),
/// }
///
/// let names: Vec<_> = LampEvent::EVENTS.iter().map(|event| event.name()).collect();
/// assert_eq!(names, ["lamp.lit", "lamp.quenched"]);
/// assert_eq!(LampEvent::from(Lit).event_type().name(), "lamp.lit");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of events",
    label = "not a set of events",
    note = "write `#[derive(EventSet)]` above `enum {Self}`, with one variant `Name(Event)` for each event"
)]
pub trait EventSet: Sized + Send + Sync + 'static {
    /// The events of the set, in the order of the variants. Their names differ.
    const EVENTS: &'static [EventType];

    /// The type of this event.
    fn event_type(&self) -> &'static EventType;

    /// Writes the event with the schema version of its type.
    ///
    /// # Errors
    /// When the event's codec can not write the value.
    fn encode(&self, buffer: &mut Vec<u8>) -> Result<EncodedEvent, EncodeError>;

    /// Reads a recorded event of this set.
    ///
    /// # Errors
    /// When the name is not one of the set's, the schema version can not be read, or the payload
    /// does not hold the event.
    fn decode(recorded: &Recorded<'_>) -> Result<Self, DecodeError>;

    /// The query that selects the events of this set in all streams.
    fn query() -> Query {
        Query::from(QueryItem::named(Self::EVENTS.iter().map(EventType::name)))
    }
}

/// Applies an event of a set to a state, through the state's `Apply` of each event.
///
/// `#[derive(EventSet)]` generates it, so that an aggregate can use an enum you wrote.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of events that can change `{State}`",
    label = "not a set of events",
    note = "write `#[derive(EventSet)]` above `enum {Self}`, with one variant `Name(Event)` for each event"
)]
pub trait ApplyTo<State>: EventSet {
    /// Changes the state as the event says.
    fn apply_to(&self, state: &mut State);
}

/// An event as it goes into a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EncodedEvent {
    /// The stored name.
    pub name: &'static str,
    /// The schema version, which comes from the type and from nowhere else.
    pub schema_version: SchemaVersion,
    /// The bytes.
    pub payload: Bytes,
    /// The tags.
    pub tags: Tags,
}

// The user's program compiles what is generic once for each event. So the generic part of the one
// write path and of the one read path, in `ListedEvent`, is the codec's call, and the rest is here.

/// The event whose bytes are in the buffer.
#[inline]
pub(crate) fn written(event_type: &'static EventType, tags: Tags, buffer: &[u8]) -> EncodedEvent {
    EncodedEvent {
        name: event_type.name(),
        schema_version: event_type.version(),
        payload: Bytes::copy_from_slice(buffer),
        tags,
    }
}

/// The answer to a value that its codec could not write.
#[cold]
pub(crate) fn not_written(event_type: &'static EventType, source: CodecError) -> EncodeError {
    EncodeError { name: event_type.name(), type_name: event_type.type_name(), source }
}

/// The answer to a payload that its codec could not read.
#[cold]
pub(crate) fn not_read(recorded: &Recorded<'_>, source: CodecError) -> DecodeError {
    DecodeError::new(recorded, DecodeProblem::Payload(source))
}

/// The answer to a schema version that is not the one that is `known`.
#[cold]
pub(crate) fn other_version(recorded: &Recorded<'_>, known: SchemaVersion) -> DecodeError {
    let problem = if recorded.schema_version > known {
        DecodeProblem::NewerVersion { known }
    } else {
        DecodeProblem::NoUpcaster { known }
    };
    DecodeError::new(recorded, problem)
}

/// The answer to a name that is not in the set.
#[cold]
pub(crate) fn unknown_event(
    recorded: &Recorded<'_>,
    set: &'static str,
    events: &[EventType],
) -> DecodeError {
    let known = events.iter().map(EventType::name).collect();
    DecodeError::new(recorded, DecodeProblem::UnknownName { set, known })
}

/// An event that its codec could not write.
#[derive(Clone, Debug, thiserror::Error)]
#[error("event `{name}` (`{type_name}`) can not be written: {source}")]
pub struct EncodeError {
    name: &'static str,
    type_name: &'static str,
    source: CodecError,
}

impl EncodeError {
    /// Always [`ErrorCategory::Permanent`].
    pub fn category(&self) -> ErrorCategory {
        ErrorCategory::Permanent
    }
}

/// A recorded event that could not be read. Nothing was skipped: the read ended here.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "event `{name}` (schema version {schema_version}) at version {version} of stream `{stream}`, position {position}: {problem}",
    name = .0.name, schema_version = .0.schema_version, version = .0.version,
    stream = .0.stream, position = .0.position, problem = .0.problem
)]
pub struct DecodeError(Box<FailedDecode>);

#[derive(Clone, Debug)]
struct FailedDecode {
    stream: StreamId,
    version: Version,
    position: Position,
    name: String,
    schema_version: SchemaVersion,
    problem: DecodeProblem,
}

/// Why a recorded event could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeProblem {
    /// No event of the set has the stored name.
    #[error("`{set}` knows no event of this name, only {}; add the event to the set", known.join(", "))]
    UnknownName {
        /// The Rust type of the set.
        set: &'static str,
        /// The names that the set knows.
        known: Vec<&'static str>,
    },
    /// A newer program wrote it.
    #[error(
        "it was written by a newer program; this one knows schema versions up to {known}, so deploy the newer one"
    )]
    NewerVersion {
        /// The newest version that this program knows.
        known: SchemaVersion,
    },
    /// An older program wrote it, and nothing says how to read that.
    #[error("nothing turns it into schema version {known}, which this program reads")]
    NoUpcaster {
        /// The version that this program reads.
        known: SchemaVersion,
    },
    /// The bytes are not such an event.
    #[error("the payload does not hold it: {0}")]
    Payload(CodecError),
}

impl DecodeError {
    fn new(recorded: &Recorded<'_>, problem: DecodeProblem) -> Self {
        Self(Box::new(FailedDecode {
            stream: recorded.stream.to_stream_id(),
            version: recorded.version,
            position: recorded.position,
            name: recorded.name.to_owned(),
            schema_version: recorded.schema_version,
            problem,
        }))
    }

    /// The stream of the event.
    pub fn stream(&self) -> &StreamId {
        &self.0.stream
    }

    /// The event's place in its stream.
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// The event's place in the global order.
    pub fn position(&self) -> Position {
        self.0.position
    }

    /// The event's stored name.
    pub fn event_name(&self) -> &str {
        &self.0.name
    }

    /// Why it could not be read.
    pub fn problem(&self) -> &DecodeProblem {
        &self.0.problem
    }

    /// Always [`ErrorCategory::Permanent`]: the store holds what it holds.
    pub fn category(&self) -> ErrorCategory {
        ErrorCategory::Permanent
    }
}
