//! One decision: a command and a state become a commit, or a refusal.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::{Deref, DerefMut};

use jiff::Timestamp;

use crate::aggregate::Aggregate;
use crate::clock::Moment;
use crate::command::{Command, CommandFingerprint, Events, Handle, IntoEvents};
use crate::commit::{CheckedEvents, NewEvent};
use crate::context::{Context, Surroundings};
use crate::event_set::{EncodedEvent, EventSet};
use crate::identity::{CommandId, EventId};
use crate::metadata::{Metadata, RecordedCommand};
use crate::runtime::error::ExecuteError;
use crate::runtime::instance::Warm;
use crate::runtime::replay::Loaded;
use crate::stream::StreamId;
use crate::version::Version;

/// What the sender says about a command beside the command itself: nothing, most of the time, and then it
/// takes one word.
#[derive(Clone, Default)]
pub(crate) struct Envelope(Option<Box<Said>>);

#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) command_id: Option<CommandId>,
    pub(crate) metadata: Metadata,
    pub(crate) occurred_at: Option<Timestamp>,
}

impl Said {
    const NOTHING: Self = Self { command_id: None, metadata: Metadata::EMPTY, occurred_at: None };
}

impl Deref for Envelope {
    type Target = Said;

    #[inline]
    fn deref(&self) -> &Said {
        static NOTHING: Said = Said::NOTHING;
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Envelope {
    fn deref_mut(&mut self) -> &mut Said {
        self.0.get_or_insert_with(|| Box::new(Said::NOTHING))
    }
}

/// What makes a command recognisable when one is sent again under its id.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) id: CommandId,
    pub(crate) name: &'static str,
    pub(crate) fingerprint: CommandFingerprint,
}

impl Envelope {
    #[inline]
    pub(crate) fn with_metadata(metadata: &Metadata) -> Self {
        let mut envelope = Self::default();
        if !metadata.is_empty() {
            envelope.metadata = metadata.clone();
        }
        envelope
    }

    pub(crate) fn change_metadata(&mut self, change: impl FnOnce(Metadata) -> Metadata) {
        let metadata = &mut self.metadata;
        *metadata = change(std::mem::take(metadata));
    }

    /// The identity of the command, if it has an id.
    pub(crate) fn sent<C: Command>(&self, command: &C) -> Option<Sent> {
        let id = self.command_id?;
        let mut fingerprint = CommandFingerprint::default();
        command.fingerprint(&mut fingerprint);
        Some(Sent { id, name: C::NAME, fingerprint })
    }

    /// The metadata of the first event of the command, and that of the others.
    fn recorded_with<C: Command>(&self, command: &C) -> (Metadata, Metadata) {
        let metadata = &self.metadata;
        if self.command_id.is_none() && metadata.is_empty() {
            return (Metadata::EMPTY, Metadata::EMPTY);
        }
        let name = C::NAME.to_owned();
        let others = RecordedCommand { name, id: self.command_id, fingerprint: None };
        let Some(sent) = self.sent(command) else {
            let metadata = metadata.clone().with_command(others);
            return (metadata.clone(), metadata);
        };
        let first = RecordedCommand { fingerprint: Some(sent.fingerprint), ..others.clone() };
        (metadata.clone().with_command(first), metadata.clone().with_command(others))
    }
}

/// Decides the command on the state. The events are left there too; they are not applied.
///
/// `None` is the answer of a command that is accepted and changes nothing.
pub(crate) fn decide<A: Handle<C>, C: Command<Aggregate = A>>(
    surroundings: &Surroundings,
    stream: &StreamId,
    warm: &mut Warm<A>,
    command: &C,
    envelope: &Envelope,
    moment: &Moment,
) -> Result<Option<CheckedEvents>, ExecuteError<A::Error>> {
    let Warm { loaded: Loaded { state, version }, decided: events, chain_hash } = warm;
    let version = *version;
    events.clear();
    if C::CREATES && version > Version::ZERO {
        return Err(ExecuteError::AlreadyExists { stream: stream.clone(), version });
    }
    let (id, metadata) = (envelope.command_id, &envelope.metadata);
    let context = Context::new(surroundings, version, id, metadata, moment);
    state.handle(command, &context).map_err(ExecuteError::Rejected)?.into_events(events);
    if events.as_slice().is_empty() {
        return Ok(None);
    }
    let mut new_events = encode(surroundings, command, envelope, events, moment)?;
    if let Some(chain) = &surroundings.hash_chain {
        chain.link(stream, version, *chain_hash, &mut new_events);
    }
    Ok(Some(CheckedEvents::check(stream, new_events)?))
}

thread_local! {
    /// Where events are written before their size is known.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// The list of the last commit's events, empty; kept for its allocation.
    static EVENTS: Cell<Vec<NewEvent>> = const { Cell::new(Vec::new()) };
}

/// Space that one large event needed is given back when more than this.
const KEPT_SCRATCH_BYTES: usize = 64 * 1024;
/// A longer list is given back.
const KEPT_EVENTS: usize = 64;

fn encode<A: Aggregate, C: Command, E>(
    surroundings: &Surroundings,
    command: &C,
    envelope: &Envelope,
    events: &Events<A>,
    moment: &Moment,
) -> Result<Vec<NewEvent>, ExecuteError<E>> {
    let mut scratch = SCRATCH.take();
    let mut new_events = EVENTS.take();
    new_events.reserve(events.as_slice().len());
    let (mut metadata, of_later_events) = envelope.recorded_with(command);
    for (index, event) in (0..).zip(events.as_slice()) {
        let id = match (envelope.command_id, index) {
            (Some(command_id), _) => command_id.event_id(index),
            (None, 0) => EventId::from_uuid(surroundings.ids.next_id_at(moment)),
            // Read anew, so that their ids are in their order.
            (None, _) => EventId::from_uuid(surroundings.ids.next_id()),
        };
        let EncodedEvent { name, schema_version, payload, tags } = event.encode(&mut scratch)?;
        new_events.push(NewEvent {
            id,
            name: Cow::Borrowed(name),
            schema_version,
            payload,
            tags,
            occurred_at: envelope.occurred_at,
            metadata: std::mem::replace(&mut metadata, of_later_events.clone()),
        });
    }
    if scratch.capacity() <= KEPT_SCRATCH_BYTES {
        SCRATCH.set(scratch);
    }
    Ok(new_events)
}

/// Takes the events of a commit back that is recorded, for the next one's.
pub(crate) fn take_back(mut events: Vec<NewEvent>) {
    events.clear();
    if events.capacity() <= KEPT_EVENTS {
        EVENTS.set(events);
    }
}
