//! Event sets: the events of an aggregate or a projection as one enum, written and read here.

use bytes::Bytes;

use crate::codec::CodecError;
use crate::error::ErrorCategory;
use crate::event::{EventHistory, EventType};
use crate::query::{Query, QueryItem};
use crate::recorded::Recorded;
use crate::stream::StreamId;
use crate::tag::Tags;
use crate::upcast::{Part, Problem, UpcastError, Upcasted, Upcasts, upcast};
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

    /// The stored names of events that are no longer read.
    const RETIRED: &'static [&'static str] = &[];

    /// Reads a recorded event of this set, whatever version of it is stored. Everything that reads
    /// events reads them here.
    ///
    /// # Errors
    /// When the name is not one of the set's, the schema version can not be read, a step to the
    /// newest version fails, or the payload does not hold the event.
    #[inline]
    fn decode(recorded: &Recorded<'_>) -> Result<Decoded<Self>, DecodeError> {
        Self::read(&Reading { name: recorded.name, recorded, depth: 0 })
    }

    /// Reads the event that has the name of the reading today.
    #[doc(hidden)]
    fn read(reading: &Reading<'_>) -> Result<Decoded<Self>, DecodeError>;

    /// Whether something that is stored under the name is read or retired here.
    #[doc(hidden)]
    fn holds(name: &str) -> bool {
        stands_in_the_set(name, Self::EVENTS, Self::RETIRED)
    }

    /// The query that selects the events of this set in all streams: by every name under which an
    /// event was ever stored that is one of the set today, or splits into one.
    ///
    /// Tags are matched as they were stored: they are not upcast.
    fn query() -> Query {
        query_of(Self::EVENTS)
    }
}

/// What a recorded event is today.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Decoded<S> {
    /// One event of the set: so it is of almost all that is stored.
    One(S),
    /// Several, in order: its stored version is split by a step.
    Several(Vec<S>),
    /// None: the set says that events of this name are [retired](EventSet::RETIRED).
    Retired,
    /// None of the set's. The event is stored under a name of which *other* versions split into
    /// events of the set, so that the set's query selects it.
    Unlisted,
}

impl<S> Decoded<S> {
    /// The events, in order.
    #[inline]
    pub fn as_slice(&self) -> &[S] {
        match self {
            Self::One(event) => std::slice::from_ref(event),
            Self::Several(events) => events,
            Self::Retired | Self::Unlisted => &[],
        }
    }

    /// The events, in order.
    pub fn into_vec(self) -> Vec<S> {
        match self {
            Self::One(event) => vec![event],
            Self::Several(events) => events,
            Self::Retired | Self::Unlisted => Vec::new(),
        }
    }

    /// The event, if it is exactly one.
    pub fn one(self) -> Option<S> {
        match self {
            Self::One(event) => Some(event),
            Self::Several(mut events) if events.len() == 1 => events.pop(),
            _ => None,
        }
    }
}

/// A recorded event, and the name that it has today.
#[doc(hidden)]
pub struct Reading<'a> {
    /// The name of the event today: not the stored one if that is an alias.
    pub name: &'a str,
    /// The recorded event.
    pub recorded: &'a Recorded<'a>,
    /// How many splits lie between the event and what the store holds.
    pub(crate) depth: u8,
}

/// The most splits that lead from a stored event to what it is today.
const MAX_SPLITS: u8 = 32;

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
        schema_version: event_type.written_version(),
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
pub(crate) fn not_read(reading: &Reading<'_>, source: CodecError) -> DecodeError {
    DecodeError::new(reading.recorded, DecodeProblem::Payload(source))
}

/// The answer to a schema version that is not the newest, of an event without steps.
#[cold]
pub(crate) fn other_version(
    reading: &Reading<'_>,
    history: &'static EventHistory,
    newest: SchemaVersion,
) -> DecodeError {
    match upcast_event(reading, &history.upcasts, newest) {
        Err(error) => error,
        // There is no step that could have made something.
        Ok(_) => failed(reading.recorded, &history.upcasts, newest, Problem::BelowOldest),
    }
}

/// Runs the steps of an event from the version that is stored.
pub(crate) fn upcast_event<'a>(
    reading: &Reading<'a>,
    upcasts: &'static Upcasts,
    newest: SchemaVersion,
) -> Result<Upcasted<'a>, DecodeError> {
    upcast(upcasts, newest, reading.recorded)
        .map_err(|problem| failed(reading.recorded, upcasts, newest, problem))
}

#[cold]
fn failed(
    recorded: &Recorded<'_>,
    upcasts: &Upcasts,
    newest: SchemaVersion,
    problem: Problem,
) -> DecodeError {
    let oldest = upcasts.oldest(newest);
    let problem = match problem {
        Problem::NewerVersion => DecodeProblem::NewerVersion { known: newest },
        Problem::BelowOldest => DecodeProblem::BelowOldest { oldest },
        Problem::Payload(error) => DecodeProblem::Payload(error),
        Problem::Step { from, step, error } => DecodeProblem::Step { from, step, error },
    };
    DecodeError::new(recorded, problem)
}

/// The answer to an object that the steps made and that is not the event.
#[cold]
pub(crate) fn not_upcast(
    reading: &Reading<'_>,
    newest: SchemaVersion,
    source: CodecError,
) -> DecodeError {
    DecodeError::new(reading.recorded, DecodeProblem::Upcast { to: newest, source })
}

/// Selects events by every name under which they were stored.
fn query_of(events: &[EventType]) -> Query {
    let mut names: Vec<_> = events.iter().flat_map(EventType::stored_names).collect();
    names.sort_unstable();
    names.dedup();
    Query::from(QueryItem::named(names))
}

/// Reads each part of an event that was split, as the set sees it.
pub(crate) fn read_parts<S: EventSet>(
    reading: &Reading<'_>,
    parts: &[Part],
) -> Result<Decoded<S>, DecodeError> {
    check_depth(reading)?;
    let mut events = Vec::new();
    for part in parts {
        // What the set does not list is another set's: an aggregate has all its parts listed.
        if !S::holds(part.name) {
            continue;
        }
        let recorded = part.recorded(reading.recorded);
        let part = Reading { name: part.name, recorded: &recorded, depth: reading.depth + 1 };
        match S::read(&part)? {
            Decoded::One(event) => events.push(event),
            Decoded::Several(mut more) => events.append(&mut more),
            Decoded::Retired | Decoded::Unlisted => {}
        }
    }
    Ok(Decoded::Several(events))
}

fn check_depth(reading: &Reading<'_>) -> Result<(), DecodeError> {
    if reading.depth < MAX_SPLITS {
        Ok(())
    } else {
        Err(DecodeError::new(reading.recorded, DecodeProblem::EndlessSplit))
    }
}

fn stands_in_the_set(name: &str, events: &[EventType], retired: &[&str]) -> bool {
    let mut events = events.iter();
    retired.contains(&name) || events.any(|event| event.stored_names().any(|it| it == name))
}

/// What a name is to a set that has no event of this name today.
enum OtherName {
    /// One that an event had before; this is its name today.
    Former(&'static str),
    Retired,
    Unlisted,
    /// That of an event which is split.
    Parts(Vec<Part>),
}

/// Reads an event whose name is not one that the events of the set have today.
#[cold]
pub(crate) fn read_by_other_name<S: EventSet>(
    reading: &Reading<'_>,
) -> Result<Decoded<S>, DecodeError> {
    match other_name(reading, std::any::type_name::<S>(), S::EVENTS, S::RETIRED) {
        Ok(OtherName::Former(name)) => S::read(&Reading { name, ..*reading }),
        Ok(OtherName::Retired) => Ok(Decoded::Retired),
        Ok(OtherName::Unlisted) => Ok(Decoded::Unlisted),
        Ok(OtherName::Parts(parts)) => read_parts(reading, &parts),
        Err(error) => Err(error),
    }
}

fn other_name(
    reading: &Reading<'_>,
    set: &'static str,
    events: &'static [EventType],
    retired: &[&str],
) -> Result<OtherName, DecodeError> {
    let &Reading { name, recorded, .. } = reading;
    if let Some(event) = events.iter().find(|event| event.aliases().contains(&name)) {
        return Ok(OtherName::Former(event.name));
    }
    if retired.contains(&name) {
        return Ok(OtherName::Retired);
    }
    let mut sources = events.iter().flat_map(|event| event.history.split_from);
    let Some(source) = sources.find(|source| source.names().any(|it| it == name)) else {
        return Err(unknown_name(recorded, set, events));
    };
    let newest = source.version;
    if recorded.schema_version == newest {
        return Ok(OtherName::Unlisted);
    }
    match upcast_event(reading, source.upcasts(), newest)? {
        Upcasted::Parts(parts) => Ok(OtherName::Parts(parts)),
        Upcasted::Object(_) | Upcasted::Event(_) => Ok(OtherName::Unlisted),
    }
}

/// The answer to a name that is not in the set.
#[cold]
pub(crate) fn unknown_event<S: EventSet>(recorded: &Recorded<'_>) -> DecodeError {
    unknown_name(recorded, std::any::type_name::<S>(), S::EVENTS)
}

#[cold]
fn unknown_name(recorded: &Recorded<'_>, set: &'static str, events: &[EventType]) -> DecodeError {
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
        "it was written by a newer program; this one knows schema versions up to {known}, so deploy the newer program here first"
    )]
    NewerVersion {
        /// The newest version that this program knows.
        known: SchemaVersion,
    },
    /// A program wrote it that is older than the oldest version which is still read.
    #[error(
        "the oldest schema version that this program reads is {oldest}; keep the steps `#[upcast(from = n, ..)]` of every version that is stored"
    )]
    BelowOldest {
        /// The oldest version that this program reads.
        oldest: SchemaVersion,
    },
    /// A step to the next version failed.
    #[error("the step from version {from} to {next}, `{step}`, failed: {error}", next = from.get() + 1)]
    Step {
        /// The version that the step begins with.
        from: SchemaVersion,
        /// The attribute as it stands in the source.
        step: &'static str,
        /// What failed, and at which field.
        error: UpcastError,
    },
    /// The steps went well, and what they made is not the event.
    #[error("what the steps made of it is not version {to}: {source}")]
    Upcast {
        /// The version that they should have made.
        to: SchemaVersion,
        /// What is wrong with it.
        source: CodecError,
    },
    /// It was split, what came of that was split, and so on.
    #[error("its parts are split again and again; a step `split` must make newer versions")]
    EndlessSplit,
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
