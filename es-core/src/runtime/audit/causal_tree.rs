//! What a request caused, as a tree of commands and events.

use std::collections::HashMap;
use std::fmt;

use uuid::Uuid;

use crate::identity::{CommandId, EventId};
use crate::recorded::RecordedEvent;
use crate::stream::StreamId;

/// Everything that one request caused, from [`Audit::tree`](crate::Audit::tree).
///
/// It prints as an indented list.
#[derive(Clone, PartialEq, Debug)]
pub struct CausalTree {
    correlation_id: Uuid,
    nodes: Vec<CausalNode>,
}

/// A command or an event of a [`CausalTree`].
#[derive(Clone, PartialEq, Debug)]
pub struct CausalNode {
    /// How many messages it took to come here: zero for a command that the request itself sent.
    pub depth: usize,
    /// What it is.
    pub message: CausalMessage,
}

/// What caused something or was caused.
#[derive(Clone, PartialEq, Debug)]
pub enum CausalMessage {
    /// A command, as far as its events tell of it.
    Command(CausedCommand),
    /// An event.
    Event(RecordedEvent),
}

/// A command of a [`CausalTree`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CausedCommand {
    /// Its name, if it was recorded.
    pub name: Option<String>,
    /// Its id, if it had one.
    pub id: Option<CommandId>,
    /// Who sent it, if that was recorded.
    pub actor: Option<String>,
    /// What it was caused by, if that was recorded. At depth zero that is nothing of this request.
    pub causation_id: Option<Uuid>,
    /// The stream of its first event.
    pub stream: StreamId,
}

/// A command and the places of its events in the list of all.
struct Group {
    command: CausedCommand,
    events: Vec<usize>,
}

impl CausalTree {
    /// Of events in the order of their positions.
    pub(super) fn new(correlation_id: Uuid, events: Vec<RecordedEvent>) -> Self {
        let groups = groups(&events);
        let (roots, below_event, below_command) = edges(&groups, &events);
        let mut nodes = Vec::new();
        let mut events: Vec<_> = events.into_iter().map(Some).collect();
        // As a list and not by recursion: a chain of reactions may be very long.
        let mut open: Vec<_> = roots.into_iter().rev().map(|root| (0, Open::Group(root))).collect();
        while let Some((depth, next)) = open.pop() {
            match next {
                Open::Group(group) => {
                    let message = CausalMessage::Command(groups[group].command.clone());
                    nodes.push(CausalNode { depth, message });
                    let commands = below_command.get(&group).into_iter().flatten();
                    open.extend(commands.rev().map(|caused| (depth + 1, Open::Group(*caused))));
                    let events = groups[group].events.iter();
                    open.extend(events.rev().map(|event| (depth + 1, Open::Event(*event))));
                }
                Open::Event(event) => {
                    // Each is in one group.
                    if let Some(event) = events[event].take() {
                        nodes.push(CausalNode { depth, message: CausalMessage::Event(event) });
                    }
                    let commands = below_event.get(&event).into_iter().flatten();
                    open.extend(commands.rev().map(|caused| (depth + 1, Open::Group(*caused))));
                }
            }
        }
        Self { correlation_id, nodes }
    }

    /// The id that all of it has in common.
    pub fn correlation_id(&self) -> Uuid {
        self.correlation_id
    }

    /// Commands and events, each followed by what it caused. Empty if nothing is known of the
    /// request.
    pub fn nodes(&self) -> &[CausalNode] {
        &self.nodes
    }
}

enum Open {
    Group(usize),
    Event(usize),
}

/// Events of one command: those with its id, or, without one, neighbours that say the same.
fn groups(events: &[RecordedEvent]) -> Vec<Group> {
    let mut groups = Vec::<Group>::new();
    let mut by_id = HashMap::new();
    for (place, event) in events.iter().enumerate() {
        let recorded = event.metadata.command();
        let id = recorded.and_then(|command| command.id);
        let known = match id {
            Some(id) => by_id.get(&id).copied(),
            None => groups.len().checked_sub(1).filter(|last| {
                let before = groups[*last].events.last().map(|place| &events[*place]);
                before.is_some_and(|before| follows(before, event))
            }),
        };
        if let Some(known) = known {
            groups[known].events.push(place);
            continue;
        }
        if let Some(id) = id {
            by_id.insert(id, groups.len());
        }
        let command = CausedCommand {
            name: recorded.map(|command| command.name.clone()),
            id,
            actor: event.metadata.actor().map(ToOwned::to_owned),
            causation_id: event.metadata.causation_id(),
            stream: event.stream.clone(),
        };
        groups.push(Group { command, events: vec![place] });
    }
    groups
}

fn follows(before: &RecordedEvent, event: &RecordedEvent) -> bool {
    before.stream == event.stream
        && before.version.next() == event.version
        && before.position.next() == event.position
        && before.recorded_at == event.recorded_at
        && before.metadata == event.metadata
}

type Caused = HashMap<usize, Vec<usize>>;

/// The commands that nothing here caused, those that each event caused, and those that each command
/// caused. A cause comes before its effect: what names a later one is a beginning.
fn edges(groups: &[Group], events: &[RecordedEvent]) -> (Vec<usize>, Caused, Caused) {
    let place_of: HashMap<_, _> =
        (0..).zip(events).map(|(at, event)| (event.event_id, at)).collect();
    let group_of: HashMap<_, _> =
        (0..).zip(groups).filter_map(|(at, group)| Some((group.command.id?, at))).collect();
    let (mut roots, mut below_event, mut below_command) =
        (Vec::new(), Caused::new(), Caused::new());
    for (at, group) in groups.iter().enumerate() {
        let cause = group.command.causation_id;
        let event = cause.and_then(|cause| place_of.get(&EventId::from_uuid(cause)).copied());
        let command = cause.and_then(|cause| group_of.get(&CommandId::from_uuid(cause)).copied());
        if let Some(event) = event.filter(|event| *event < group.events[0]) {
            below_event.entry(event).or_default().push(at);
        } else if let Some(command) = command.filter(|command| *command < at) {
            below_command.entry(command).or_default().push(at);
        } else {
            roots.push(at);
        }
    }
    (roots, below_event, below_command)
}

impl fmt::Display for CausalTree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "request {}", self.correlation_id)?;
        for CausalNode { depth, message } in &self.nodes {
            writeln!(formatter, "{:indent$}{message}", "", indent = 2 * (depth + 1))?;
        }
        Ok(())
    }
}

impl fmt::Display for CausalMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => {
                let CausedCommand { name, id, actor, stream, .. } = command;
                write!(formatter, "{} to {stream}", name.as_deref().unwrap_or("a command"))?;
                if let Some(id) = id {
                    write!(formatter, ", id {id}")?;
                }
                match actor {
                    Some(actor) => write!(formatter, ", by {actor}"),
                    None => Ok(()),
                }
            }
            Self::Event(event) => write!(
                formatter,
                "{} version {}, position {}, recorded {}",
                event.name, event.version, event.position, event.recorded_at
            ),
        }
    }
}
